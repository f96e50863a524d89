// Clock times of a recording. All arithmetic is on the recorder's own clock, as if it were UTC: the reader's time
// zone and daylight saving never enter. A label carries the day wherever the time alone could be of two days.
(function (eegsleep) {
  "use strict";

  const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200];
  const DAY_S = 86400;

  const two = (number) => String(Math.floor(number)).padStart(2, "0");

  // `start` is ISO without a zone, or null where the recording does not say when it began.
  eegsleep.makeClock = function (start) {
    const origin_ms = start ? Date.parse(start.replace(/(\.\d{3})\d*$/, "$1") + "Z") : null;
    const dated = origin_ms !== null;
    const of_day_s = dated ? ((origin_ms / 1000) % DAY_S + DAY_S) % DAY_S : 0;

    function time(seconds, { decimals = 0, short = false } = {}) {
      // Floored to what is shown: a clock does not show a second before it has begun.
      const shown = Math.floor((of_day_s + seconds) * 10 ** decimals + 1e-6) / 10 ** decimals;
      const rest = dated ? ((shown % DAY_S) + DAY_S) % DAY_S : Math.max(shown, 0);
      const hours = dated ? two(rest / 3600) : String(Math.floor(rest / 3600));
      const text = hours + ":" + two((rest % 3600) / 60);
      if (short) return text;
      const tail = decimals ? "." + (rest % 1).toFixed(decimals).slice(2) : "";
      return text + ":" + two(rest % 60) + tail;
    }

    function day(seconds) {
      if (!dated) return "";
      const moment = new Date(origin_ms + Math.floor(seconds * 1000));
      return DAYS[moment.getUTCDay()] + " " + moment.getUTCDate() + " " + MONTHS[moment.getUTCMonth()];
    }

    function elapsed(seconds) {
      const whole = Math.max(0, Math.floor(seconds + 1e-6));
      const parts = [Math.floor(whole / 3600) + " h", two((whole % 3600) / 60) + " min", two(whole % 60) + " s"];
      return parts.join(" ");
    }

    // At most `most` ticks between two times, on round clock times; the first tick of a day says which day.
    function ticks(from_s, to_s, most) {
      const step = STEPS_S.find((s) => (to_s - from_s) / s <= most) || DAY_S;
      const found = [];
      let last = null;
      for (let n = Math.ceil((of_day_s + from_s) / step - 1e-9); n * step - of_day_s <= to_s + 1e-9; n += 1) {
        const at = n * step - of_day_s;
        const label = step >= 60 ? time(at + 1e-6, { short: true }) : time(at + 1e-6, { decimals: step < 1 ? 1 : 0 });
        const today = day(at + 1e-6);
        found.push({ at, label: label + (dated ? "" : " h"), day: today === last ? "" : today });
        last = today;
      }
      return { step, ticks: found };
    }

    return {
      dated,
      fraction: (1 - (of_day_s % 1)) % 1, // where its whole seconds lie, in seconds from the first sample
      time,
      day,
      elapsed,
      ticks,
      full: (seconds, options) => (dated ? day(seconds) + " " : "") + time(seconds, options) + (dated ? "" : " h")
    };
  };
})(window.eegsleep = window.eegsleep || {});
