// The average waveform of each kind of event, and where spindles lie on slow oscillations.
(function (eegsleep) {
  "use strict";

  const TICKS = [1, 2, 5, 10, 20, 25, 50, 100, 200, 500];

  eegsleep.drawAverage = function (pen, average, colours) {
    const [left, right, top, bottom] = [44, 8, 8, 34];
    const [w, h] = [pen.width - left - right, pen.height - top - bottom];
    pen.rect(0, 0, pen.width, pen.height, colours.paper);
    const { time_s, mean_uv, sem_uv } = average;
    const low = Math.min(...mean_uv.map((m, i) => m - (sem_uv[i] || 0)));
    const high = Math.max(...mean_uv.map((m, i) => m + (sem_uv[i] || 0)));
    const [from, to] = [time_s[0], time_s[time_s.length - 1]];
    const x = (s) => left + ((s - from) / (to - from)) * w;
    const y = (uv) => top + (1 - (uv - low) / (high - low || 1)) * h;
    const step = TICKS.find((t) => (high - low) / t <= 5) || 1000;
    for (let uv = Math.ceil(low / step) * step; uv <= high; uv += step) {
      pen.line([left, y(uv), left + w, y(uv)], uv === 0 ? colours.muted : colours.grid);
      pen.text(String(uv).replace("-", "−"), left - 5, y(uv), colours.muted, { align: "right", size: 10.5 });
    }
    for (let s = Math.ceil(from * 2) / 2; s <= to; s += 0.5) {
      pen.line([x(s), top, x(s), top + h], s === 0 ? colours.muted : colours.grid);
      pen.text(String(s).replace("-", "−"), x(s), top + h + 9, colours.muted, { align: "center", size: 10.5 });
    }
    pen.text("seconds from its middle", left + w / 2, pen.height - 7, colours.muted, { align: "center", size: 10.5 });
    pen.text("µV", 2, top + 6, colours.muted, { size: 10.5 });
    const colour = eegsleep.eventColour(average.kind, colours);
    const band = time_s.flatMap((s, i) => [x(s), y(mean_uv[i] + (sem_uv[i] || 0))]);
    for (let i = time_s.length - 1; i >= 0; i -= 1) band.push(x(time_s[i]), y(mean_uv[i] - (sem_uv[i] || 0)));
    pen.line(band, null, { fill: colour, alpha: 0.25 });
    pen.line(time_s.flatMap((s, i) => [x(s), y(mean_uv[i])]), colour, { width: 1.8 });
  };

  // Time runs clockwise: down state at the bottom, rise at the left, up state at the top (0 rad).
  eegsleep.drawCoupling = function (pen, coupling, colours) {
    const [cx, cy] = [pen.width / 2, pen.height / 2];
    const rim = Math.min(pen.width / 2 - 52, pen.height / 2 - 22);
    const most = Math.max(...coupling.counts);
    const place = (rad, share) => [cx + Math.sin(rad) * rim * share, cy - Math.cos(rad) * rim * share];
    const arc = (from, to, share) =>
      Array.from({ length: 13 }, (_, i) => place(from + ((to - from) * i) / 12, share)).flat();
    pen.rect(0, 0, pen.width, pen.height, colours.paper);
    for (const share of [0.5, 1]) {
      pen.line([...arc(0, Math.PI, share), ...arc(Math.PI, 2 * Math.PI, share)], colours.grid);
      pen.text(String(Math.round(most * share)), ...place(Math.PI / 4, share), colours.muted, { size: 9.5 });
    }
    for (const rad of [0, Math.PI / 2, Math.PI, -Math.PI / 2]) pen.line([cx, cy, ...place(rad, 1)], colours.grid);
    const step = (2 * Math.PI) / coupling.counts.length;
    coupling.counts.forEach((n, i) => {
      const from = -Math.PI + i * step;
      pen.line([cx, cy, ...arc(from + 0.02, from + step - 0.02, n / most), cx, cy], null, { fill: colours.fast, alpha: 0.7 });
    });
    const [x, y] = place(coupling.mean_rad, coupling.strength);
    pen.line([cx, cy, x, y], colours["stage-R"], { width: 3 });
    pen.rect(x - 3, y - 3, 6, 6, colours["stage-R"]);
    pen.text("up state", cx, cy - rim - 10, colours.muted, { align: "center", size: 10.5 });
    pen.text("down state", cx, cy + rim + 11, colours.muted, { align: "center", size: 10.5 });
    pen.text("fall", cx + rim + 6, cy, colours.muted, { size: 10.5 });
    pen.text("rise", cx - rim - 6, cy, colours.muted, { size: 10.5, align: "right" });
  };
})(window.eegsleep = window.eegsleep || {});
