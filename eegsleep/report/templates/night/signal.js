// The signal of the night: decoded in pieces from what `eegsleep/report/trace.py` wrote, filtered in the same pieces,
// with the smallest and largest value of every 20, 400 and 4000 samples, so that any window draws at once.
(function (eegsleep) {
  "use strict";

  const ESCAPE = -128;
  const BLOCKS = [20, 400, 4000]; // each divides a piece of 60,000 samples
  const MARGIN_S = 20; // filtered on both sides of a piece and thrown away: 0.3 Hz has died out by then
  const BANDS_HZ = { recorded: null, wide: [0.3, 35], sigma: [11, 16] };

  function bytesOf(text) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const raw = atob(text);
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i += 1) bytes[i] = raw.charCodeAt(i);
    return bytes;
  }

  async function inflate(bytes) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Response(stream).arrayBuffer();
  }

  // Undo the differences of one piece and write its microvolts into `into`.
  function integrate(plain, order, step_uv, into) {
    const n = into.length;
    const small = new Int8Array(plain, 0, n);
    const large = new DataView(plain, n);
    let taken = 0;
    let slope = 0;
    let value = 0;
    for (let i = 0; i < n; i += 1) {
      let d = small[i];
      if (d === ESCAPE) {
        d = large.getInt32(taken, true);
        taken += 4;
      }
      if (order === 0) value = d;
      else if (order === 1) value += d;
      else {
        slope += d;
        value += slope;
      }
      into[i] = value * step_uv;
    }
  }

  // Samples of one channel under one filter, filled piece by piece.
  function makeLayer(n_samples, piece_samples) {
    const layer = {
      samples: new Float32Array(n_samples).fill(NaN),
      levels: BLOCKS.map((block) => ({
        block,
        low: new Float32Array(Math.ceil(n_samples / block)).fill(NaN),
        high: new Float32Array(Math.ceil(n_samples / block)).fill(NaN)
      })),
      filled: new Uint8Array(Math.ceil(n_samples / piece_samples))
    };
    layer.close = function (piece) {
      const first = piece * piece_samples;
      const last = Math.min(first + piece_samples, n_samples);
      const [fine, middle, coarse] = layer.levels;
      for (let b = Math.floor(first / fine.block); b < Math.ceil(last / fine.block); b += 1) {
        let low = NaN;
        let high = NaN;
        const stop = Math.min((b + 1) * fine.block, last);
        for (let i = b * fine.block; i < stop; i += 1) {
          const value = layer.samples[i];
          if (!(value >= low)) low = value === value ? value : low;
          if (!(value <= high)) high = value === value ? value : high;
        }
        fine.low[b] = low;
        fine.high[b] = high;
      }
      gather(fine, middle, first, last);
      gather(middle, coarse, first, last);
      layer.filled[piece] = 1;
    };
    return layer;
  }

  function gather(from, into, first, last) {
    const each = into.block / from.block;
    for (let b = Math.floor(first / into.block); b < Math.ceil(last / into.block); b += 1) {
      let low = NaN;
      let high = NaN;
      const stop = Math.min((b + 1) * each, from.low.length);
      for (let i = b * each; i < stop; i += 1) {
        if (!(from.low[i] >= low) && from.low[i] === from.low[i]) low = from.low[i];
        if (!(from.high[i] <= high) && from.high[i] === from.high[i]) high = from.high[i];
      }
      into.low[b] = low;
      into.high[b] = high;
    }
  }

  // Butterworth of fourth order as two second-order sections, by the bilinear transform.
  function sections(edge_hz, rate_hz, high) {
    const k = Math.tan((Math.PI * edge_hz) / rate_hz);
    return [0.5411961, 1.3065630].map((q) => {
      const norm = 1 / (1 + k / q + k * k);
      const b0 = high ? norm : k * k * norm;
      return [b0, high ? -2 * b0 : 2 * b0, b0, 2 * (k * k - 1) * norm, (1 - k / q + k * k) * norm];
    });
  }

  function run(values, [b0, b1, b2, a1, a2], backwards) {
    const n = values.length;
    // The state in which the first value would have lasted for ever, so that the filter does not ring from zero.
    const first = values[backwards ? n - 1 : 0];
    const settled = (first * (b0 + b1 + b2)) / (1 + a1 + a2);
    let z1 = settled - b0 * first;
    let z2 = b2 * first - a2 * settled;
    for (let j = 0; j < n; j += 1) {
      const i = backwards ? n - 1 - j : j;
      const x = values[i];
      const y = b0 * x + z1;
      z1 = b1 * x - a1 * y + z2;
      z2 = b2 * x - a2 * y;
      values[i] = y;
    }
  }

  // Filter forwards and backwards, so that nothing is moved in time. Stretches without samples stay without.
  eegsleep.filterBand = function (samples, rate_hz, band_hz) {
    const found = new Float32Array(samples.length).fill(NaN);
    const cascade = [...sections(band_hz[0], rate_hz, true)];
    if (band_hz[1] < 0.45 * rate_hz) cascade.push(...sections(band_hz[1], rate_hz, false));
    let start = 0;
    while (start < samples.length) {
      while (start < samples.length && samples[start] !== samples[start]) start += 1;
      let stop = start;
      while (stop < samples.length && samples[stop] === samples[stop]) stop += 1;
      if (stop - start > 10) {
        const values = Float64Array.from(samples.subarray(start, stop));
        for (const section of cascade) run(values, section, false);
        for (const section of cascade) run(values, section, true);
        found.set(values, start);
      }
      start = stop;
    }
    return found;
  };

  // Open an encoded trace: `data` is what `Trace.as_dict` gives.
  eegsleep.openTrace = function (data) {
    const { rate_hz, n_samples, piece_samples, step_uv } = data;
    const n_pieces = Math.ceil(n_samples / piece_samples);
    const channels = data.channels.map((channel) => ({
      label: channel.label,
      role: channel.role,
      layers: { recorded: makeLayer(n_samples, piece_samples) }
    }));
    const asked = new Map();

    function decode(piece) {
      if (!asked.has(piece)) {
        asked.set(piece, Promise.all(data.channels.map(async (channel, row) => {
          const [order, text] = channel.pieces[piece];
          const layer = channels[row].layers.recorded;
          const first = piece * piece_samples;
          const into = layer.samples.subarray(first, Math.min(first + piece_samples, n_samples));
          integrate(await inflate(bytesOf(text)), order, step_uv, into);
          for (const [from, to] of channel.gaps) {
            if (from < first + into.length && to > first) {
              into.fill(NaN, Math.max(from - first, 0), Math.min(to - first, into.length));
            }
          }
          layer.close(piece);
          channel.pieces[piece] = null; // its text is not needed again
        })));
      }
      return asked.get(piece);
    }

    const piecesOf = (from_s, to_s) => {
      const first = Math.max(0, Math.floor((from_s * rate_hz) / piece_samples));
      const last = Math.min(n_pieces - 1, Math.floor((to_s * rate_hz) / piece_samples));
      return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
    };

    // Decode what a window shows, then, when `all` is asked for, the rest from there outwards.
    async function load(from_s, to_s, all) {
      await Promise.all(piecesOf(from_s, to_s).map(decode));
      if (!all) return;
      const middle = ((from_s + to_s) / 2) * rate_hz / piece_samples;
      const order = Array.from({ length: n_pieces }, (_, i) => i).sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
      for (const piece of order) await decode(piece);
    }

    // The layer of a channel under a filter, filled wherever the window lies and the pieces around are decoded.
    function layerOf(row, filter, from_s, to_s) {
      const { layers } = channels[row];
      const recorded = layers.recorded;
      if (!BANDS_HZ[filter]) return recorded;
      const layer = layers[filter] = layers[filter] || makeLayer(n_samples, piece_samples);
      for (const piece of piecesOf(from_s, to_s)) {
        const around = [piece - 1, piece, piece + 1].filter((p) => p >= 0 && p < n_pieces);
        if (layer.filled[piece] || !around.every((p) => recorded.filled[p])) continue;
        const first = piece * piece_samples;
        const last = Math.min(first + piece_samples, n_samples);
        const from = Math.max(0, first - MARGIN_S * rate_hz);
        const to = Math.min(n_samples, last + MARGIN_S * rate_hz);
        const filtered = eegsleep.filterBand(recorded.samples.subarray(from, to), rate_hz, BANDS_HZ[filter]);
        layer.samples.set(filtered.subarray(first - from, last - from), first);
        layer.close(piece);
      }
      return layer;
    }

    return {
      rate_hz,
      n_samples,
      step_uv,
      channels,
      load: (from_s, to_s, all) => load(from_s - MARGIN_S - piece_samples / rate_hz, to_s + piece_samples / rate_hz, all),
      layerOf,
      isReady: (from_s, to_s) => piecesOf(from_s, to_s).every((p) => channels.every((c) => c.layers.recorded.filled[p]))
    };
  };

  // Points of one layer between two times on `width` pixels: the samples themselves where there are few, else the
  // smallest and largest of every pixel. `emit(x, microvolts)` is called with NaN where the line breaks.
  eegsleep.walk = function (layer, rate_hz, from_s, to_s, width, emit) {
    const scale = width / ((to_s - from_s) * rate_hz); // pixels a sample
    const origin = from_s * rate_hz;
    const first = Math.max(0, Math.floor(origin));
    const last = Math.min(layer.samples.length - 1, Math.ceil(to_s * rate_hz));
    if (scale > 0.25) {
      for (let i = first; i <= last; i += 1) emit((i - origin) * scale, layer.samples[i]);
      return;
    }
    const per_pixel = 1 / scale;
    const level = layer.levels.filter((l) => l.block <= per_pixel / 2).pop();
    const block = level ? level.block : 1;
    const low = level ? level.low : layer.samples;
    const high = level ? level.high : layer.samples;
    const pixels = Math.min(Math.ceil(width), Math.ceil((last - origin) * scale));
    for (let x = Math.max(0, Math.floor((first - origin) * scale)); x < pixels; x += 1) {
      const start = Math.max(0, Math.floor((origin + x * per_pixel) / block));
      const stop = Math.min(low.length, Math.max(start + 1, Math.floor((origin + (x + 1) * per_pixel) / block)));
      let least = Infinity;
      let most = -Infinity;
      for (let i = start; i < stop; i += 1) {
        if (low[i] < least) least = low[i];
        if (high[i] > most) most = high[i];
      }
      if (least > most) emit(x, NaN);
      else {
        emit(x, least);
        emit(x, most);
      }
    }
  };

  eegsleep.unpackBytes = bytesOf;
})(window.eegsleep = window.eegsleep || {});
