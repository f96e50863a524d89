// Sleep statistics of a hypnogram, by the definitions of `eegsleep/staging/statistics.py`, so that they can follow
// every correction. One letter an epoch: W, 1, 2, 3, R, and X for unscored. Missing is NaN, never zero.
(function (eegsleep) {
  "use strict";

  const EPOCH_MIN = 0.5;
  const NREM_PERIOD_MIN = 15;
  const REM_PERIOD_MIN = 5;

  // name, label, unit, decimals; and whether it needs lights off, or lights on, to be known.
  eegsleep.SLEEP_STATISTICS = [
    ["tst_min", "Total sleep time", "min", 1, ""],
    ["sleep_efficiency_percent", "Sleep efficiency", "%", 1, "on"],
    ["sol_min", "Sleep onset latency", "min", 1, "off"],
    ["waso_min", "Wake after sleep onset", "min", 1, "on"],
    ["n1_min", "N1", "min", 1, ""],
    ["n2_min", "N2", "min", 1, ""],
    ["n3_min", "N3", "min", 1, ""],
    ["rem_min", "REM", "min", 1, ""],
    ["rem_latency_min", "REM latency", "min", 1, ""],
    ["awakenings", "Awakenings", "", 0, ""],
    ["nrem_rem_cycles", "Complete cycles", "", 0, ""],
    ["unscored_min", "Unscored", "min", 1, ""]
  ];

  const asleep = (letter) => letter === "1" || letter === "2" || letter === "3" || letter === "R";

  function runs(letters, holds) {
    const found = [];
    for (let i = 0; i < letters.length; i += 1) {
      if (!holds(letters[i])) continue;
      const first = i;
      while (i < letters.length && holds(letters[i])) i += 1;
      found.push([first, i]);
    }
    return found;
  }

  const count = (letters, holds) => letters.reduce((n, letter) => n + (holds(letter) ? 1 : 0), 0);

  function remPeriods(letters) {
    const merged = [];
    for (const [first, stop] of runs(letters, (l) => l === "R")) {
      const last = merged[merged.length - 1];
      if (last && (first - last[1]) * EPOCH_MIN < NREM_PERIOD_MIN) last[1] = stop;
      else merged.push([first, stop]);
    }
    const minutes = ([first, stop]) => count(letters.slice(first, stop), (l) => l === "R") * EPOCH_MIN;
    return merged.filter((period, number) => number === 0 || minutes(period) >= REM_PERIOD_MIN);
  }

  function nremOnset(letters, begin, stop) {
    for (let i = begin; i < stop; i += 1) {
      if (letters[i] !== "2" && letters[i] !== "3") continue;
      const minutes = count(letters.slice(i, stop), (l) => l === "1" || l === "2" || l === "3") * EPOCH_MIN;
      return minutes >= NREM_PERIOD_MIN ? i : null;
    }
    return null;
  }

  // NREM-REM cycles (Feinberg & Floyd 1979): first epoch, one past the last, and whether REM closed it.
  eegsleep.findCycles = function (letters) {
    const cycles = [];
    let begin = 0;
    for (const [first, stop] of remPeriods(letters)) {
      const onset = nremOnset(letters, begin, first);
      if (onset !== null) cycles.push([onset, stop, true]);
      begin = stop;
    }
    const onset = nremOnset(letters, begin, letters.length);
    if (onset !== null) cycles.push([onset, letters.findLastIndex(asleep) + 1, false]);
    return cycles;
  };

  eegsleep.measureSleep = function (letters) {
    const scored = count(letters, (l) => l !== "X");
    const found = Object.fromEntries(eegsleep.SLEEP_STATISTICS.map(([name]) => [name, NaN]));
    found.unscored_min = (letters.length - scored) * EPOCH_MIN;
    if (!scored) return found;
    const slept = count(letters, asleep);
    found.tst_min = slept * EPOCH_MIN;
    found.sleep_efficiency_percent = (100 * slept) / letters.length;
    for (const [name, stage] of [["n1_min", "1"], ["n2_min", "2"], ["n3_min", "3"], ["rem_min", "R"]]) {
      found[name] = count(letters, (l) => l === stage) * EPOCH_MIN;
    }
    found.nrem_rem_cycles = eegsleep.findCycles(letters).filter((cycle) => cycle[2]).length;
    if (!slept) return found;
    const onset = letters.findIndex(asleep);
    const end = letters.findLastIndex(asleep) + 1;
    const first_rem = letters.indexOf("R");
    found.sol_min = onset * EPOCH_MIN;
    found.waso_min = count(letters.slice(onset), (l) => l === "W") * EPOCH_MIN;
    if (first_rem >= 0) found.rem_latency_min = (first_rem - onset) * EPOCH_MIN;
    found.awakenings = runs(letters.slice(onset, end).filter((l) => l !== "X"), (l) => l === "W").length;
    return found;
  };

  // Share of epochs both scored that have the same stage, and Cohen's kappa (1960).
  eegsleep.measureAgreement = function (one, other) {
    const both = [];
    for (let i = 0; i < Math.min(one.length, other.length); i += 1) {
      if (one[i] !== "X" && other[i] !== "X") both.push([one[i], other[i]]);
    }
    if (!both.length) return { n: 0, share: NaN, kappa: NaN };
    const share = both.filter(([a, b]) => a === b).length / both.length;
    const chance = ["W", "1", "2", "3", "R"].reduce((sum, stage) => {
      const mine = both.filter(([a]) => a === stage).length;
      const theirs = both.filter(([, b]) => b === stage).length;
      return sum + (mine * theirs) / both.length ** 2;
    }, 0);
    return { n: both.length, share, kappa: chance < 1 ? (share - chance) / (1 - chance) : NaN };
  };
})(window.eegsleep = window.eegsleep || {});
