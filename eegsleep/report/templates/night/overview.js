// The whole night on one clock axis: hypnograms, probabilities, spectrogram, band power, events and quality.
// Panels are drawn once on a canvas; the cursor and the window of the trace lie on a second one above it.
(function (eegsleep) {
  "use strict";

  const EPOCH_S = 30;
  const LEVELS = { W: 0, R: 1, 1: 2, 2: 3, 3: 4 };
  const ORDER = ["W", "R", "1", "2", "3"];
  const STACK = ["3", "2", "1", "R", "W"]; // from the bottom of the probabilities
  const BYTES = ["W", "1", "2", "3", "R"]; // as `PROBABILITIES` in night_data.py
  const CIVIDIS = [[0, 32, 76], [38, 62, 110], [86, 92, 108], [124, 123, 120], [168, 157, 108], [217, 193, 80], [255, 234, 70]];

  function panelsOf(night, model) {
    const list = [{ name: "hypnogram", title: "Hypnogram", height: 86, draw: drawHypnogram }];
    if (model.other && !model.blind) {
      list.push({ name: "other", title: model.otherTitle, height: 62, draw: drawOther });
    }
    if (model.probabilities && !model.blind) {
      list.push({ name: "probabilities", title: "Probability", height: 46, draw: drawProbabilities });
    }
    if (night.spectrogram) {
      list.push({ name: "spectrogram", title: "Spectrogram", note: night.spectrogram.channel, height: 84, draw: drawSpectrogram });
      list.push({ name: "power", title: "Power, dB", height: 46, draw: drawPower });
    }
    if (!model.blind) {
      if (night.density.fast.some(Number.isFinite) || night.density.slow.some(Number.isFinite)) {
        list.push({ name: "spindles", title: "Spindles/min", height: 36, draw: drawSpindles });
      }
      if (night.density.waves.some(Number.isFinite)) {
        list.push({ name: "waves", title: "Slow osc./min", height: 36, draw: drawWaves });
      }
    }
    const rows = Object.keys(night.quality).length;
    if (rows) list.push({ name: "quality", title: "Quality", height: Math.max(14, 11 * rows), draw: drawQuality });
    return list;
  }

  // Where everything lies, for a width. `part` is "top" (axis and hypnograms, which stay in sight), "rest" or "all".
  // On a narrow screen the titles lie above the panels, not beside them.
  eegsleep.layoutOverview = function (night, model, width, part) {
    const narrow = width < 640;
    const left = narrow ? 34 : 112;
    const right = narrow ? 6 : 14;
    const gap = narrow ? 19 : 10;
    const top = part === "rest" ? 4 : 36;
    let y = top + (narrow ? 12 : 0);
    const hypnograms = new Set(["hypnogram", "other"]);
    const chosen = panelsOf(night, model).filter((p) => part === "all" || hypnograms.has(p.name) === (part === "top"));
    const panels = chosen.map((panel) => {
      const placed = { ...panel, y };
      y += panel.height + gap;
      return placed;
    });
    const bottom = y - gap + 3;
    return {
      width, narrow, left, right, inner: width - left - right, panels, top, bottom,
      labelled: { top: part !== "rest", bottom: part !== "top" },
      height: bottom + (part === "top" ? 4 : 24)
    };
  };

  eegsleep.drawOverview = function (pen, night, model, layout, colours) {
    const { from_s, to_s } = model.range;
    const x = (seconds) => layout.left + ((seconds - from_s) / (to_s - from_s)) * layout.inner;
    const scene = { night, model, layout, colours, x };
    pen.rect(0, 0, pen.width, pen.height, colours.paper);
    drawAxis(pen, scene);
    for (const panel of layout.panels) {
      if (layout.narrow) {
        pen.text(panel.title + (panel.note ? " · " + panel.note : ""), layout.left, panel.y - 7, colours.muted, { size: 10, fit: layout.inner });
      } else {
        pen.text(panel.title, 0, panel.y + Math.min(6, panel.height / 2), colours.ink, { size: 11.5, bold: true });
        if (panel.note) pen.text(panel.note, 0, panel.y + Math.min(6, panel.height / 2) + 15, colours.muted, { size: 10.5, fit: layout.left - 34 });
      }
      pen.clip(layout.left, panel.y - 4, layout.inner, panel.height + 8, () => panel.draw(pen, scene, panel, true));
      panel.draw(pen, scene, panel, false);
    }
    drawLights(pen, scene);
  };

  function drawAxis(pen, { model, layout, colours, x }) {
    const { from_s, to_s } = model.range;
    const { ticks } = model.clock.ticks(from_s, to_s, Math.max(3, Math.floor(layout.inner / 78)));
    let free = -Infinity;
    for (const tick of ticks) {
      const at = x(tick.at);
      pen.line([at, layout.top - 5, at, layout.bottom + 4], colours.grid);
      const label = Math.min(at, pen.width - 18);
      if (layout.labelled.bottom) pen.text(tick.label, label, layout.bottom + 8, colours.muted, { align: "center", base: "top" });
      if (!layout.labelled.top) continue;
      pen.text(tick.label, label, layout.top - 8, colours.muted, { align: "center", base: "bottom" });
      if (tick.day && at > free) {
        pen.text(tick.day, Math.max(at, 28), layout.top - 21, colours.ink, { align: "center", base: "bottom", size: 10.5, bold: true });
        free = at + 64;
      }
    }
  }

  function drawLights(pen, { night, model, layout, colours, x }) {
    const { from_s, to_s } = model.range;
    const hypnogram = layout.panels.find((panel) => panel.name === "hypnogram");
    for (const [seconds, name] of lightsOf(night)) {
      if (seconds < from_s || seconds > to_s) continue;
      const at = x(seconds);
      pen.line([at, layout.top, at, layout.bottom], colours.accent, { dash: [2, 3] });
      const end = at > pen.width - 70;
      if (hypnogram && !layout.narrow) {
        pen.text(name, at + (end ? -4 : 4), hypnogram.y + hypnogram.height - 6, colours.accent, { size: 9.5, align: end ? "right" : "left" });
      }
    }
  }

  function lightsOf(night) {
    const { off_s, on_s, source, known, on_known } = night.lights;
    if (source === "whole recording") return [];
    return [...(known ? [[off_s, "lights off"]] : []), ...(on_known ? [[on_s, "lights on"]] : [])];
  }

  const bouts = (letters) => {
    const found = [];
    for (let i = 0; i < letters.length;) {
      const first = i;
      while (i < letters.length && letters[i] === letters[first]) i += 1;
      found.push([first, i, letters[first]]);
    }
    return found;
  };

  function stageLines(pen, { colours, x, layout }, panel, letters, inside, strong) {
    const rowHeight = panel.height / 5;
    const level = (letter) => panel.y + (LEVELS[letter] + 0.5) * rowHeight;
    if (!inside) {
      for (const stage of ORDER) {
        pen.text({ W: "W", R: "R", 1: "N1", 2: "N2", 3: "N3" }[stage], layout.left - 5, level(stage), colours.muted, { size: Math.min(10.5, rowHeight + 1), align: "right", bold: stage === "R" });
      }
      return;
    }
    const points = [];
    for (const [first, stop, letter] of bouts(letters)) {
      const y = letter in LEVELS ? level(letter) : NaN;
      points.push(x(first * EPOCH_S), y, x(stop * EPOCH_S), y);
    }
    pen.line(points, colours.muted, { width: 1 });
    for (const [first, stop, letter] of bouts(letters)) {
      if (!(letter in LEVELS)) continue;
      const h = (letter === "R" ? 8 : 5) * (strong ? 1 : 0.8);
      pen.rect(x(first * EPOCH_S), level(letter) - h / 2, Math.max(1, x(stop * EPOCH_S) - x(first * EPOCH_S)), h, colours["stage-" + letter]);
    }
  }

  function drawHypnogram(pen, scene, panel, inside) {
    const { model, night, colours, x, layout } = scene;
    if (inside) {
      pen.rect(layout.left, panel.y, layout.inner, panel.height, colours.ground);
      if (!model.blind) {
        for (const [first, stop] of model.unsure) {
          pen.rect(x(first * EPOCH_S), panel.y, Math.max(1, x(stop * EPOCH_S) - x(first * EPOCH_S)), panel.height, colours.unsure, { alpha: 0.35 });
        }
        for (const [first, stop, complete] of model.cycles) {
          const [a, b, y] = [x(first * EPOCH_S), x(stop * EPOCH_S), panel.y + panel.height + 2];
          pen.line([a + 1, y - 4, a + 1, y, b - 1, y, ...(complete ? [b - 1, y - 4] : [])], colours.muted);
        }
      }
      // before lights off and after lights on nothing is counted
      const { off_s, on_s } = night.lights;
      pen.rect(layout.left, panel.y, x(off_s) - layout.left, panel.height, colours.rule, { alpha: 0.7 });
      pen.rect(x(on_s), panel.y, layout.left + layout.inner - x(on_s), panel.height, colours.rule, { alpha: 0.7 });
    }
    stageLines(pen, scene, panel, model.letters, inside, true);
    if (!inside) return;
    if (!model.blind) model.cycles.forEach(([first, stop], i) => {
      const [at, y] = [(x(first * EPOCH_S) + x(stop * EPOCH_S)) / 2, panel.y + panel.height];
      if (x(stop * EPOCH_S) - x(first * EPOCH_S) < 22) return;
      pen.rect(at - 6, y - 5, 12, 9, colours.paper);
      pen.text(String(i + 1), at, y, colours.ink, { size: 9.5, align: "center", bold: true });
    });
    if (model.edited.size) {
      const before = model.shown.map((letter, epoch) => (model.edited.has(epoch) ? letter : "X"));
      if (!model.blind) {
        for (const [first, stop, letter] of bouts(before)) {
          if (letter in LEVELS) pen.rect(x(first * EPOCH_S), panel.y + (LEVELS[letter] + 0.5) * panel.height / 5 - 1, Math.max(2, x(stop * EPOCH_S) - x(first * EPOCH_S)), 2, colours.muted, { alpha: 0.7 });
        }
      }
      for (const epoch of model.edited) {
        pen.rect(x(epoch * EPOCH_S), panel.y - 3, Math.max(2, x((epoch + 1) * EPOCH_S) - x(epoch * EPOCH_S)), 3, colours.accent);
      }
    }
    for (const [onset] of night.annotations) {
      const at = x(onset);
      pen.line([at - 3, panel.y - 4, at + 3, panel.y - 4, at, panel.y + 1, at - 3, panel.y - 4], null, { fill: colours.annotation });
    }
    for (const at of model.arousals) pen.line([x(at), panel.y, x(at), panel.y + 8], colours.arousal, { width: 2 });
  }

  function drawOther(pen, scene, panel, inside) {
    const { model, colours, x, layout } = scene;
    if (inside) pen.rect(layout.left, panel.y, layout.inner, panel.height, colours.ground);
    stageLines(pen, scene, panel, model.other, inside, false);
    if (!inside) return;
    for (const [first, stop, differs] of bouts(model.differs)) {
      if (differs) pen.rect(x(first * EPOCH_S), panel.y - 4, Math.max(1.2, x(stop * EPOCH_S) - x(first * EPOCH_S)), 4, colours.differs);
    }
  }

  function drawProbabilities(pen, { model, colours, x, layout }, panel, inside) {
    if (!inside) {
      for (const [share, label] of [[1, "1"], [0, "0"]]) {
        pen.text(label, layout.left - 5, panel.y + (1 - share) * (panel.height - 8) + 4, colours.muted, { size: 10, align: "right" });
      }
      return;
    }
    const bytes = model.probabilities;
    pen.rect(layout.left, panel.y, layout.inner, panel.height, colours.ground);
    for (let epoch = 0; epoch < bytes.length / 5; epoch += 1) {
      if (bytes[epoch * 5] === 255) continue;
      const [a, b] = [x(epoch * EPOCH_S), x((epoch + 1) * EPOCH_S)];
      if (b < layout.left || a > layout.left + layout.inner) continue;
      let y = panel.y + panel.height;
      for (const stage of STACK) {
        const h = (bytes[epoch * 5 + BYTES.indexOf(stage)] / 250) * panel.height;
        if (h < 0.2) continue;
        y -= h;
        pen.rect(a, y, b - a + 0.4, h, colours["stage-" + stage]);
      }
    }
  }

  function spectrogramImage(spectrogram) {
    const { rows, columns } = spectrogram;
    const canvas = document.createElement("canvas");
    canvas.width = columns;
    canvas.height = rows;
    const context = canvas.getContext("2d");
    const image = context.createImageData(columns, rows);
    const bytes = eegsleep.unpackBytes(spectrogram.power);
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        const value = bytes[row * columns + column];
        if (value === 255) continue; // stays transparent
        const place = (value / 250) * (CIVIDIS.length - 1);
        const low = Math.min(Math.floor(place), CIVIDIS.length - 2);
        const at = ((rows - 1 - row) * columns + column) * 4;
        for (let k = 0; k < 3; k += 1) image.data[at + k] = CIVIDIS[low][k] + (place - low) * (CIVIDIS[low + 1][k] - CIVIDIS[low][k]);
        image.data[at + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }

  const images = new WeakMap();

  function drawSpectrogram(pen, { night, colours, x, layout }, panel, inside) {
    const s = night.spectrogram;
    const [low, high] = [s.frequency_hz[0], s.frequency_hz[s.rows - 1]];
    const y = (hz) => panel.y + panel.height * (1 - (hz - low) / (high - low));
    if (inside) {
      if (!images.has(s)) images.set(s, spectrogramImage(s));
      pen.rect(layout.left, panel.y, layout.inner, panel.height, colours.ground);
      pen.image(images.get(s), x(0), panel.y, x(s.columns * s.column_s) - x(0), panel.height);
      return;
    }
    for (const hz of [1, 4, 8, 12, 16, 30]) {
      if (hz === 1 || y(hz - 4) - y(hz) > 9) pen.text(String(hz), layout.left - 5, Math.min(Math.max(y(hz), panel.y + 5), panel.y + panel.height - 3), colours.muted, { size: 10, align: "right" });
    }
    if (layout.narrow) return;
    // the key to its colours, under the title
    const [x0, y0, w] = [0, panel.y + 44, 62];
    for (let i = 0; i < w; i += 2) {
      const place = (i / w) * (CIVIDIS.length - 1);
      const k = Math.floor(place);
      const mix = CIVIDIS[k].map((v, j) => Math.round(v + (place - k) * (CIVIDIS[Math.min(k + 1, 6)][j] - v)));
      pen.rect(x0 + i, y0, 2.4, 6, `rgb(${mix.join(",")})`);
    }
    pen.text(String(Math.round(s.low_db)).replace("-", "−") + " to " + Math.round(s.high_db) + " dB", x0, y0 + 15, colours.muted, { size: 10 });
    pen.text("µV²/Hz", x0, y0 + 28, colours.muted, { size: 10 });
  }

  function drawSeries(pen, { colours, x, layout }, panel, inside, series, options) {
    const values = series.flatMap((s) => s.values).filter(Number.isFinite);
    const low = options.zero ? 0 : Math.floor(Math.min(...values) / 5) * 5;
    const step = [0.5, 1, 2, 5, 10, 20, 50, 100].find((s) => (Math.max(...values) - low) / s <= 2.5) || 200;
    const high = Math.max(low + step, Math.ceil(Math.max(...values) / step) * step);
    const y = (value) => panel.y + panel.height * (1 - (value - low) / (high - low));
    if (!inside) {
      for (let value = low; value <= high; value += step) {
        if (value === low || value + step > high || panel.height > 40) pen.text(String(value).replace("-", "−"), layout.left - 5, Math.min(Math.max(y(value), panel.y + 4), panel.y + panel.height - 3), colours.muted, { size: 10, align: "right" });
      }
      // the key: on the left under the title, or above the panel at its right
      series.forEach((s, i) => {
        if (series.length < 2) return;
        if (layout.narrow) {
          const at = layout.left + layout.inner - (series.length - i) * 46;
          pen.rect(at, panel.y - 9, 8, 3, s.colour);
          pen.text(s.label, at + 10, panel.y - 7, colours.muted, { size: 9.5 });
        } else {
          pen.rect(0, panel.y + 18 + i * 13, 10, 3, s.colour);
          pen.text(s.label, 14, panel.y + 20 + i * 13, colours.muted, { size: 10 });
        }
      });
      return;
    }
    pen.rect(layout.left, panel.y, layout.inner, panel.height, colours.ground);
    for (const s of series) {
      const points = [];
      s.values.forEach((value, i) => {
        const at = value === null ? NaN : y(value);
        points.push(x(i * s.step_s), at, x((i + 1) * s.step_s), at);
      });
      pen.line(points, s.colour, { width: s.width || 1.5 });
    }
  }

  function drawPower(pen, scene, panel, inside) {
    const { power } = scene.night;
    drawSeries(pen, scene, panel, inside, [
      { label: "SWA", values: power.swa, step_s: EPOCH_S, colour: scene.colours.swa, width: 1.1 },
      { label: "sigma", values: power.sigma, step_s: EPOCH_S, colour: scene.colours.sigma, width: 1.1 }
    ], {});
  }

  function drawSpindles(pen, scene, panel, inside) {
    const { density } = scene.night;
    drawSeries(pen, scene, panel, inside, [
      { label: "fast", values: density.fast, step_s: density.window_s, colour: scene.colours.fast },
      { label: "slow", values: density.slow, step_s: density.window_s, colour: scene.colours.slow }
    ], { zero: true });
  }

  function drawWaves(pen, scene, panel, inside) {
    const { density } = scene.night;
    drawSeries(pen, scene, panel, inside, [
      { label: "slow oscillations", values: density.waves, step_s: density.window_s, colour: scene.colours.wave }
    ], { zero: true });
  }

  function drawQuality(pen, { night, colours, x, layout }, panel, inside) {
    const labels = Object.keys(night.quality);
    const h = panel.height / labels.length;
    labels.forEach((label, row) => {
      const y = panel.y + row * h;
      if (!inside) {
        pen.text(label, layout.left - 5, y + h / 2, colours.muted, { size: 9.5, align: "right", fit: layout.narrow ? 30 : 62 });
        return;
      }
      pen.rect(layout.left, y, x(Math.min(night.duration_s, 1e9)) - layout.left, h - 2, colours.usable);
      for (const [first, n, kind] of night.quality[label]) {
        pen.rect(x(first * EPOCH_S), y, Math.max(1.2, x((first + n) * EPOCH_S) - x(first * EPOCH_S)), h - 2, colours[kind]);
      }
    });
  }

  // The cursor, the epoch in hand and the window of the trace, above the panels.
  eegsleep.drawOverlay = function (pen, model, layout, colours) {
    const { from_s, to_s } = model.range;
    const x = (seconds) => layout.left + ((seconds - from_s) / (to_s - from_s)) * layout.inner;
    const { window: view, cursor_s, selection } = model;
    if (view) {
      const [a, b] = [Math.max(layout.left, x(view.from_s)), Math.min(layout.left + layout.inner, x(view.to_s))];
      if (b > a) {
        const w = Math.max(b - a, 3);
        pen.rect(a - (w - (b - a)) / 2, layout.top, w, layout.bottom - layout.top, colours.window, { alpha: 0.16 });
        pen.rect(a - (w - (b - a)) / 2, layout.top, w, layout.bottom - layout.top, null, { stroke: colours.window, line: 1.5 });
      }
    }
    if (selection) {
      const [a, b] = [x(selection[0] * EPOCH_S), x((selection[1] + 1) * EPOCH_S)];
      pen.rect(a, layout.top - 4, Math.max(2, b - a), 4, colours.window);
    }
    if (cursor_s !== null && cursor_s >= from_s && cursor_s <= to_s) {
      pen.line([x(cursor_s), layout.top - 6, x(cursor_s), layout.bottom], colours.ink, { width: 1, alpha: 0.8 });
    }
  };

  eegsleep.secondsAt = (layout, range, pixel) => {
    const share = Math.min(1, Math.max(0, (pixel - layout.left) / layout.inner));
    return range.from_s + share * (range.to_s - range.from_s);
  };
})(window.eegsleep = window.eegsleep || {});
