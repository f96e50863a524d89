// The page of one night: what is looked at, what was changed, and everything that follows from it.
(function (eegsleep) {
  "use strict";

  const EPOCH_S = 30;
  const SPANS_S = [5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400];
  const GAINS = [0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10];
  const FILTERS = ["recorded", "wide", "sigma"];
  const $ = (id) => document.getElementById(id);

  const night = JSON.parse($("night-data").textContent);
  const clock = eegsleep.makeClock(night.start);
  const edits = eegsleep.makeEdits(night);
  const events = eegsleep.readEvents(night);
  const n_epochs = night.stages.length;
  const whole_s = Math.max(night.duration_s, EPOCH_S);
  const probabilities = night.probabilities ? eegsleep.unpackBytes(night.probabilities) : null;
  const other = night.reference || night.before;
  const BYTES = ["W", "1", "2", "3", "R"];

  // What is looked at. `anchor` is where a range of epochs began.
  const state = {
    epoch: firstEpoch(), anchor: null, from_s: 0, span_s: 30, gain: 1, filter: "recorded", blind: false,
    cursor_s: null, event: "", hidden: new Set(), range: nightRange(),
    marks: { spindles: true, waves: true, complexes: true, eyes: true, annotations: true }
  };
  let trace = null;
  let layouts = {};
  let colours = eegsleep.readColours();
  let list = null;
  let printing = false;
  eegsleep.timings = [];

  function firstEpoch() {
    const lights = Math.floor(night.lights.off_s / EPOCH_S);
    return Math.max(0, Math.min(lights, n_epochs - 1));
  }

  // A recording of a whole day opens on its night.
  function nightRange() {
    const { off_s, on_s } = night.lights;
    if (whole_s <= 14 * 3600) return { from_s: 0, to_s: whole_s };
    return { from_s: Math.max(0, off_s - 1800), to_s: Math.min(whole_s, on_s + 1800) };
  }

  function confidence(epoch) {
    if (!probabilities || probabilities[epoch * 5] === 255) return NaN;
    return Math.max(...probabilities.subarray(epoch * 5, epoch * 5 + 5)) / 250;
  }

  const unsureEpochs = Array.from({ length: n_epochs }, (_, epoch) => confidence(epoch) < night.unsure_below);
  const inNight = (epoch) => (epoch + 1) * EPOCH_S > night.lights.off_s && epoch * EPOCH_S < night.lights.on_s;
  const stretches = (flags) => {
    const found = [];
    flags.forEach((flag, i) => {
      if (!flag) return;
      const last = found[found.length - 1];
      if (last && last[1] === i) last[1] = i + 1;
      else found.push([i, i + 1]);
    });
    return found;
  };
  const unsure = stretches(unsureEpochs.map((flag, epoch) => flag && inNight(epoch)));

  function model() {
    const letters = state.blind
      ? edits.shown.map((_, epoch) => (edits.isScored(epoch) ? edits.stageAt(epoch) : "X"))
      : edits.letters();
    const first = Math.floor(night.lights.off_s / EPOCH_S);
    const cycles = edits.countStages()
      ? eegsleep.findCycles(letters.slice(first)).map(([a, b, complete]) => [a + first, b + first, complete])
      : night.cycles.map(([a, b, complete]) => [a / EPOCH_S, b / EPOCH_S, complete]);
    return {
      clock, letters, cycles, unsure, probabilities, events,
      shown: edits.shown, original: edits.original,
      edited: new Set(Array.from(edits.shown.keys()).filter(edits.isEdited)),
      other, otherTitle: night.reference ? "Expert" : "Before edits", otherShort: night.reference ? "expert" : "before",
      differs: other ? letters.map((letter, epoch) => other[epoch] !== "X" && letter !== "X" && other[epoch] !== letter) : [],
      arousals: edits.arousals(), isRejected: edits.isRejected,
      selection: selected(), ...state,
      window: { from_s: state.from_s, to_s: state.from_s + state.span_s }
    };
  }

  const selected = () => (state.anchor === null ? [state.epoch, state.epoch] : [Math.min(state.anchor, state.epoch), Math.max(state.anchor, state.epoch)]);

  // ---- drawing -------------------------------------------------------------------------------------------------

  let current = null;
  let waiting = 0;
  const stale = { panels: true, traces: true };

  function schedule({ panels = false, traces = false } = {}) {
    stale.panels = stale.panels || panels;
    stale.traces = stale.traces || traces;
    if (!waiting) waiting = requestAnimationFrame(draw);
  }

  function draw() {
    waiting = 0;
    const began = performance.now();
    current = model();
    if (stale.panels) drawPanels();
    for (const part of ["top", "rest"]) {
      const pen = eegsleep.canvasPen($("over-" + part), layouts[part].width, layouts[part].height);
      eegsleep.drawOverlay(pen, current, layouts[part], colours);
    }
    if (trace) {
      if (stale.traces || stale.panels) drawTrace();
      eegsleep.drawTraceOverlay(eegsleep.canvasPen($("over-trace"), layouts.trace.width, layouts.trace.height), current, layouts.trace, colours);
    }
    stale.panels = false;
    stale.traces = false;
    tellReadout();
    eegsleep.timings.push(performance.now() - began);
  }

  function drawPanels() {
    const width = $("overview").clientWidth;
    for (const part of ["top", "rest"]) {
      layouts[part] = eegsleep.layoutOverview(night, current, width, part);
      const pen = eegsleep.canvasPen($("base-" + part), width, layouts[part].height);
      eegsleep.drawOverview(pen, night, current, layouts[part], colours);
    }
  }

  function drawTrace() {
    const width = $("traces").clientWidth;
    layouts.trace = eegsleep.layoutTraces(trace, width, state.hidden);
    const pen = eegsleep.canvasPen($("base-trace"), width, layouts.trace.height);
    eegsleep.drawTraces(pen, night, trace, current, layouts.trace, colours);
  }

  function resetColours() {
    colours = eegsleep.readColours();
    schedule({ panels: true });
    drawEvents();
  }

  function drawEvents() {
    for (const canvas of document.querySelectorAll("canvas[data-average]")) {
      const pen = eegsleep.canvasPen(canvas, canvas.parentElement.clientWidth, 220);
      const average = night.averages[Number(canvas.dataset.average)];
      eegsleep.drawAverage(pen, average, colours);
    }
    const coupling = $("coupling");
    if (coupling) eegsleep.drawCoupling(eegsleep.canvasPen(coupling, coupling.parentElement.clientWidth, 220), night.coupling, colours);
  }

  // ---- what is said --------------------------------------------------------------------------------------------

  function tellReadout() {
    const at = state.cursor_s === null ? state.epoch * EPOCH_S : state.cursor_s;
    const epoch = Math.min(n_epochs - 1, Math.max(0, Math.floor(at / EPOCH_S)));
    const parts = [`${clock.full(at)}`, `${clock.elapsed(at)} in`, `epoch ${epoch + 1} of ${n_epochs}`];
    parts.push(describeStage(epoch));
    if (!state.blind && other && other[epoch]) parts.push(`${current.otherShort} ${eegsleep.STAGE_NAMES[other[epoch]]}`);
    if (night.power && night.power.swa[epoch] !== null && night.power.swa[epoch] !== undefined) {
      parts.push(`SWA ${minus(night.power.swa[epoch].toFixed(1))} dB`, `sigma ${minus(night.power.sigma[epoch].toFixed(1))} dB`);
    }
    if (state.cursor_s !== null && trace && state.cursor_s >= state.from_s && state.cursor_s <= state.from_s + state.span_s) {
      for (const lane of layouts.trace.lanes) {
        const uv = trace.layerOf(lane.row, state.filter, at, at).samples[Math.round(at * trace.rate_hz)];
        if (uv === uv && uv !== undefined) parts.push(`${lane.label} ${minus(uv.toFixed(1))} µV`);
      }
    }
    $("readout").replaceChildren(...parts.map((part, i) => {
      const span = document.createElement(i === 3 ? "b" : "span");
      span.textContent = part;
      return span;
    }));
  }

  const minus = (text) => text.replace("-", "−");

  function describeStage(epoch) {
    const letter = current.letters[epoch];
    if (state.blind) return edits.isScored(epoch) ? eegsleep.STAGE_NAMES[letter] : "not scored yet";
    const sure = confidence(epoch);
    const by = edits.isEdited(epoch) ? ` (was ${eegsleep.STAGE_NAMES[edits.shown[epoch]]})` : "";
    return eegsleep.STAGE_NAMES[letter] + by + (sure === sure && !by ? ` ${Math.round(100 * sure)} %` : "");
  }

  // A screen reader hears where the keys have led.
  function announce(words) {
    $("said").textContent = words;
  }

  function tellEdits() {
    const counts = [[edits.countStages(), "epoch", "epochs"], [edits.countArousals(), "arousal", "arousals"], [edits.countRejected(), "event rejected", "events rejected"]];
    const parts = counts.filter(([n]) => n).map(([n, one, many]) => `${n} ${n === 1 ? one : many}`);
    const any = edits.count() + edits.countScored() > 0;
    $("edits").hidden = !any;
    $("n-edits").textContent = parts.length ? `${parts.join(", ")} changed` : "no change";
    $("unsaved").textContent = edits.isUnsaved() ? "Not saved to a file yet." : any ? "Saved." : "";
    $("storage").textContent = edits.storage;
    $("undo").disabled = !edits.canUndo();
    $("redo").disabled = !edits.canRedo();
    $("save-events").hidden = !(edits.countArousals() + edits.countRejected());
    $("command").textContent = commandLine();
    document.documentElement.classList.toggle("edited", edits.countStages() > 0);
    tellStatistics();
  }

  function commandLine() {
    const quote = (word) => (/^[\w./:=@,+-]+$/.test(word) ? word : "'" + word.replace(/'/g, "'\\''") + "'");
    const words = ["eegsleep", "score", night.file || night.id + ".edf", ...night.options];
    if (edits.countStages() || edits.countScored()) words.push("--hypnogram", "hypnogram-edited.csv");
    if (edits.countArousals() + edits.countRejected()) words.push("--events", "events-edited.csv");
    return words.map(quote).join(" ");
  }

  function tellStatistics() {
    const first = Math.max(0, Math.floor(night.lights.off_s / EPOCH_S));
    const stop = Math.min(n_epochs, Math.ceil(night.lights.on_s / EPOCH_S));
    const before = eegsleep.measureSleep(edits.shown.slice(first, stop));
    const now = eegsleep.measureSleep(edits.letters().slice(first, stop));
    eegsleep.statistics = { before, now };
    const rows = [];
    for (const [name, label, unit, decimals, needs] of eegsleep.SLEEP_STATISTICS) {
      const unknown = (needs && !night.lights.on_known && (needs === "on" || !night.lights.known));
      const [b, n] = [before[name], now[name]].map((value) => (unknown ? NaN : value));
      const number = (value, sign) => (value === value ? (sign && value > 0 ? "+" : "") + minus(value.toFixed(decimals)) : "–");
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = label + (unit ? `, ${unit}` : "");
      row.append(head, ...[number(b), number(n), number(n - b, true)].map((text) => {
        const cell = document.createElement("td");
        cell.className = "number";
        cell.textContent = text;
        return cell;
      }));
      row.classList.toggle("moved", b === b && n === n && b !== n);
      rows.push(row);
      const card = document.querySelector(`.card[data-marker="${name}"]`);
      if (card) tellCard(card, number(n), n - b, number(n - b, true));
    }
    $("statistics").replaceChildren(...rows);
    const scored = edits.shown.map((_, epoch) => (edits.isScored(epoch) ? edits.stageAt(epoch) : "X"));
    const agreement = eegsleep.measureAgreement(scored, edits.shown);
    $("blind-agreement").textContent = agreement.n && !state.blind
      ? `Of the ${agreement.n} epochs you scored, ${Math.round(100 * agreement.share)} % have the stage this page came with` +
        (agreement.n >= 20 && agreement.kappa === agreement.kappa ? ` (kappa ${agreement.kappa.toFixed(2)}).` : ".")
      : "";
  }

  function tellCard(card, value, difference, words) {
    const number = card.querySelector(".number");
    if (!("was" in number.dataset)) number.dataset.was = number.textContent;
    const moved = edits.countStages() > 0 && difference === difference && difference !== 0;
    number.textContent = moved ? value : number.dataset.was;
    card.querySelector(".delta").textContent = moved ? `${words} by edits` : "";
  }

  // ---- moving --------------------------------------------------------------------------------------------------

  function clampWindow() {
    state.span_s = Math.min(Math.max(state.span_s, 2), whole_s);
    state.from_s = Math.min(Math.max(0, state.from_s), Math.max(0, whole_s - state.span_s));
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
    clampWindow();
    loadWindow();
    schedule({ traces: true });
    if (!quiet) {
      current = model();
      announce(`${clock.full(at)}, epoch ${next + 1}, ${describeStage(next)}`);
    }
  }

  function setSpan(span_s, middle_s) {
    const wanted = Math.min(Math.max(span_s, 2), whole_s);
    const epoch_s = state.epoch * EPOCH_S;
    const inside = epoch_s >= state.from_s && epoch_s < state.from_s + state.span_s;
    const middle = middle_s !== undefined ? middle_s : inside ? epoch_s + EPOCH_S / 2 : state.from_s + state.span_s / 2;
    const share = middle_s !== undefined ? (middle_s - state.from_s) / state.span_s : 0.5;
    state.from_s = wanted === EPOCH_S && middle_s === undefined ? Math.floor(middle / EPOCH_S) * EPOCH_S : middle - share * wanted;
    state.span_s = wanted;
    clampWindow();
    loadWindow();
    tellTools();
    schedule({ traces: true });
  }

  const stepSpan = (way, middle_s) => {
    const options = [...SPANS_S.filter((s) => s < whole_s), whole_s];
    const next = way > 0 ? options.find((s) => s > state.span_s + 0.01) : options.filter((s) => s < state.span_s - 0.01).pop();
    if (next) setSpan(next, middle_s);
  };

  function stepGain(way) {
    const next = way > 0 ? GAINS.find((g) => g > state.gain + 1e-9) : GAINS.filter((g) => g < state.gain - 1e-9).pop();
    if (next) state.gain = next;
    tellTools();
    schedule({ traces: true });
  }

  function moveWindow(from_s) {
    state.from_s = from_s;
    clampWindow();
    const middle = state.from_s + state.span_s / 2;
    state.epoch = Math.min(n_epochs - 1, Math.floor(state.span_s <= EPOCH_S ? (state.from_s + 1e-6) / EPOCH_S : middle / EPOCH_S));
    state.anchor = null;
    loadWindow();
    schedule({ traces: true });
  }

  function loadWindow() {
    if (!trace) return;
    const [from_s, to_s] = [state.from_s, state.from_s + state.span_s];
    if (!trace.isReady(from_s, to_s)) trace.load(from_s, to_s, false).then(() => schedule({ traces: true }));
  }

  // The next epoch after this one for which `holds`, from the beginning again where there is none after it.
  function seek(holds, words) {
    for (let step = 1; step <= n_epochs; step += 1) {
      const epoch = (state.epoch + step) % n_epochs;
      if (inNight(epoch) && holds(epoch)) {
        select(epoch);
        return;
      }
    }
    announce(`There is no ${words}.`);
    flash(`There is no ${words}.`);
  }

  let flashing = 0;
  function flash(words) {
    const place = $("flash");
    place.textContent = words;
    place.hidden = false;
    clearTimeout(flashing);
    flashing = setTimeout(() => { place.hidden = true; }, 2500);
  }

  function setStage(letter) {
    const [first, last] = selected();
    edits.setStages(first, last, letter, state.blind);
    state.anchor = null;
    if (last + 1 < n_epochs) select(last + 1, { quiet: true });
    current = model();
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
    state.from_s = event.peak_s - state.span_s / 2;
    state.cursor_s = null;
    clampWindow();
    loadWindow();
    tellTools();
    schedule({ traces: true });
    $("bench-tools").scrollIntoView({ block: "nearest" });
    announce(`${event.kind} on ${event.channel}, ${clock.full(event.peak_s, { decimals: 1 })}`);
  }

  function stepEvent(way) {
    const shown = events.filter((event) => state.marks[event.mark]);
    const at = events.find((event) => event.name === state.event);
    const time = at ? at.peak_s : state.epoch * EPOCH_S;
    const rest = way > 0 ? shown.filter((e) => e.peak_s > time) : shown.filter((e) => e.peak_s < time).reverse();
    if (rest.length) openEvent(rest.reduce((best, e) => (Math.abs(e.peak_s - time) < Math.abs(best.peak_s - time) ? e : best)));
  }

  function rejectEvent() {
    if (!state.event) {
      flash("Choose an event first: click its mark, or press ].");
      return;
    }
    edits.toggleRejected(state.event);
    announce(edits.isRejected(state.event) ? "event rejected" : "event taken back");
  }

  function setBlind(blind) {
    state.blind = blind;
    document.documentElement.classList.toggle("blind", blind);
    tellTools();
    tellEdits();
    schedule({ panels: true });
  }

  function tellTools() {
    $("span").value = String(state.span_s);
    if ($("span").selectedIndex < 0) {
      const own = $("span").querySelector("[data-own]");
      own.value = String(state.span_s);
      own.textContent = state.span_s >= 600 ? `${Math.round(state.span_s / 60)} min` : `${Math.round(state.span_s)} s`;
      own.hidden = false;
      $("span").value = own.value;
    }
    $("filter").value = state.filter;
    $("gain").textContent = `×${state.gain}`;
    $("blind").setAttribute("aria-pressed", String(state.blind));
    for (const [name, on] of Object.entries(state.marks)) {
      const box = document.querySelector(`[data-mark="${name}"]`);
      if (box) box.checked = on;
    }
  }

  // ---- keys ----------------------------------------------------------------------------------------------------

  const KEYS = {
    ArrowRight: (e) => select(state.epoch + 1, { extend: e.shiftKey }),
    ArrowLeft: (e) => select(state.epoch - 1, { extend: e.shiftKey }),
    ArrowUp: () => stepGain(1),
    ArrowDown: () => stepGain(-1),
    PageDown: () => moveWindow(state.from_s + state.span_s),
    PageUp: () => moveWindow(state.from_s - state.span_s),
    Home: (e) => select(0, { extend: e.shiftKey }),
    End: (e) => select(n_epochs - 1, { extend: e.shiftKey }),
    "+": () => stepSpan(-1),
    "=": () => stepSpan(-1),
    "-": () => stepSpan(1),
    w: () => setStage("W"),
    1: () => setStage("1"),
    2: () => setStage("2"),
    3: () => setStage("3"),
    r: () => setStage("R"),
    x: () => setStage("X"),
    z: (e) => undo(e.shiftKey ? edits.redo : edits.undo),
    y: () => undo(edits.redo),
    u: () => seek((epoch) => unsureEpochs[epoch] && !state.blind, "unsure epoch"),
    d: () => seek((epoch) => current.differs[epoch] && !state.blind, other ? "epoch that differs" : "other scoring to differ from"),
    n: () => seek((epoch) => current.letters[epoch] === $("next-stage").value, "epoch of that stage"),
    a: () => edits.toggleArousal(state.cursor_s === null ? state.epoch * EPOCH_S : state.cursor_s),
    f: () => {
      state.filter = FILTERS[(FILTERS.indexOf(state.filter) + 1) % FILTERS.length];
      tellTools();
      schedule({ traces: true });
    },
    b: () => setBlind(!state.blind),
    s: () => saveStages(),
    "[": () => stepEvent(-1),
    "]": () => stepEvent(1),
    Delete: () => rejectEvent(),
    Backspace: () => rejectEvent(),
    "?": () => $("help").showModal(),
    Escape: () => {
      state.anchor = null;
      state.event = "";
      schedule({ traces: true });
    }
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
    if (event.target.closest("input, select, textarea, summary, [contenteditable]")) return;
    const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    if (event.target.closest(".scroll") && /^(Arrow|Page|Home|End)/.test(event.key)) return;
    event.preventDefault();
    action(event);
  });

  // ---- pointer -------------------------------------------------------------------------------------------------

  function place(event, canvas) {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  // One finger or the mouse drags, two fingers pinch. `drag(start, dx)` and `pinch(factor, middle px)`.
  function follow(canvas, { down, drag, tap, hover, pinch }) {
    const fingers = new Map();
    let start = null;
    let apart = 0;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      fingers.set(event.pointerId, event.clientX);
      canvas.setPointerCapture(event.pointerId);
      if (fingers.size === 1) start = { x: event.clientX, moved: false, at: place(event, canvas), held: down(place(event, canvas)[0]) };
      else apart = span();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) {
        if (event.pointerType === "mouse") hover(place(event, canvas)[0]);
        return;
      }
      fingers.set(event.pointerId, event.clientX);
      if (fingers.size >= 2) {
        const now = span();
        if (apart > 10 && now > 10) pinch(apart / now, middle() - canvas.getBoundingClientRect().left);
        apart = now;
        start.moved = true;
        return;
      }
      if (Math.abs(event.clientX - start.x) > 4) start.moved = true;
      if (start.moved) drag(start.held, event.clientX - start.x);
    });
    const lift = (event) => {
      if (!fingers.delete(event.pointerId) || fingers.size) return;
      if (!start.moved && event.type === "pointerup") tap(...start.at, event);
    };
    canvas.addEventListener("pointerup", lift);
    canvas.addEventListener("pointercancel", lift);
    canvas.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "mouse" || fingers.size) return;
      state.cursor_s = null;
      schedule();
    });
    const xs = () => Array.from(fingers.values());
    const span = () => Math.abs(xs()[0] - xs()[1]);
    const middle = () => (xs()[0] + xs()[1]) / 2;
  }

  function zoomRange(factor, middle_s) {
    const { from_s, to_s } = state.range;
    const span = Math.min(whole_s, Math.max(600, (to_s - from_s) * factor));
    const share = (middle_s - from_s) / (to_s - from_s);
    const from = Math.min(Math.max(0, middle_s - share * span), whole_s - span);
    state.range = { from_s: from, to_s: from + span };
    schedule({ panels: true });
  }

  function followOverview(part) {
    const canvas = $("over-" + part);
    const seconds = (px) => eegsleep.secondsAt(layouts[part], state.range, px);
    const perPixel = () => (state.range.to_s - state.range.from_s) / layouts[part].inner;
    follow(canvas, {
      down: (px) => ({ from_s: state.from_s, inside: seconds(px) >= state.from_s - 6 * perPixel() && seconds(px) <= state.from_s + state.span_s + 6 * perPixel(), at: seconds(px) }),
      drag(held, dx) {
        moveWindow((held.inside ? held.from_s : held.at - state.span_s / 2) + dx * perPixel());
      },
      tap: (px, _, event) => select(Math.floor(seconds(px) / EPOCH_S), { extend: event.shiftKey }),
      hover(px) {
        state.cursor_s = seconds(px);
        schedule();
      },
      pinch: (factor, px) => zoomRange(factor, seconds(px))
    });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoomRange(event.deltaY > 0 ? 1.25 : 0.8, seconds(place(event, canvas)[0]));
    }, { passive: false });
  }

  function followTrace() {
    const canvas = $("over-trace");
    const seconds = (px) => state.from_s + Math.min(1, Math.max(0, (px - layouts.trace.left) / layouts.trace.inner)) * state.span_s;
    follow(canvas, {
      down: () => state.from_s,
      drag: (from_s, dx) => moveWindow(from_s - (dx / layouts.trace.inner) * state.span_s),
      tap(px, py, event) {
        const at = seconds(px);
        const lane = layouts.trace.lanes.find((l) => py >= l.y && py <= l.y + l.height);
        const hit = lane && !state.blind && eegsleep.eventsWithin(events, at, at + 1e-6).find((e) => e.channel === lane.label && state.marks[e.mark]);
        state.event = hit ? hit.name : "";
        if (hit) announce(`${hit.kind} on ${hit.channel}`);
        const epoch = Math.min(n_epochs - 1, Math.floor(at / EPOCH_S));
        if (event.shiftKey && state.anchor === null) state.anchor = state.epoch;
        else if (!event.shiftKey) state.anchor = null;
        state.epoch = epoch;
        state.cursor_s = at;
        schedule({ traces: true });
      },
      hover(px) {
        state.cursor_s = seconds(px);
        schedule();
      },
      pinch: (factor, px) => setSpan(state.span_s * factor, seconds(px))
    });
    canvas.addEventListener("wheel", (event) => {
      if (event.ctrlKey) {
        event.preventDefault();
        stepSpan(event.deltaY > 0 ? 1 : -1, seconds(place(event, canvas)[0]));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        moveWindow(state.from_s + Math.sign(event.deltaX || event.deltaY) * state.span_s * 0.1);
      }
    }, { passive: false });
  }

  // ---- files ---------------------------------------------------------------------------------------------------

  function saveStages() {
    eegsleep.download("hypnogram-edited.csv", edits.hypnogramCsv(), "text/csv");
    if (edits.countArousals() + edits.countRejected()) eegsleep.download("events-edited.csv", edits.eventsCsv(events), "text/csv");
    edits.markSaved();
  }

  const ACTIONS = {
    undo: () => undo(edits.undo),
    redo: () => undo(edits.redo),
    unsure: KEYS.u,
    differs: KEYS.d,
    next: KEYS.n,
    arousal: KEYS.a,
    back: KEYS.ArrowLeft,
    on: KEYS.ArrowRight,
    "span-less": () => stepSpan(-1),
    "span-more": () => stepSpan(1),
    "gain-less": () => stepGain(-1),
    "gain-more": () => stepGain(1),
    blind: () => setBlind(!state.blind),
    help: () => $("help").showModal(),
    "range-in": () => zoomRange(0.5, (state.epoch + 0.5) * EPOCH_S),
    "range-out": () => zoomRange(2, (state.range.from_s + state.range.to_s) / 2),
    "range-all": () => {
      state.range = { from_s: 0, to_s: whole_s };
      schedule({ panels: true });
    },
    save: saveStages,
    "save-edf": () => eegsleep.download("hypnogram-edited.edf", edits.edf(), "application/octet-stream"),
    "save-events": () => {
      eegsleep.download("events-edited.csv", edits.eventsCsv(events), "text/csv");
      edits.markSaved();
    },
    discard: () => {
      edits.discard();
      flash("All changes are undone. Z brings them back.");
    },
    copy: () => navigator.clipboard.writeText($("command").textContent).then(() => flash("Copied."), () => flash("The browser did not allow it; select the text instead.")),
    "overview-png": () => saveOverview(eegsleep.savePng),
    "overview-svg": () => saveOverview(eegsleep.saveSvg),
    "overview-csv": () => eegsleep.download(night.id + "-night.csv", eegsleep.nightCsv(night, model()), "text/csv"),
    "trace-png": () => saveTrace(eegsleep.savePng),
    "trace-svg": () => saveTrace(eegsleep.saveSvg),
    "trace-csv": () => (state.span_s > 600 ? flash("Choose a window of up to 10 minutes first.") : eegsleep.download(night.id + "-trace.csv", eegsleep.traceCsv(trace, model()), "text/csv")),
    theme: nextTheme,
    reject: rejectEvent
  };

  function saveOverview(save) {
    const shown = model();
    const layout = eegsleep.layoutOverview(night, shown, 1200, "all");
    save(night.id + "-night", layout.width, layout.height, (pen) => eegsleep.drawOverview(pen, night, shown, layout, colours), colours.paper);
  }

  function saveTrace(save) {
    const layout = eegsleep.layoutTraces(trace, 1200, state.hidden);
    save(night.id + "-trace", layout.width, layout.height, (pen) => eegsleep.drawTraces(pen, night, trace, model(), layout, colours), colours.paper);
  }

  // ---- theme, print --------------------------------------------------------------------------------------------

  function showTheme() {
    $("theme").textContent = `Theme: ${document.documentElement.dataset.theme}`;
    resetColours();
  }

  function nextTheme() {
    const at = eegsleep.THEMES.indexOf(document.documentElement.dataset.theme);
    eegsleep.chooseTheme(eegsleep.THEMES[(at + 1) % eegsleep.THEMES.length]);
    showTheme();
  }

  // Paper is white: the panels are drawn anew in the light theme, at three times the pixels.
  window.addEventListener("beforeprint", () => {
    if (printing) return;
    printing = true;
    document.documentElement.dataset.shade = "light";
    colours = eegsleep.readColours();
    current = { ...model(), range: nightRange() };
    for (const part of ["top", "rest"]) {
      const layout = eegsleep.layoutOverview(night, current, 700, part);
      eegsleep.drawOverview(eegsleep.canvasPen($("base-" + part), 700, layout.height, 3), night, current, layout, colours);
    }
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    eegsleep.applyTheme();
    resetColours();
  });
  window.addEventListener("beforeunload", (event) => {
    if (edits.isUnsaved()) event.preventDefault();
  });

  // ---- start ---------------------------------------------------------------------------------------------------

  function openTrace(data) {
    trace = eegsleep.openTrace(data);
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

  function start() {
    for (const [name, action] of Object.entries(ACTIONS)) {
      for (const button of document.querySelectorAll(`[data-do="${name}"]`)) button.addEventListener("click", (event) => action(event));
    }
    for (const button of document.querySelectorAll("[data-stage]")) button.addEventListener("click", () => setStage(button.dataset.stage));
    for (const box of document.querySelectorAll("[data-mark]")) {
      box.addEventListener("change", () => {
        state.marks[box.dataset.mark] = box.checked;
        schedule({ traces: true });
      });
    }
    for (const button of document.querySelectorAll("[data-show]")) {
      button.addEventListener("click", () => list.show(button.dataset.show, button.dataset.channel));
    }
    for (const link of document.querySelectorAll("[data-epoch]")) {
      link.addEventListener("click", () => select(Number(link.dataset.epoch)));
    }
    $("span").addEventListener("change", () => setSpan(Number($("span").value)));
    $("filter").addEventListener("change", () => {
      state.filter = $("filter").value;
      schedule({ traces: true });
    });
    $("scorer").value = edits.scorer;
    $("scorer").addEventListener("input", () => { edits.scorer = $("scorer").value; });
    edits.listen(() => {
      tellEdits();
      if (list) list.draw();
      schedule({ panels: true });
    });
    if ($("event-list")) list = eegsleep.makeEventList($("event-list"), events, { clock, edits, open: openEvent });
    followOverview("top");
    followOverview("rest");
    followTrace();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", resetColours);
    showTheme();
    state.from_s = state.epoch * EPOCH_S;
    clampWindow();
    const asked = /^#epoch-(\d+)$/.exec(window.location.hash);
    if (asked) select(Number(asked[1]) - 1, { quiet: true });
    tellTools();
    tellEdits();
    new ResizeObserver(() => {
      schedule({ panels: true });
      drawEvents();
    }).observe($("overview"));
    window.addEventListener("hashchange", () => {
      const found = /^#epoch-(\d+)$/.exec(window.location.hash);
      if (found) select(Number(found[1]) - 1);
    });
    draw();
    performance.mark("overview");
    document.addEventListener("DOMContentLoaded", findTrace);
  }

  // The signal comes last in the page, or in a file beside it, so that all else is there before it is read.
  function findTrace() {
    const inline = $("trace-data");
    if (inline) openTrace(JSON.parse(inline.textContent));
    else if (eegsleep.traceData) openTrace(eegsleep.traceData);
    else if ($("trace-waiting").dataset.missing) $("trace-waiting").textContent = $("trace-waiting").dataset.missing;
  }

  // For the tests of the page: what is looked at, without a way to change it but those a reader has.
  eegsleep.look = () => ({ ...state, range: { ...state.range }, letters: edits.letters().join(""), edits: edits.count(), selection: selected(), layouts });

  if (n_epochs) start();
})(window.eegsleep = window.eegsleep || {});
