// What the page of a night says in words while it is worked on: the readout, the changes and what they change.
(function (eegsleep) {
  "use strict";

  const $ = (id) => document.getElementById(id);
  const minus = (text) => text.replace("-", "−");

  // A screen reader hears where the keys have led.
  eegsleep.announce = function (words) {
    $("said").textContent = words;
  };

  let flashing = 0;
  eegsleep.flash = function (words) {
    $("flash").textContent = words;
    $("flash").hidden = false;
    clearTimeout(flashing);
    flashing = setTimeout(() => { $("flash").hidden = true; }, 2500);
  };

  eegsleep.describeStage = function (bench, epoch) {
    const { edits, state, confidence, current } = bench;
    const name = eegsleep.STAGE_NAMES[current.letters[epoch]];
    if (state.blind) return edits.isScored(epoch) ? name : "not scored yet";
    if (edits.isEdited(epoch)) return `${name} (was ${eegsleep.STAGE_NAMES[edits.shown[epoch]]})`;
    const sure = confidence(epoch);
    return name + (Number.isNaN(sure) ? "" : ` ${Math.round(100 * sure)} %`);
  };

  // Clock, epoch, stage and values at the cursor, or at the epoch in hand.
  eegsleep.tellReadout = function (bench) {
    const { night, clock, state, current, n_epochs, other } = bench;
    const at = state.cursor_s === null ? state.epoch * eegsleep.EPOCH_S : state.cursor_s;
    const epoch = Math.min(n_epochs - 1, Math.max(0, Math.floor(at / eegsleep.EPOCH_S)));
    const parts = [clock.full(at), `${clock.elapsed(at)} in`, `epoch ${epoch + 1} of ${n_epochs}`];
    parts.push(eegsleep.describeStage(bench, epoch));
    if (!state.blind && other?.[epoch]) parts.push(`${current.otherShort} ${eegsleep.STAGE_NAMES[other[epoch]]}`);
    for (const [name, label] of [["swa", "SWA"], ["sigma", "sigma"]]) {
      const level = night.power?.[name][epoch];
      if (Number.isFinite(level)) parts.push(`${label} ${minus(level.toFixed(1))} dB`);
    }
    $("readout").replaceChildren(...[...parts, ...microvolts(bench), ...setAside(night, epoch)].map((part, i) => {
      const span = document.createElement(i === 3 ? "b" : "span");
      span.textContent = part;
      return span;
    }));
  };

  function setAside(night, epoch) {
    return Object.entries(night.quality).flatMap(([label, stretches]) => {
      const here = stretches.find(([first, n]) => epoch >= first && epoch < first + n);
      return here ? [`${label} set aside: ${here[3]}`] : [];
    });
  }

  function microvolts({ trace, state, layouts }) {
    const at = state.cursor_s;
    if (at === null || !trace || at < state.from_s || at > state.from_s + state.span_s) return [];
    return layouts.trace.lanes.flatMap((lane) => {
      const uv = trace.layerOf(lane.row, state.filter, at, at).samples[Math.round(at * trace.rate_hz)];
      return Number.isFinite(uv) ? [`${lane.label} ${minus(uv.toFixed(1))} µV`] : [];
    });
  }

  eegsleep.tellEdits = function (bench) {
    const { edits } = bench;
    const counts = [
      [edits.countStages(), "epoch", "epochs"],
      [edits.countArousals(), "arousal", "arousals"],
      [edits.countRejected(), "event rejected", "events rejected"]
    ];
    const parts = counts.filter(([n]) => n).map(([n, one, many]) => `${n} ${n === 1 ? one : many}`);
    const any = edits.count() + edits.countScored() > 0;
    $("edits").hidden = !any;
    $("n-edits").textContent = parts.length ? `${parts.join(", ")} changed` : "none";
    $("unsaved").textContent = edits.isUnsaved() ? "Not saved to a file yet." : any ? "Saved." : "";
    $("storage").textContent = edits.storage;
    $("undo").disabled = !edits.canUndo();
    $("redo").disabled = !edits.canRedo();
    $("save-events").hidden = !(edits.countArousals() + edits.countRejected());
    $("command").textContent = commandLine(bench);
    document.documentElement.classList.toggle("edited", edits.countStages() > 0);
    tellStatistics(bench);
    tellBlindAgreement(bench);
  };

  function commandLine({ night, edits }) {
    const quote = (word) => (/^[\w./:=@,+-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`);
    const words = ["eegsleep", "score", night.file || `${night.id}.edf`, ...night.options];
    if (edits.countScored()) words.push("--hypnogram", "hypnogram-edited.csv");
    if (edits.countArousals() + edits.countRejected()) words.push("--events", "events-edited.csv");
    return words.map(quote).join(" ");
  }

  // Sleep statistics before and after the changes; the cards at the top of the page follow them.
  function tellStatistics({ night, edits, lights }) {
    const [before, now] = [edits.shown, edits.letters()].map((l) => eegsleep.measureSleep(l.slice(...lights)));
    const { known, on_known } = night.lights;
    eegsleep.statistics = { before, now };
    const rows = eegsleep.SLEEP_STATISTICS.map(([name, label, unit, decimals, needs]) => {
      const unknown = (needs === "on" && !on_known) || (needs === "off" && !known);
      const [b, n] = unknown ? [NaN, NaN] : [before[name], now[name]];
      const write = (value, sign) => (Number.isNaN(value) ? "–" : (sign && value > 0 ? "+" : "") + minus(value.toFixed(decimals)));
      const texts = [write(b), write(n), write(n - b, true)];
      const card = document.querySelector(`.card[data-marker="${name}"]`);
      if (card) tellCard(card, edits.countStages() > 0 && n - b !== 0 && !Number.isNaN(n - b), texts[1], texts[2]);
      return statisticRow(unit ? `${label}, ${unit}` : label, texts, !Number.isNaN(n - b) && n !== b);
    });
    $("statistics").replaceChildren(...rows);
  }

  function statisticRow(label, texts, moved) {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = label;
    row.append(head, ...texts.map((text) => {
      const cell = document.createElement("td");
      cell.className = "number";
      cell.textContent = text;
      return cell;
    }));
    row.classList.toggle("moved", moved);
    return row;
  }

  function tellCard(card, moved, value, difference) {
    const number = card.querySelector(".number");
    if (!("was" in number.dataset)) number.dataset.was = number.textContent;
    number.textContent = moved ? value : number.dataset.was;
    card.querySelector(".delta").textContent = moved ? `${difference} by edits` : "";
  }

  // The range of the same person's other nights, which a batch leaves beside its folders.
  eegsleep.tellUsual = function ({ night }) {
    for (const [column, [low, high, n]] of Object.entries(eegsleep.usual?.[night.id] || {})) {
      const card = document.querySelector(`.card[data-column="${column.replace(/["\\]/g, "\\$&")}"]`);
      if (!card) continue;
      const write = (value) => minus(value.toFixed(Number(card.dataset.decimals)));
      card.querySelector(".usual").textContent = `own nights ${write(low)} to ${write(high)} (${n})`;
    }
  };

  function tellBlindAgreement({ edits, state }) {
    const scored = edits.shown.map((_, epoch) => (edits.isScored(epoch) ? edits.stageAt(epoch) : "X"));
    const { n, share, kappa } = eegsleep.measureAgreement(scored, edits.shown);
    const blindly = edits.countScored() > edits.countStages(); // only blind scoring keeps a stage that is the same
    const tail = n >= 20 && !Number.isNaN(kappa) ? ` (kappa ${kappa.toFixed(2)}).` : ".";
    $("blind-agreement").textContent = blindly && !state.blind
      ? `Of the ${n} epochs you scored, ${Math.round(100 * share)} % have the stage this page came with${tail}`
      : "";
  }

  // The controls show what is looked at.
  eegsleep.tellTools = function ({ state }) {
    const span = $("span");
    span.value = String(state.span_s);
    if (span.selectedIndex < 0) {
      const own = span.querySelector("[data-own]");
      own.value = String(state.span_s);
      own.textContent = state.span_s >= 600 ? `${Math.round(state.span_s / 60)} min` : `${Math.round(state.span_s)} s`;
      own.hidden = false;
      span.value = own.value;
    }
    $("filter").value = state.filter;
    $("gain").textContent = `×${state.gain}`;
    $("blind").setAttribute("aria-pressed", String(state.blind));
    for (const box of document.querySelectorAll("[data-mark]")) box.checked = state.marks[box.dataset.mark];
  };
})(window.eegsleep = window.eegsleep || {});
