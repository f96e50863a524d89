// The signal of the window in hand, one lane a channel, with what was found in it marked where it lies.
(function (eegsleep) {
  "use strict";

  const EPOCH_S = 30;
  const LANES = { eeg: { height: 104, half_uv: 100 }, eog: { height: 84, half_uv: 150 }, emg: { height: 62, half_uv: 50 } };
  const LINES_UV = [75, 37.5]; // ±37.5 is 75 µV from peak to peak, the height the AASM asks of slow waves in N3
  const TICKS_UV = [5, 10, 20, 25, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000];
  const TOP = 58;
  const points = new Float64Array(400_000);

  eegsleep.layoutTraces = function (trace, width) {
    const narrow = width < 640;
    const left = narrow ? 34 : 112;
    const right = narrow ? 6 : 14;
    let y = TOP;
    const lanes = trace.channels.map((channel, row) => {
      const base = LANES[channel.role] || LANES.eeg;
      const lane = { row, label: channel.label, role: channel.role, y, height: base.height, half_uv: base.half_uv };
      y += base.height + 4;
      return lane;
    });
    return { width, narrow, left, right, inner: width - left - right, lanes, top: TOP, bottom: y, height: y + 24 };
  };

  const visible = (events, from_s, to_s) => {
    // events are sorted by onset and none lasts over 10 s
    let low = 0;
    let high = events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (events[middle].onset_s < from_s - 10) low = middle + 1;
      else high = middle;
    }
    const found = [];
    for (let i = low; i < events.length && events[i].onset_s < to_s; i += 1) {
      if (events[i].onset_s + events[i].duration_s > from_s) found.push(events[i]);
    }
    return found;
  };
  eegsleep.eventsWithin = visible;

  eegsleep.eventColour = (kind, colours) =>
    ({ "fast spindle": colours.fast, "slow spindle": colours.slow, "K-complex": colours["k-complex"] })[kind] || colours.wave;

  eegsleep.drawTraces = function (pen, night, trace, model, layout, colours) {
    const { from_s, to_s } = model.window;
    const x = (seconds) => layout.left + ((seconds - from_s) / (to_s - from_s)) * layout.inner;
    const scene = { night, trace, model, layout, colours, x, from_s, to_s, span_s: to_s - from_s };
    pen.rect(0, 0, pen.width, pen.height, colours.paper);
    drawTime(pen, scene);
    for (const lane of layout.lanes) {
      pen.clip(layout.left, lane.y, layout.inner, lane.height, () => drawGround(pen, scene, lane));
    }
    drawGrid(pen, scene);
    for (const lane of layout.lanes) {
      drawScale(pen, scene, lane);
      // Within a page a large wave may run into the next lane, as on paper; over hours that would hide the lane.
      const room = scene.span_s > 300 ? [lane.y, lane.height] : [layout.top, layout.bottom - layout.top];
      pen.clip(layout.left, room[0], layout.inner, room[1], () => drawLane(pen, scene, lane));
      if (layout.narrow) {
        pen.rect(layout.left + 2, lane.y + 2, lane.label.length * 6 + 6, 13, colours.paper, { alpha: 0.8 });
        pen.text(lane.label, layout.left + 5, lane.y + 9, colours.ink, { size: 10, bold: true });
      }
    }
    pen.clip(layout.left, 0, layout.inner, layout.bottom, () => drawNotes(pen, scene));
    drawStages(pen, scene);
    if (!trace.isReady(from_s, to_s)) {
      pen.text("decoding the signal …", layout.left + layout.inner / 2, layout.top + 20, colours.muted, { align: "center", size: 12 });
    }
  };

  function drawTime(pen, { model, layout, colours, x, from_s, to_s }) {
    const { ticks } = model.clock.ticks(from_s, to_s, Math.max(3, Math.floor(layout.inner / 84)));
    for (const tick of ticks) {
      if (layout.left + layout.inner - x(tick.at) < 20) continue;
      pen.text(tick.label, x(tick.at), layout.bottom + 12, colours.muted, { align: "center" });
    }
    pen.text(model.clock.day(from_s + 1e-6), 0, layout.bottom + 12, colours.muted, { size: 10.5, fit: layout.left - 24 });
  }

  function drawGrid(pen, { model, layout, colours, x, from_s, to_s, span_s }) {
    const { step, ticks } = model.clock.ticks(from_s, to_s, Math.max(3, Math.floor(layout.inner / 84)));
    if (span_s <= 120) {
      // whole seconds of the recorder's clock
      const offset = model.clock.fraction;
      for (let at = Math.ceil(from_s - offset) + offset; at <= to_s; at += 1) {
        pen.line([x(at), layout.top, x(at), layout.bottom], colours.second, { width: 1 });
      }
    }
    if (step >= 1) for (const tick of ticks) pen.line([x(tick.at), layout.top, x(tick.at), layout.bottom + 3], colours.grid);
    if (span_s > EPOCH_S && span_s <= 1800) {
      for (let at = Math.ceil(from_s / EPOCH_S) * EPOCH_S; at < to_s; at += EPOCH_S) {
        pen.line([x(at), layout.top - 14, x(at), layout.bottom], colours.muted, { alpha: 0.45, dash: [4, 3] });
      }
    }
  }

  function drawStages(pen, { model, layout, colours, x, from_s, to_s, span_s }) {
    const rows = [[model.letters, 22, true], ...(model.other && !model.blind ? [[model.other, 40, false]] : [])];
    const first = Math.max(0, Math.floor(from_s / EPOCH_S));
    const last = Math.min(model.letters.length - 1, Math.ceil(to_s / EPOCH_S) - 1);
    for (const [letters, y, main] of rows) {
      if (layout.left > 60) pen.text(main ? "stage" : model.otherShort, layout.left - 6, y + 8, colours.muted, { size: 10, align: "right" });
      for (let epoch = first; epoch <= last; epoch += 1) {
        const letter = letters[epoch] || "X";
        const a = Math.max(layout.left, x(epoch * EPOCH_S));
        const b = Math.min(layout.left + layout.inner, x((epoch + 1) * EPOCH_S));
        pen.rect(a, y, b - a + (span_s < 3600 ? -1 : 0.5), 16, colours["stage-" + letter]);
        const edited = main && model.edited.has(epoch);
        if (edited) pen.rect(a, y - 3, b - a - 1, 3, colours.accent);
        if (b - a > 26) {
          const name = eegsleep.STAGE_NAMES[letter];
          const was = edited && !model.blind ? " (was " + eegsleep.STAGE_NAMES[model.original[epoch]] + ")" : "";
          pen.text((b - a > 120 && main ? "epoch " + (epoch + 1) + " · " : "") + name + was, a + (b - a) / 2, y + 8.5, colours["on-" + letter], { size: 10.5, align: "center", fit: b - a - 4, bold: main });
        }
        if (main && model.selection && epoch >= model.selection[0] && epoch <= model.selection[1]) {
          pen.rect(a, y - 3, b - a, 22, null, { stroke: colours.window, line: 2 });
        }
      }
    }
  }

  function drawGround(pen, { night, model, layout, colours, x, from_s, to_s, span_s }, lane) {
    pen.rect(layout.left, lane.y, layout.inner, lane.height, colours.ground);
    for (const [first, n, kind, reason] of night.quality[lane.label] || []) {
      const [a, b] = [x(first * EPOCH_S), x((first + n) * EPOCH_S)];
      if (b < layout.left || a > layout.left + layout.inner) continue;
      pen.rect(a, lane.y, Math.max(b - a, 1), lane.height, colours[kind], { alpha: 0.18 });
      if (b - a > 60) pen.text("set aside: " + reason, Math.max(a, layout.left) + 5, lane.y + lane.height - 8, colours.ink, { size: 10, fit: Math.min(b, layout.left + layout.inner) - Math.max(a, layout.left) - 8 });
    }
    if (model.blind) return;
    for (const event of visible(model.events, from_s, to_s)) {
      if (event.channel !== lane.label || !model.marks[event.mark]) continue;
      drawEvent(pen, { model, colours, x, span_s }, lane, event);
    }
    if (model.marks.eyes && night.eyes && night.eyes.channel.split(" - ").includes(lane.label)) {
      for (const at of night.eyes.peak_s) {
        if (at < from_s || at > to_s) continue;
        const px = x(at);
        if (span_s > 600) pen.line([px, lane.y, px, lane.y + 6], colours.eye);
        else pen.line([px - 4, lane.y + 1, px + 4, lane.y + 1, px, lane.y + 8, px - 4, lane.y + 1], null, { fill: colours.eye });
      }
    }
  }

  function drawEvent(pen, { model, colours, x, span_s }, lane, event) {
    const colour = eegsleep.eventColour(event.kind, colours);
    const [a, w] = [x(event.onset_s), Math.max(1, x(event.onset_s + event.duration_s) - x(event.onset_s))];
    const y = lane.y + lane.height - (event.mark === "spindles" ? 4 : 8);
    if (model.isRejected(event.name)) {
      pen.rect(a, lane.y + 2, w, lane.height - 4, null, { stroke: colours.muted, dash: [3, 3] });
      if (span_s <= 120) pen.line([a, lane.y + 2, a + w, lane.y + lane.height - 2], colours.muted, { dash: [3, 3] });
      return;
    }
    if (span_s <= 300) pen.rect(a, lane.y, w, lane.height, colour, { alpha: event.mark === "spindles" ? 0.2 : 0.13 });
    pen.rect(a, y, w, 3, colour);
    if (span_s <= 60 && event.kind === "K-complex") pen.text("K", a + w / 2, lane.y + 8, colour, { size: 11, bold: true, align: "center" });
    if (model.event === event.name) pen.rect(a - 2, lane.y + 1, w + 4, lane.height - 2, null, { stroke: colours.ink, line: 1.5 });
  }

  function drawScale(pen, { model, layout, colours }, lane) {
    const middle = lane.y + lane.height / 2;
    const half_uv = lane.half_uv / model.gain;
    const perUv = lane.height / 2 / half_uv;
    const tick = TICKS_UV.filter((uv) => uv <= 0.8 * half_uv).pop() || half_uv / 2;
    if (lane.role === "eeg" && model.filter !== "sigma") {
      for (const uv of LINES_UV) {
        if (uv > half_uv) continue;
        for (const sign of [-1, 1]) {
          const y = middle - sign * uv * perUv;
          pen.line([layout.left, y, layout.left + layout.inner, y], colours.muted, { dash: uv === 75 ? [7, 4] : [1, 4], alpha: uv === 75 ? 0.8 : 0.9 });
        }
      }
    }
    const shown = lane.role === "eeg" && model.filter !== "sigma" && half_uv >= 75 && half_uv < 400 ? 75 : tick;
    for (const uv of [shown, 0, -shown]) {
      const y = middle - uv * perUv;
      pen.line([layout.left - 4, y, layout.left, y], colours.muted);
      pen.text((uv > 0 ? "+" : uv < 0 ? "−" : "") + Math.abs(uv), layout.left - 6, y, colours.muted, { size: 9.5, align: "right" });
    }
    if (layout.narrow) return;
    pen.text(lane.label, 0, middle - 5, colours.ink, { size: 11.5, bold: true, fit: 74 });
    pen.text(lane.role.toUpperCase() + " · µV", 0, middle + 10, colours.muted, { size: 10 });
  }

  function medianOf(layer, rate_hz, from_s, to_s) {
    const first = Math.max(0, Math.floor(from_s * rate_hz));
    const last = Math.min(layer.samples.length, Math.ceil(to_s * rate_hz));
    const step = Math.max(1, Math.floor((last - first) / 400));
    const values = [];
    for (let i = first; i < last; i += step) if (layer.samples[i] === layer.samples[i]) values.push(layer.samples[i]);
    return values.length ? values.sort((a, b) => a - b)[values.length >> 1] : 0;
  }

  function drawLane(pen, { trace, model, layout, colours, from_s, to_s, span_s }, lane) {
    const layer = trace.layerOf(lane.row, model.filter, from_s, to_s);
    const level = model.filter === "recorded" ? medianOf(layer, trace.rate_hz, from_s, to_s) : 0;
    const middle = lane.y + lane.height / 2;
    const perUv = lane.height / 2 / (lane.half_uv / model.gain);
    let n = 0;
    eegsleep.walk(layer, trace.rate_hz, from_s, to_s, layout.inner, (px, uv) => {
      if (n + 2 > points.length) return;
      points[n] = layout.left + px;
      points[n + 1] = middle - (uv - level) * perUv;
      n += 2;
    });
    pen.line(points.subarray(0, n), colours["trace-" + lane.role] || colours.ink, { width: span_s > 300 ? 0.7 : 1 });
  }

  // File annotations and arousals: a line through all lanes, the text at its top.
  function drawNotes(pen, { night, model, layout, colours, x, from_s, to_s }) {
    let free = -Infinity;
    if (model.marks.annotations) {
      for (const [onset, duration, text] of night.annotations) {
        if (onset > to_s || onset + duration < from_s || (model.blind && /stage/i.test(text))) continue;
        const at = x(Math.max(onset, from_s));
        if (duration > 0 && duration < 600) pen.rect(x(onset), layout.top, x(onset + duration) - x(onset), layout.bottom - layout.top, colours.annotation, { alpha: 0.1 });
        pen.line([at, 12, at, layout.bottom], colours.annotation, { dash: [5, 3] });
        if (at < free) continue;
        pen.text(text, at + 3, 9, colours.annotation, { size: 10.5, fit: 150 });
        free = at + 155;
      }
    }
    for (const at of model.arousals) {
      if (at > to_s || at + 3 < from_s) continue;
      pen.rect(x(at), layout.top, x(at + 3) - x(at), layout.bottom - layout.top, colours.arousal, { alpha: 0.15 });
      pen.line([x(at), layout.top - 16, x(at), layout.bottom], colours.arousal, { width: 2 });
      pen.text("arousal", x(at) + 3, layout.top + 7, colours.arousal, { size: 10.5, bold: true });
    }
  }

  eegsleep.drawTraceOverlay = function (pen, model, layout, colours) {
    if (model.cursor_s === null) return;
    const { from_s, to_s } = model.window;
    if (model.cursor_s < from_s || model.cursor_s > to_s) return;
    const x = layout.left + ((model.cursor_s - from_s) / (to_s - from_s)) * layout.inner;
    pen.line([x, layout.top, x, layout.bottom], colours.ink, { alpha: 0.7 });
  };
})(window.eegsleep = window.eegsleep || {});
