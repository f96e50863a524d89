// Sorts and filters the table of nights, and puts another marker into the figure.
// Without it the page is a plain table in the order it was written.
// Of a long table only the first rows are drawn, and more as one scrolls: a browser takes seconds for thousands.
(function () {
  "use strict";
  var table = document.querySelector("table.nights");
  var words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  function read(row, column, numeric) {
    var cell = row.cells[column];
    if (!cell) return null; // a night that could not be made has its reason across these columns
    var text = "sort" in cell.dataset ? cell.dataset.sort : cell.textContent.trim();
    if (text === "" || text === "–") return null;
    return numeric ? Number(text) : text;
  }

  var STEP = 100;
  var all = table ? Array.prototype.slice.call(table.tBodies[0].rows) : [];
  var chosen = all;
  var scroller = table && table.parentNode;
  var end = document.createElement("div");

  function drawMore(n) {
    var body = table.tBodies[0];
    var next = chosen.slice(body.rows.length, body.rows.length + n);
    body.append.apply(body, next);
  }

  function redraw() {
    table.tBodies[0].replaceChildren();
    scroller.scrollTop = 0;
    drawMore(STEP);
  }

  function drawAsScrolled() {
    scroller.classList.add("tall");
    scroller.appendChild(end);
    new IntersectionObserver(function (entries) {
      if (entries.some(function (entry) { return entry.isIntersecting; })) drawMore(STEP);
    }, { root: scroller, rootMargin: "1500px" }).observe(end);
    window.addEventListener("beforeprint", function () { drawMore(chosen.length); });
  }

  function sortBy(head) {
    var downwards = head.getAttribute("aria-sort") === "ascending";
    var numeric = head.classList.contains("number");
    var sign = downwards ? -1 : 1;
    var rows = all.map(function (row, place) {
      return { row: row, place: place, value: read(row, head.cellIndex, numeric) };
    });
    rows.sort(function (a, b) {
      if (a.value === null || b.value === null) {
        // what is missing is neither large nor small: it comes last either way
        return (a.value === null) - (b.value === null) || a.place - b.place;
      }
      var order = numeric ? a.value - b.value : words.compare(a.value, b.value);
      return sign * order || a.place - b.place;
    });
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (cell) { cell.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", downwards ? "descending" : "ascending");
    all = rows.map(function (item) { return item.row; });
    filter();
  }

  function filter() {
    var find = document.getElementById("find").value.trim().toLowerCase();
    var status = document.getElementById("status").value;
    var verdict = document.getElementById("verdict").value;
    chosen = all.filter(function (row) {
      return (!status || row.dataset.status === status) && (!verdict || row.dataset.verdict === verdict) &&
        (!find || row.textContent.toLowerCase().indexOf(find) >= 0);
    });
    document.getElementById("shown").textContent =
      chosen.length === all.length ? "" : chosen.length + " of " + all.length + " shown";
    redraw();
  }

  if (table) {
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head) {
      if ("plain" in head.dataset) return;
      var button = document.createElement("button");
      button.type = "button";
      while (head.firstChild) button.appendChild(head.firstChild);
      head.appendChild(button);
      button.addEventListener("click", function () { sortBy(head); });
    });
    var controls = document.getElementById("controls");
    controls.hidden = false;
    controls.addEventListener("input", filter);
    controls.addEventListener("submit", function (event) { event.preventDefault(); });
    if (all.length > STEP && "IntersectionObserver" in window) drawAsScrolled();
    else STEP = all.length;
    filter(); // a browser keeps what was typed when a page is opened again
  }

  var place = document.querySelector("[data-figure=figure-nights]");
  if (place && typeof Plotly !== "undefined") {
    var known = JSON.parse(document.getElementById("choices").textContent);
    var marker = document.getElementById("marker");
    var show = function () {
      var choice = known.choices[Number(marker.value)];
      Plotly.update(place, { y: [choice.y] }, { "yaxis.title.text": choice.label, "yaxis.autorange": true }, [0]);
    };
    document.getElementById("choice").hidden = false;
    marker.addEventListener("change", show);
    if (marker.value !== "0") show();
    place.on("plotly_click", function (event) {
      var link = known.links[event.points[0].pointIndex];
      if (link) window.location.href = link;
    });
  }
})();
