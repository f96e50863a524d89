// The list of single events: sorted, filtered, each a way into the trace, each to be rejected.
(function (eegsleep) {
  "use strict";

  const SHOWN = 60;

  eegsleep.readEvents = function (night) {
    const events = [];
    for (const [mark, table] of [["spindles", night.spindles], ["waves", night.waves]]) {
      for (let i = 0; i < table.onset_s.length; i += 1) {
        events.push({
          mark: table.kind[i] === "K-complex" ? "complexes" : mark,
          kind: table.kind[i],
          channel: table.channel[i],
          onset_s: table.onset_s[i],
          duration_s: table.duration_s[i],
          peak_s: table.peak_s[i],
          frequency_hz: table.frequency_hz[i],
          amplitude_uv: table.amplitude_uv[i],
          name: `${table.kind[i]} ${table.channel[i]} ${table.peak_s[i]}`
        });
      }
    }
    return events.sort((a, b) => a.onset_s - b.onset_s);
  };

  // `open(event)` shows an event in the trace; `edits` knows which are rejected.
  eegsleep.makeEventList = function (root, events, { clock, edits, open }) {
    const body = root.querySelector("tbody");
    const more = root.querySelector("[data-more]");
    const told = root.querySelector("output");
    const form = root.querySelector("form");
    let order = { by: "onset_s", down: false };
    let shown = SHOWN;
    let list = events;

    for (const [field, name] of [["kind", "kind"], ["channel", "channel"]]) {
      for (const value of [...new Set(events.map((event) => event[name]))].sort()) {
        form.elements[field].append(new Option(value, value));
      }
    }

    function filter() {
      const { kind, channel, amplitude, rejected } = form.elements;
      list = events.filter((event) =>
        (!kind.value || event.kind === kind.value) && (!channel.value || event.channel === channel.value) &&
        (!amplitude.value || event.amplitude_uv >= Number(amplitude.value)) &&
        (!rejected.checked || edits.isRejected(event.name)));
      const sign = order.down ? -1 : 1;
      list.sort((a, b) => {
        const [x, y] = [a[order.by], b[order.by]];
        if (x === null || y === null) return (x === null) - (y === null);
        return sign * (typeof x === "string" ? x.localeCompare(y) : x - y) || a.onset_s - b.onset_s;
      });
      draw();
    }

    function draw() {
      const number = (value, decimals) => (value === null ? "–" : value.toFixed(decimals));
      body.replaceChildren(...list.slice(0, shown).map((event) => {
        const row = document.createElement("tr");
        const rejected = edits.isRejected(event.name);
        row.classList.toggle("rejected", rejected);
        row.dataset.event = event.name;
        const go = document.createElement("button");
        go.type = "button";
        go.className = "go";
        go.textContent = clock.full(event.peak_s, { decimals: 1 });
        go.addEventListener("click", () => open(event));
        const drop = document.createElement("button");
        drop.type = "button";
        drop.textContent = rejected ? "Take back" : "Reject";
        drop.setAttribute("aria-pressed", String(rejected));
        drop.addEventListener("click", () => edits.toggleRejected(event.name));
        const cells = [go, event.kind, event.channel, number(event.frequency_hz, 1), number(event.amplitude_uv, 0), number(event.duration_s, 2), drop];
        cells.forEach((content, i) => {
          const cell = document.createElement("td");
          if (i >= 3 && i <= 5) cell.className = "number";
          cell.append(content);
          row.append(cell);
        });
        return row;
      }));
      more.hidden = list.length <= shown;
      const gone = list.filter((event) => edits.isRejected(event.name)).length;
      told.textContent = `${list.length} of ${events.length} events` + (gone ? `, ${gone} rejected` : "");
    }

    form.addEventListener("input", () => {
      shown = SHOWN;
      filter();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    more.addEventListener("click", () => {
      shown += 200;
      draw();
    });
    for (const head of root.querySelectorAll("th[data-by]")) {
      head.querySelector("button").addEventListener("click", () => {
        order = { by: head.dataset.by, down: order.by === head.dataset.by ? !order.down : head.dataset.by !== "onset_s" };
        for (const other of root.querySelectorAll("th[data-by]")) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
        filter();
      });
    }
    filter();

    // After a change by hand: only where another event is rejected now, since the list is long.
    let n_rejected = edits.countRejected();
    return {
      refresh() {
        if (edits.countRejected() === n_rejected) return;
        n_rejected = edits.countRejected();
        draw();
      },
      show(kind, channel) {
        form.elements.kind.value = kind;
        form.elements.channel.value = channel || "";
        form.elements.amplitude.value = "";
        form.elements.rejected.checked = false;
        shown = SHOWN;
        filter();
        if (list.length) open(list[0]);
      }
    };
  };
})(window.eegsleep = window.eegsleep || {});
