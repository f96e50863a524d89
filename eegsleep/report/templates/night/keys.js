// The keys of the page; `KEYS` in eegsleep/report/night_words.py is the list that the reader sees.
(function (eegsleep) {
  "use strict";

  const FILTERS = ["recorded", "wide", "sigma"];
  const SCROLLING = /^(ArrowUp|ArrowDown|PageUp|PageDown)$/;
  // Where keys belong to the control that has the focus.
  const OWN_KEYS = "input, select, textarea, summary, [contenteditable]";

  eegsleep.makeKeys = function (bench) {
    const { edits, state, page, n_epochs, other, unsure } = bench;
    return {
      ArrowRight: (e) => page.select(state.epoch + 1, { extend: e.shiftKey }),
      ArrowLeft: (e) => page.select(state.epoch - 1, { extend: e.shiftKey }),
      ArrowUp: () => page.stepGain(1),
      ArrowDown: () => page.stepGain(-1),
      PageDown: () => page.moveWindow(state.from_s + state.span_s),
      PageUp: () => page.moveWindow(state.from_s - state.span_s),
      Home: (e) => page.select(0, { extend: e.shiftKey }),
      End: (e) => page.select(n_epochs - 1, { extend: e.shiftKey }),
      "+": () => page.stepSpan(-1),
      "=": () => page.stepSpan(-1),
      "-": () => page.stepSpan(1),
      w: () => page.setStage("W"),
      1: () => page.setStage("1"),
      2: () => page.setStage("2"),
      3: () => page.setStage("3"),
      r: () => page.setStage("R"),
      x: () => page.setStage("X"),
      z: (e) => page.undo(e.shiftKey ? edits.redo : edits.undo),
      y: () => page.undo(edits.redo),
      u: () => page.seek((epoch) => unsure[epoch] && !state.blind, "unsure epoch"),
      d: () => page.seek((epoch) => bench.current.differs[epoch] && !state.blind, other ? "epoch that differs" : "other scoring to differ from"),
      n: () => page.seek((epoch) => bench.current.letters[epoch] === document.getElementById("next-stage").value, "epoch of that stage"),
      a: () => edits.toggleArousal(state.cursor_s === null ? state.epoch * eegsleep.EPOCH_S : state.cursor_s),
      f: () => page.setFilter(FILTERS[(FILTERS.indexOf(state.filter) + 1) % FILTERS.length]),
      b: () => page.setBlind(!state.blind),
      s: page.save,
      "[": () => page.stepEvent(-1),
      "]": () => page.stepEvent(1),
      Delete: page.rejectEvent,
      Backspace: page.rejectEvent,
      "?": page.help,
      Escape: page.letGo
    };
  };

  function isTraceInSight() {
    const { top, bottom } = document.getElementById("traces").getBoundingClientRect();
    const shown = Math.min(bottom, window.innerHeight) - Math.max(top, 0);
    return shown > 0.5 * Math.min(bottom - top, window.innerHeight);
  }

  eegsleep.followKeys = function (keys) {
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (event.target.closest(OWN_KEYS)) return;
      const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!action) return;
      // A table that scrolls keeps the keys that scroll, and so does the page while the trace is out of sight.
      if (event.target.closest(".scroll") && /^(Arrow|Page|Home|End)/.test(event.key)) return;
      if (SCROLLING.test(event.key) && !isTraceInSight()) return;
      event.preventDefault();
      action(event);
    });
  };
})(window.eegsleep = window.eegsleep || {});
