// Figures and their data as files: PNG, SVG, CSV.
(function (eegsleep) {
  "use strict";

  eegsleep.download = function (name, content, type) {
    const link = document.createElement("a");
    const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
    link.href = url;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };

  // `draw(pen)` draws the figure; the picture has three times the pixels of the page.
  eegsleep.savePng = function (name, width, height, draw) {
    const canvas = document.createElement("canvas");
    draw(eegsleep.canvasPen(canvas, width, height, 3));
    canvas.toBlob((blob) => eegsleep.download(name + ".png", blob), "image/png");
  };

  eegsleep.saveSvg = function (name, width, height, draw, ground) {
    const pen = eegsleep.svgPen(width, height, ground);
    draw(pen);
    eegsleep.download(name + ".svg", pen.finish(), "image/svg+xml");
  };

  // One row an epoch: clock, stages, probabilities and band power. What is missing is an empty cell.
  eegsleep.nightCsv = function (night, model) {
    const names = { W: "W", 1: "N1", 2: "N2", 3: "N3", R: "R", X: "UNS" };
    const head = ["epoch", "onset_s", "clock", "stage", "stage_on_page", "other_stage", "p_wake", "p_n1", "p_n2", "p_n3", "p_rem", "swa_db", "sigma_db"];
    const rows = Array.from(night.stages, (letter, epoch) => {
      const bytes = model.probabilities ? Array.from(model.probabilities.slice(epoch * 5, epoch * 5 + 5)) : [255, 255, 255, 255, 255];
      return [epoch, epoch * 30, model.clock.full(epoch * 30), names[letter], names[model.letters[epoch]],
        model.other ? names[model.other[epoch]] : "", ...bytes.map((byte) => (byte === 255 ? "" : byte / 250)),
        night.power ? night.power.swa[epoch] : "", night.power ? night.power.sigma[epoch] : ""];
    });
    return eegsleep.csv([head, ...rows]);
  };

  // The samples of a window as they are drawn, under the filter in hand.
  eegsleep.traceCsv = function (trace, model) {
    const { from_s, to_s } = model.window;
    const first = Math.max(0, Math.ceil(from_s * trace.rate_hz));
    const last = Math.min(trace.n_samples, Math.floor(to_s * trace.rate_hz));
    const layers = trace.channels.map((_, row) => trace.layerOf(row, model.filter, from_s, to_s));
    const rows = [["time_s", ...trace.channels.map((channel) => channel.label + "_uv")]];
    for (let i = first; i < last; i += 1) {
      rows.push([i / trace.rate_hz, ...layers.map((layer) => (Number.isNaN(layer.samples[i]) ? "" : Math.round(layer.samples[i] * 1000) / 1000))]);
    }
    return eegsleep.csv(rows);
  };
})(window.eegsleep = window.eegsleep || {});
