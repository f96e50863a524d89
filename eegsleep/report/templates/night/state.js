// What is looked at on the page of a night, and what follows from the tables and the changes: no drawing, no document.
(function (eegsleep) {
  "use strict";

  const EPOCH_S = 30;
  eegsleep.EPOCH_S = EPOCH_S;

  // Unbroken stretches of true, as first and one past the last.
  function stretches(flags) {
    const found = [];
    flags.forEach((flag, i) => {
      if (!flag) return;
      const last = found[found.length - 1];
      if (last && last[1] === i) last[1] = i + 1;
      else found.push([i, i + 1]);
    });
    return found;
  }

  eegsleep.makeBench = function (night) {
    const clock = eegsleep.makeClock(night.start);
    const edits = eegsleep.makeEdits(night);
    const events = eegsleep.readEvents(night);
    const n_epochs = night.stages.length;
    const whole_s = Math.max(night.duration_s, EPOCH_S);
    const probabilities = night.probabilities ? eegsleep.unpackBytes(night.probabilities) : null;
    const other = night.reference || night.before;
    const { off_s, on_s } = night.lights;
    const lights = [Math.max(0, Math.floor(off_s / EPOCH_S)), Math.min(n_epochs, Math.ceil(on_s / EPOCH_S))];

    function confidence(epoch) {
      if (!probabilities || probabilities[epoch * 5] === 255) return NaN;
      return Math.max(...probabilities.subarray(epoch * 5, epoch * 5 + 5)) / 250;
    }

    // A recording of a whole day opens on its night.
    function nightRange() {
      if (whole_s <= 14 * 3600) return { from_s: 0, to_s: whole_s };
      return { from_s: Math.max(0, off_s - 1800), to_s: Math.min(whole_s, on_s + 1800) };
    }

    const inNight = (epoch) => epoch >= lights[0] && epoch < lights[1];
    const unsure = Array.from({ length: n_epochs }, (_, epoch) => confidence(epoch) < night.unsure_below);
    const shaded = stretches(unsure.map((flag, epoch) => flag && inNight(epoch)));

    // `anchor` is where a range of epochs began; `cursor_s` where the pointer is, if it is on a figure.
    const state = {
      epoch: Math.max(0, Math.min(lights[0], n_epochs - 1)), anchor: null, from_s: 0, span_s: EPOCH_S, gain: 1,
      filter: "recorded", blind: false, cursor_s: null, event: "", range: nightRange(),
      marks: { spindles: true, waves: true, complexes: true, eyes: true, annotations: true }
    };

    function selected() {
      if (state.anchor === null) return [state.epoch, state.epoch];
      return [Math.min(state.anchor, state.epoch), Math.max(state.anchor, state.epoch)];
    }

    function cyclesOf(letters) {
      if (!edits.countStages()) return night.cycles.map(([a, b, complete]) => [a / EPOCH_S, b / EPOCH_S, complete]);
      return eegsleep.findCycles(letters.slice(lights[0])).map(([a, b, done]) => [a + lights[0], b + lights[0], done]);
    }

    // Everything the figures need to know, at this moment.
    function model() {
      const letters = state.blind
        ? edits.shown.map((_, epoch) => (edits.isScored(epoch) ? edits.stageAt(epoch) : "X"))
        : edits.letters();
      const differs = (letter, epoch) => other[epoch] !== "X" && letter !== "X" && other[epoch] !== letter;
      return {
        clock, letters, cycles: cyclesOf(letters), unsure: shaded, probabilities, events,
        shown: edits.shown, original: edits.original,
        edited: new Set(edits.shown.map((_, epoch) => epoch).filter(edits.isEdited)),
        other, otherTitle: night.reference ? "Expert" : "Before edits", otherShort: night.reference ? "expert" : "before",
        differs: other ? letters.map(differs) : [],
        arousals: edits.arousals(), isRejected: edits.isRejected, selection: selected(), ...state,
        window: { from_s: state.from_s, to_s: state.from_s + state.span_s }
      };
    }

    return {
      night, clock, edits, events, n_epochs, whole_s, probabilities, other, lights, state, unsure,
      confidence, inNight, nightRange, selected, model,
      layouts: {}, current: null, trace: null, colours: null
    };
  };
})(window.eegsleep = window.eegsleep || {});
