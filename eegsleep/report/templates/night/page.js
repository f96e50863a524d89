// The page of one night: draws, moves, and ties the parts together.
(function (eegsleep) {
  "use strict";

  const { EPOCH_S, announce, flash } = eegsleep;
  const SPANS_S = [5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400];
  const GAINS = [0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10];
  const SHORTEST_S = 2;
  const PAPER_PX = 700;
  const AVERAGE_PX = 220;
  const $ = (id) => document.getElementById(id);

  const bench = eegsleep.makeBench(JSON.parse($("night-data").textContent));
  const { night, clock, edits, events, n_epochs, whole_s, state, layouts, model, selected } = bench;
  bench.colours = eegsleep.readColours();
  eegsleep.timings = []; // milliseconds of every redraw, for the tests
  let list = null;

  // ---- drawing -------------------------------------------------------------------------------------------------

  let waiting = 0;
  const stale = { panels: true, stages: true, traces: true };

  // `stages` draws the hypnograms alone, which is all that a correction changes in the overview.
  function schedule({ panels = false, stages = false, traces = false } = {}) {
    stale.panels = stale.panels || panels;
    stale.stages = stale.stages || stages;
    stale.traces = stale.traces || traces;
    if (!waiting) waiting = requestAnimationFrame(draw);
  }

  function draw() {
    waiting = 0;
    const began = performance.now();
    bench.current = model();
    if (stale.panels) drawPanels(["top", "rest"]);
    else if (stale.stages) drawPanels(["top"]);
    for (const part of ["top", "rest"]) {
      const pen = eegsleep.canvasPen($(`over-${part}`), layouts[part].width, layouts[part].height);
      eegsleep.drawOverlay(pen, bench.current, layouts[part], bench.colours);
    }
    if (bench.trace) {
      if (stale.traces || stale.stages || stale.panels) drawTrace();
      const pen = eegsleep.canvasPen($("over-trace"), layouts.trace.width, layouts.trace.height);
      eegsleep.drawTraceOverlay(pen, bench.current, layouts.trace, bench.colours);
    }
    stale.panels = false;
    stale.stages = false;
    stale.traces = false;
    eegsleep.tellReadout(bench);
    eegsleep.timings.push(performance.now() - began);
  }

  function drawPanels(parts) {
    const width = $("overview").clientWidth;
    for (const part of parts) {
      layouts[part] = eegsleep.layoutOverview(night, bench.current, width, part);
      const pen = eegsleep.canvasPen($(`base-${part}`), width, layouts[part].height);
      eegsleep.drawOverview(pen, night, bench.current, layouts[part], bench.colours);
    }
  }

  function drawTrace() {
    const width = $("traces").clientWidth;
    layouts.trace = eegsleep.layoutTraces(bench.trace, width);
    const pen = eegsleep.canvasPen($("base-trace"), width, layouts.trace.height);
    eegsleep.drawTraces(pen, night, bench.trace, bench.current, layouts.trace, bench.colours);
  }

  function drawEvents() {
    const penOf = (canvas) => eegsleep.canvasPen(canvas, canvas.parentElement.clientWidth, AVERAGE_PX);
    for (const canvas of document.querySelectorAll("canvas[data-average]")) {
      eegsleep.drawAverage(penOf(canvas), night.averages[Number(canvas.dataset.average)], bench.colours);
    }
    if ($("coupling")) eegsleep.drawCoupling(penOf($("coupling")), night.coupling, bench.colours);
  }

  // ---- moving --------------------------------------------------------------------------------------------------

  function clampWindow() {
    state.span_s = Math.min(Math.max(state.span_s, SHORTEST_S), whole_s);
    state.from_s = Math.min(Math.max(0, state.from_s), Math.max(0, whole_s - state.span_s));
  }

  // After any change of the window: decode what it shows, and draw it.
  function showWindow() {
    clampWindow();
    const [from_s, to_s] = [state.from_s, state.from_s + state.span_s];
    if (bench.trace && !bench.trace.isReady(from_s, to_s)) {
      bench.trace.load(from_s, to_s, false).then(() => schedule({ traces: true }));
    }
    schedule({ traces: true });
  }

  function select(epoch, { extend = false, quiet = false } = {}) {
    const next = Math.min(n_epochs - 1, Math.max(0, epoch));
    if (!extend) state.anchor = null;
    else if (state.anchor === null) state.anchor = state.epoch;
    state.epoch = next;
    state.cursor_s = null;
    const at = next * EPOCH_S;
    if (state.span_s <= EPOCH_S) state.from_s = at;
    else if (at < state.from_s || at + EPOCH_S > state.from_s + state.span_s) {
      state.from_s = Math.floor(at / state.span_s) * state.span_s;
      if (at + EPOCH_S > state.from_s + state.span_s) state.from_s = at;
    }
    showWindow();
    if (quiet) return;
    bench.current = model();
    announce(`${clock.full(at)}, epoch ${next + 1}, ${eegsleep.describeStage(bench, next)}`);
  }

  // About a time that stays where it is on the screen, or about the epoch in hand.
  function setSpan(span_s, fixed_s) {
    const wanted = Math.min(Math.max(span_s, SHORTEST_S), whole_s);
    const epoch_s = state.epoch * EPOCH_S;
    if (fixed_s !== undefined) {
      state.from_s = fixed_s - ((fixed_s - state.from_s) / state.span_s) * wanted;
    } else {
      const inside = epoch_s >= state.from_s && epoch_s < state.from_s + state.span_s;
      const middle = inside ? epoch_s + EPOCH_S / 2 : state.from_s + state.span_s / 2;
      state.from_s = wanted === EPOCH_S ? Math.floor(middle / EPOCH_S) * EPOCH_S : middle - wanted / 2;
    }
    state.span_s = wanted;
    showWindow();
    eegsleep.tellTools(bench);
  }

  function stepSpan(way, fixed_s) {
    const options = [...SPANS_S.filter((s) => s < whole_s), whole_s];
    const next = way > 0 ? options.find((s) => s > state.span_s + 0.01) : options.filter((s) => s < state.span_s - 0.01).pop();
    if (next) setSpan(next, fixed_s);
  }

  function stepGain(way) {
    const next = way > 0 ? GAINS.find((g) => g > state.gain) : GAINS.filter((g) => g < state.gain).pop();
    if (next) state.gain = next;
    eegsleep.tellTools(bench);
    schedule({ traces: true });
  }

  function moveWindow(from_s) {
    state.from_s = from_s;
    clampWindow();
    const at = state.span_s <= EPOCH_S ? state.from_s + 1e-6 : state.from_s + state.span_s / 2;
    state.epoch = Math.min(n_epochs - 1, Math.floor(at / EPOCH_S));
    state.anchor = null;
    showWindow();
  }

  function zoomRange(factor, fixed_s) {
    const { from_s, to_s } = state.range;
    const span_s = Math.min(whole_s, Math.max(600, (to_s - from_s) * factor));
    const share = (fixed_s - from_s) / (to_s - from_s);
    const from = Math.min(Math.max(0, fixed_s - share * span_s), whole_s - span_s);
    state.range = { from_s: from, to_s: from + span_s };
    schedule({ panels: true });
  }

  function setCursor(seconds) {
    state.cursor_s = seconds;
    schedule();
  }

  function setFilter(filter) {
    state.filter = filter;
    eegsleep.tellTools(bench);
    schedule({ traces: true });
  }

  function setBlind(blind) {
    state.blind = blind;
    document.documentElement.classList.toggle("blind", blind);
    eegsleep.tellTools(bench);
    eegsleep.tellEdits(bench);
    schedule({ panels: true });
  }

  function letGo() {
    state.anchor = null;
    state.event = "";
    schedule({ traces: true });
  }

  // The next epoch after this one for which `holds`, from the beginning again where there is none after it.
  function seek(holds, words) {
    for (let step = 1; step <= n_epochs; step += 1) {
      const epoch = (state.epoch + step) % n_epochs;
      if (bench.inNight(epoch) && holds(epoch)) {
        select(epoch);
        return;
      }
    }
    announce(`There is no ${words}.`);
    flash(`There is no ${words}.`);
  }

  // ---- changing ------------------------------------------------------------------------------------------------

  function setStage(letter) {
    const [first, last] = selected();
    edits.setStages(first, last, letter, state.blind);
    state.anchor = null;
    if (last + 1 < n_epochs) select(last + 1, { quiet: true });
    announce(`${eegsleep.STAGE_NAMES[letter]} for epoch ${first + 1}${last > first ? ` to ${last + 1}` : ""}`);
  }

  function undo(step) {
    const patch = step();
    if (!patch) return;
    if (patch.part === "stages") select(Number(patch.name), { quiet: true });
    announce("undone");
  }

  function openEvent(event) {
    state.event = event.name;
    state.marks[event.mark] = true;
    if (state.span_s > 60) state.span_s = EPOCH_S;
    state.epoch = Math.min(n_epochs - 1, Math.floor(event.peak_s / EPOCH_S));
    state.anchor = null;
    state.cursor_s = null;
    state.from_s = event.peak_s - state.span_s / 2;
    showWindow();
    eegsleep.tellTools(bench);
    $("bench-tools").scrollIntoView({ block: "nearest" });
    announce(`${event.kind} on ${event.channel}, ${clock.full(event.peak_s, { decimals: 1 })}`);
  }

  function stepEvent(way) {
    const shown = events.filter((event) => state.marks[event.mark]);
    const at = shown.findIndex((event) => event.name === state.event);
    const from_s = state.epoch * EPOCH_S;
    const next = at >= 0
      ? shown[at + way]
      : way > 0 ? shown.find((event) => event.onset_s >= from_s) : shown.findLast((event) => event.onset_s < from_s);
    if (next) openEvent(next);
  }

  function rejectEvent() {
    if (!state.event) {
      flash("Choose an event first: click its mark, or press ].");
      return;
    }
    edits.toggleRejected(state.event);
    announce(edits.isRejected(state.event) ? "event rejected" : "event taken back");
  }

  // A tap on the trace: the epoch there, and the event, if a mark lies there.
  function pick(at, lane, extend) {
    const under = lane && !state.blind ? eegsleep.eventsWithin(events, at, at + 1e-6) : [];
    const hit = under.find((event) => event.channel === lane.label && state.marks[event.mark]);
    state.event = hit ? hit.name : "";
    if (hit) announce(`${hit.kind} on ${hit.channel}`);
    if (!extend) state.anchor = null;
    else if (state.anchor === null) state.anchor = state.epoch;
    state.epoch = Math.min(n_epochs - 1, Math.floor(at / EPOCH_S));
    state.cursor_s = at;
    schedule({ traces: true });
  }

  // ---- files ---------------------------------------------------------------------------------------------------

  const saveEvents = () => eegsleep.download("events-edited.csv", edits.eventsCsv(events), "text/csv");

  function save() {
    eegsleep.download("hypnogram-edited.csv", edits.hypnogramCsv(), "text/csv");
    if (edits.countArousals() + edits.countRejected()) saveEvents();
    edits.markSaved();
  }

  function saveOverview(write) {
    const shown = model();
    const layout = eegsleep.layoutOverview(night, shown, 1200, "all");
    const paint = (pen) => eegsleep.drawOverview(pen, night, shown, layout, bench.colours);
    write(`${night.id}-night`, layout.width, layout.height, paint, bench.colours.paper);
  }

  function saveTrace(write) {
    const layout = eegsleep.layoutTraces(bench.trace, 1200);
    const paint = (pen) => eegsleep.drawTraces(pen, night, bench.trace, model(), layout, bench.colours);
    write(`${night.id}-trace`, layout.width, layout.height, paint, bench.colours.paper);
  }

  function saveTraceData() {
    if (state.span_s > 600) flash("Choose a window of up to 10 minutes first.");
    else eegsleep.download(`${night.id}-trace.csv`, eegsleep.traceCsv(bench.trace, model()), "text/csv");
  }

  function copyCommand() {
    const refused = () => flash("The browser did not allow it; select the text instead.");
    if (!navigator.clipboard) refused();
    else navigator.clipboard.writeText($("command").textContent).then(() => flash("Copied."), refused);
  }

  // ---- theme, print --------------------------------------------------------------------------------------------

  function showTheme() {
    $("theme").textContent = `Theme: ${document.documentElement.dataset.theme}`;
    bench.colours = eegsleep.readColours();
    schedule({ panels: true });
    drawEvents();
  }

  function nextTheme() {
    const at = eegsleep.THEMES.indexOf(document.documentElement.dataset.theme);
    eegsleep.chooseTheme(eegsleep.THEMES[(at + 1) % eegsleep.THEMES.length]);
    showTheme();
  }

  // Paper is white: the panels are drawn anew in the light theme, at three times the pixels.
  function drawForPaper() {
    document.documentElement.dataset.shade = "light";
    const colours = eegsleep.readColours();
    const shown = { ...model(), range: bench.nightRange() };
    for (const part of ["top", "rest"]) {
      const layout = eegsleep.layoutOverview(night, shown, PAPER_PX, part);
      const pen = eegsleep.canvasPen($(`base-${part}`), PAPER_PX, layout.height, 3);
      eegsleep.drawOverview(pen, night, shown, layout, colours);
    }
  }

  window.addEventListener("beforeprint", drawForPaper);
  window.addEventListener("afterprint", () => {
    eegsleep.applyTheme();
    showTheme();
  });
  window.addEventListener("beforeunload", (event) => {
    if (edits.isUnsaved()) event.preventDefault();
  });

  // ---- start ---------------------------------------------------------------------------------------------------

  bench.page = {
    select, setSpan, stepSpan, stepGain, moveWindow, zoomRange, setCursor, setFilter, setBlind, setStage, seek, undo,
    pick, stepEvent, rejectEvent, letGo, save, help: () => $("help").showModal()
  };
  const keys = eegsleep.makeKeys(bench);

  const ACTIONS = {
    undo: () => undo(edits.undo),
    redo: () => undo(edits.redo),
    unsure: keys.u,
    differs: keys.d,
    next: keys.n,
    arousal: keys.a,
    back: keys.ArrowLeft,
    on: keys.ArrowRight,
    reject: rejectEvent,
    blind: keys.b,
    help: bench.page.help,
    "span-less": () => stepSpan(-1),
    "span-more": () => stepSpan(1),
    "gain-less": () => stepGain(-1),
    "gain-more": () => stepGain(1),
    "range-in": () => zoomRange(0.5, (state.epoch + 0.5) * EPOCH_S),
    "range-out": () => zoomRange(2, (state.range.from_s + state.range.to_s) / 2),
    "range-all": () => zoomRange(Infinity, whole_s / 2),
    save,
    "save-edf": () => eegsleep.download("hypnogram-edited.edf", edits.edf(), "application/octet-stream"),
    "save-events": () => {
      saveEvents();
      edits.markSaved();
    },
    discard: () => {
      edits.discard();
      flash("All changes are undone. Z brings them back.");
    },
    copy: copyCommand,
    "overview-png": () => saveOverview(eegsleep.savePng),
    "overview-svg": () => saveOverview(eegsleep.saveSvg),
    "overview-csv": () => eegsleep.download(`${night.id}-night.csv`, eegsleep.nightCsv(night, model()), "text/csv"),
    "trace-png": () => saveTrace(eegsleep.savePng),
    "trace-svg": () => saveTrace(eegsleep.saveSvg),
    "trace-csv": saveTraceData,
    theme: nextTheme
  };

  function openTrace(data) {
    const trace = eegsleep.openTrace(data);
    bench.trace = trace;
    eegsleep.trace = trace;
    $("trace-waiting").hidden = true;
    $("trace-pane").hidden = false;
    schedule({ traces: true });
    const [from_s, to_s] = [state.from_s, state.from_s + state.span_s];
    return trace.load(from_s, to_s, false).then(() => {
      schedule({ traces: true });
      requestAnimationFrame(() => performance.mark("first trace"));
      return trace.load(from_s, to_s, true);
    }).then(() => {
      performance.mark("whole trace");
      schedule({ traces: true });
    });
  }

  // The signal comes last in the page, or in a file beside it, so that all else is there before it is read.
  function findTrace() {
    eegsleep.tellUsual(bench);
    const inline = $("trace-data");
    if (inline) openTrace(JSON.parse(inline.textContent));
    else if (eegsleep.traceData) openTrace(eegsleep.traceData);
    else if ($("trace-waiting").dataset.missing) $("trace-waiting").textContent = $("trace-waiting").dataset.missing;
  }

  // `#epoch-101` in the address, as the agreement page links.
  function followAddress() {
    const found = /^#epoch-(\d+)$/.exec(window.location.hash);
    if (found) select(Number(found[1]) - 1);
  }

  function followControls() {
    const on = (selector, kind, act) => {
      for (const item of document.querySelectorAll(selector)) item.addEventListener(kind, (event) => act(item, event));
    };
    on("[data-do]", "click", (item, event) => ACTIONS[item.dataset.do](event));
    on("[data-stage]", "click", (item) => setStage(item.dataset.stage));
    on("[data-show]", "click", (item) => list.show(item.dataset.show, item.dataset.channel));
    on("[data-mark]", "change", (item) => {
      state.marks[item.dataset.mark] = item.checked;
      schedule({ traces: true });
    });
    on("#span", "change", (item) => setSpan(Number(item.value)));
    on("#filter", "change", (item) => setFilter(item.value));
    on("#scorer", "input", (item) => { edits.scorer = item.value; });
    $("scorer").value = edits.scorer;
  }

  function start() {
    followControls();
    eegsleep.followKeys(keys);
    eegsleep.followOverview(bench, "top");
    eegsleep.followOverview(bench, "rest");
    eegsleep.followTrace(bench);
    if ($("event-list")) list = eegsleep.makeEventList($("event-list"), events, { clock, edits, open: openEvent });
    edits.listen(() => {
      eegsleep.tellEdits(bench);
      if (list) list.refresh();
      schedule({ stages: true });
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
    window.addEventListener("hashchange", followAddress);
    new ResizeObserver(() => {
      schedule({ panels: true });
      drawEvents();
    }).observe($("overview"));
    state.from_s = state.epoch * EPOCH_S;
    showWindow();
    $("span").querySelector("[data-whole]").value = String(whole_s);
    eegsleep.tellTools(bench);
    eegsleep.tellEdits(bench);
    showTheme();
    draw();
    performance.mark("overview");
    followAddress();
    document.addEventListener("DOMContentLoaded", findTrace);
  }

  // For the tests of the page: what is looked at, without a way to change it but those a reader has.
  eegsleep.look = () => ({ ...state, letters: edits.letters().join(""), edits: edits.count(), selection: selected(), layouts });

  if (n_epochs) start();
})(window.eegsleep = window.eegsleep || {});
