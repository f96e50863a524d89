// What a person changes on the page: stages, arousals and rejected events. The originals are never touched. Changes
// can be undone, are kept in the browser's storage under the hash of the recording, and are written out as files that
// `eegsleep score` reads.
(function (eegsleep) {
  "use strict";

  const NAMES = { W: "W", 1: "N1", 2: "N2", 3: "N3", R: "R", X: "UNS" };
  const EPOCH_S = 30;
  const AROUSAL_S = 3; // the shortest an arousal lasts (AASM manual)

  eegsleep.STAGE_NAMES = { W: "Wake", 1: "N1", 2: "N2", 3: "N3", R: "REM", X: "unscored" };

  // A cell of a CSV: quoted where it must be, and never a formula for a spreadsheet.
  function cell(value) {
    const text = String(value === null || value === undefined ? "" : value);
    const safe = /^[=+\-@\t\r]/.test(text) && !/^-?[\d.]+$/.test(text) ? "'" + text : text;
    return /[",\r\n]/.test(safe) ? '"' + safe.replace(/"/g, '""') + '"' : safe;
  }

  eegsleep.csv = (rows) => rows.map((row) => row.map(cell).join(",")).join("\n") + "\n";

  eegsleep.makeEdits = function (night) {
    const original = Array.from(night.before || night.stages);
    const shown = Array.from(night.stages); // what this page was made with
    const key = "eegsleep " + (night.input_sha256 || night.id);
    // stages: epoch to [letter, date]; arousals: tenths of seconds to date; rejected: name of an event to date
    const state = { stages: {}, arousals: {}, rejected: {}, scorer: "" };
    const done = [];
    const undone = [];
    const listeners = [];
    let saved = JSON.stringify(marks());
    let storage = "";

    function marks() {
      return [state.stages, state.arousals, state.rejected];
    }

    function restore() {
      try {
        const kept = JSON.parse(window.localStorage.getItem(key));
        if (!kept) return;
        for (const [epoch, [letter, date]] of Object.entries(kept.stages || {})) {
          if (Number(epoch) < shown.length && letter in NAMES) state.stages[epoch] = [letter, String(date)];
        }
        Object.assign(state.arousals, kept.arousals);
        Object.assign(state.rejected, kept.rejected);
        state.scorer = String(kept.scorer || "");
        saved = kept.saved || saved;
      } catch {
        storage = "This browser keeps no storage for pages from a disk: save before you leave.";
      }
    }

    function keep() {
      try {
        window.localStorage.setItem(key, JSON.stringify({ ...state, saved }));
        storage = "";
      } catch {
        storage = "The browser's storage took no more: save before you leave.";
      }
    }

    function tell() {
      keep();
      for (const listener of listeners) listener();
    }

    function put({ part, name }, value) {
      if (value === undefined) delete state[part][name];
      else state[part][name] = value;
    }

    // One step of undo: a list of { part, name, before, after }, undefined where there is nothing.
    function change(patch) {
      const real = patch.filter((p) => p.part !== "stages" || (p.before && p.before[0]) !== (p.after && p.after[0]));
      if (!real.length) return;
      for (const p of real) put(p, p.after);
      done.push(real);
      undone.length = 0;
      tell();
    }

    const now = () => new Date().toISOString().slice(0, 19) + "Z";
    const stageAt = (epoch) => (state.stages[epoch] ? state.stages[epoch][0] : shown[epoch]);
    const isEdited = (epoch) => epoch in state.stages && state.stages[epoch][0] !== shown[epoch];
    const countStages = () => Object.keys(state.stages).filter(isEdited).length;

    function toggle(part, name) {
      const before = state[part][name];
      change([{ part, name, before, after: before ? undefined : now() }]);
    }

    restore();

    return {
      original,
      shown,
      get storage() { return storage; },
      get scorer() { return state.scorer; },
      set scorer(name) {
        state.scorer = name;
        keep();
      },
      stageAt,
      letters: () => shown.map((_, epoch) => stageAt(epoch)),
      isEdited,
      isScored: (epoch) => epoch in state.stages,
      countStages,
      countScored: () => Object.keys(state.stages).length,
      countArousals: () => Object.keys(state.arousals).length,
      countRejected: () => Object.keys(state.rejected).length,
      count: () => countStages() + Object.keys(state.arousals).length + Object.keys(state.rejected).length,
      arousals: () => Object.keys(state.arousals).map((tenths) => Number(tenths) / 10).sort((a, b) => a - b),
      isRejected: (name) => name in state.rejected,
      isUnsaved: () => JSON.stringify(marks()) !== saved,
      canUndo: () => done.length > 0,
      canRedo: () => undone.length > 0,
      listen: (listener) => listeners.push(listener),
      // Scored blind, an epoch counts as scored even where the stage is the one it had.
      setStages(first, last, letter, blind) {
        const patch = [];
        for (let epoch = first; epoch <= last; epoch += 1) {
          const after = letter === shown[epoch] && !blind ? undefined : [letter, now()];
          patch.push({ part: "stages", name: epoch, before: state.stages[epoch], after });
        }
        change(patch);
      },
      toggleArousal(seconds) {
        const near = Object.keys(state.arousals).find((tenths) => Math.abs(tenths / 10 - seconds) < AROUSAL_S);
        toggle("arousals", near === undefined ? String(Math.round(seconds * 10)) : near);
      },
      toggleRejected: (name) => toggle("rejected", name),
      undo() {
        const patch = done.pop();
        if (!patch) return null;
        for (const p of patch) put(p, p.before);
        undone.push(patch);
        tell();
        return patch[0];
      },
      redo() {
        const patch = undone.pop();
        if (!patch) return null;
        for (const p of patch) put(p, p.after);
        done.push(patch);
        tell();
        return patch[0];
      },
      discard() {
        const patch = ["stages", "arousals", "rejected"].flatMap((part) =>
          Object.entries(state[part]).map(([name, before]) => ({ part, name, before, after: undefined })));
        if (!patch.length) return;
        for (const p of patch) put(p, undefined);
        done.push(patch);
        undone.length = 0;
        tell();
      },
      markSaved() {
        saved = JSON.stringify(marks());
        tell();
      },

      // Table `HYPNOGRAM_EDITED`: every epoch, what it was, and who changed it when.
      hypnogramCsv() {
        const head = ["epoch", "onset_s", "stage", "was", "scorer", "date", "input_sha256"];
        return eegsleep.csv([head, ...shown.map((_, epoch) => {
          const edit = state.stages[epoch];
          const differs = stageAt(epoch) !== original[epoch];
          return [epoch, epoch * EPOCH_S, NAMES[stageAt(epoch)], NAMES[original[epoch]],
            edit || differs ? state.scorer || "unnamed" : "", edit ? edit[1] : "", night.input_sha256];
        })]);
      },

      // Table `EVENTS_EDITED`: events that are not to be counted, and arousals.
      eventsCsv(events) {
        const head = ["kind", "channel", "onset_s", "duration_s", "peak_s", "verdict", "scorer", "date", "input_sha256"];
        const scorer = state.scorer || "unnamed";
        const rejected = events.filter((event) => event.name in state.rejected).map((event) => [
          event.kind, event.channel, event.onset_s, event.duration_s, event.peak_s, "rejected", scorer,
          state.rejected[event.name], night.input_sha256]);
        const arousals = Object.entries(state.arousals).map(([tenths, date]) => [
          "arousal", "", tenths / 10, AROUSAL_S, tenths / 10, "added", scorer, date, night.input_sha256]);
        return eegsleep.csv([head, ...[...rejected, ...arousals].sort((a, b) => a[2] - b[2])]);
      },

      // Stages and arousals as EDF+ annotations without a signal, which other programs open.
      edf() {
        const stages = shown.map((_, epoch) => [epoch * EPOCH_S, EPOCH_S,
          "Sleep stage " + (stageAt(epoch) === "X" ? "?" : NAMES[stageAt(epoch)])]);
        const arousals = Object.keys(state.arousals).map((tenths) => [tenths / 10, AROUSAL_S, "Arousal"]);
        return encodeEdf([...stages, ...arousals].sort((a, b) => a[0] - b[0]), night.start);
      }
    };
  };

  // An EDF+ file of annotations alone (www.edfplus.info): one annotation a data record, records of no duration.
  function encodeEdf(annotations, start) {
    const SIZE = 64; // bytes of a record; the longest entry has under 50
    const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    const [year, month, day] = (start || "1985-01-01").slice(0, 10).split("-").map(Number);
    const known = start && year >= 1985 && year <= 2084; // the header has two digits for the year
    const date = known ? String(day).padStart(2, "0") + "-" + MONTHS[month - 1] + "-" + year : "X";
    const two = (number) => String(number).padStart(2, "0");
    const field = (text, width) => String(text).slice(0, width).padEnd(width);
    const header = field("0", 8) + field("X X X X", 80) + field("Startdate " + date + " X eegsleep X", 80) +
      (known ? two(day) + "." + two(month) + "." + two(year % 100) : "01.01.85") +
      (start ? start.slice(11, 19).replace(/:/g, ".") : "00.00.00") +
      field(512, 8) + field("EDF+C", 44) + field(annotations.length, 8) + field(0, 8) + field(1, 4) +
      field("EDF Annotations", 16) + field("", 80) + field("", 8) + field(-1, 8) + field(1, 8) +
      field(-32768, 8) + field(32767, 8) + field("", 80) + field(SIZE / 2, 8) + field("", 32);
    const records = annotations.map(([onset, duration, text]) =>
      ("+0\x14\x14\0+" + onset + "\x15" + duration + "\x14" + text + "\x14\0").padEnd(SIZE, "\0"));
    return new TextEncoder().encode(header + records.join(""));
  }
})(window.eegsleep = window.eegsleep || {});
