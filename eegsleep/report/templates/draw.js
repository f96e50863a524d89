// Draws every figure of the page from the JSON beside it, fits it to the window and to paper.
// Where plotly.js lies in a file of its own and that is missing, each figure says so in words.
(function () {
  "use strict";
  var PAPER_PX = 680; // A4 less the margins of night.css, at 96 px per inch
  var touch = window.matchMedia("(pointer: coarse)").matches;
  function configure(wide) {
    return {
      responsive: true,
      displaylogo: false,
      displayModeBar: wide && !touch ? "hover" : false,
      // Named one by one: what a later plotly.js adds (sending the data elsewhere, say) stays out.
      modeBarButtons: [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]]
    };
  }
  var places = Array.prototype.slice.call(document.querySelectorAll("[data-figure]"));
  var drawn = typeof Plotly === "undefined" ? [] : places;
  if (typeof Plotly === "undefined") {
    places.forEach(function (place) {
      place.replaceWith(document.getElementById("no-plotly").content.cloneNode(true));
    });
  }

  drawn.forEach(function (place) {
    var figure = JSON.parse(document.getElementById(place.dataset.figure).textContent);
    // On a touch screen a drag has to scroll the page, or a reader is caught in the figure.
    if (touch) figure.layout.dragmode = false;
    if (place.clientWidth < 500 && figure.layout.xaxis && figure.layout.xaxis.type === "date") {
      figure.layout.xaxis.nticks = 5;
    }
    Plotly.newPlot(place, figure.data, figure.layout, configure(place.classList.contains("wide")));
  });

  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (item) {
      if (!item.open) { item.open = true; item.dataset.opened = "yes"; }
    });
    drawn.forEach(function (place) {
      var wide = place.classList.contains("wide");
      Plotly.relayout(place, { autosize: false, width: wide ? PAPER_PX : PAPER_PX / 2 - 30 });
    });
  });

  window.addEventListener("afterprint", function () {
    document.querySelectorAll("details[data-opened]").forEach(function (item) {
      item.open = false;
      delete item.dataset.opened;
    });
    drawn.forEach(function (place) {
      Plotly.relayout(place, { autosize: true, width: null });
    });
  });
})();
