// One way to draw for the screen and for a file: the same calls go to a canvas or become the text of an SVG.
(function (eegsleep) {
  "use strict";

  const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
  const escapeXml = (text) => String(text).replace(/[<>&"']/g, (c) => "&#" + c.charCodeAt(0) + ";");
  const round = (number) => Math.round(number * 100) / 100;

  // A canvas as wide as its place, at the resolution of the screen.
  eegsleep.canvasPen = function (canvas, width, height, ratio) {
    const sharp = ratio || window.devicePixelRatio || 1;
    const [columns, rows] = [Math.round(width * sharp), Math.round(height * sharp)];
    if (canvas.width !== columns || canvas.height !== rows) {
      canvas.width = columns;
      canvas.height = rows;
      canvas.style.height = height + "px";
    }
    const c = canvas.getContext("2d");
    c.setTransform(sharp, 0, 0, sharp, 0, 0);
    c.clearRect(0, 0, width, height);
    return {
      width,
      height,
      rect(x, y, w, h, fill, { alpha = 1, stroke = null, dash = null, line = 1 } = {}) {
        c.globalAlpha = alpha;
        if (fill) {
          c.fillStyle = fill;
          c.fillRect(x, y, w, h);
        }
        if (stroke) {
          c.strokeStyle = stroke;
          c.lineWidth = line;
          c.setLineDash(dash || []);
          c.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
          c.setLineDash([]);
        }
        c.globalAlpha = 1;
      },
      // `points` is x, y, x, y…; NaN lifts the pen.
      line(points, stroke, { width: w = 1, dash = null, alpha = 1, fill = null } = {}) {
        c.beginPath();
        let down = false;
        for (let i = 0; i < points.length; i += 2) {
          const y = points[i + 1];
          if (y !== y) down = false;
          else if (down) c.lineTo(points[i], y);
          else {
            c.moveTo(points[i], y);
            down = true;
          }
        }
        c.globalAlpha = alpha;
        if (fill) {
          c.fillStyle = fill;
          c.fill();
        }
        if (stroke) {
          c.strokeStyle = stroke;
          c.lineWidth = w;
          c.lineJoin = "round";
          c.setLineDash(dash || []);
          c.stroke();
          c.setLineDash([]);
        }
        c.globalAlpha = 1;
      },
      text(words, x, y, fill, { size = 11, align = "left", base = "middle", bold = false, fit = 0 } = {}) {
        c.font = (bold ? "600 " : "") + size + "px " + FONT;
        c.textAlign = align;
        c.textBaseline = base;
        c.fillStyle = fill;
        c.fillText(fit ? shorten(words, fit, (t) => c.measureText(t).width) : words, x, y);
      },
      image(source, x, y, w, h) {
        c.imageSmoothingEnabled = false;
        c.drawImage(source, x, y, w, h);
      },
      clip(x, y, w, h, draw) {
        c.save();
        c.beginPath();
        c.rect(x, y, w, h);
        c.clip();
        draw();
        c.restore();
      }
    };
  };

  eegsleep.svgPen = function (width, height, ground) {
    const parts = [];
    let clips = 0;
    const stroked = (stroke, w, dash) =>
      ` stroke="${stroke}" stroke-width="${w}"${dash ? ` stroke-dasharray="${dash.join(" ")}"` : ""}`;
    return {
      width,
      height,
      rect(x, y, w, h, fill, { alpha = 1, stroke = null, dash = null, line = 1 } = {}) {
        parts.push(`<rect x="${round(x)}" y="${round(y)}" width="${round(Math.max(w, 0))}" height="${round(Math.max(h, 0))}" fill="${fill || "none"}"${alpha < 1 ? ` opacity="${alpha}"` : ""}${stroke ? stroked(stroke, line, dash) : ""}/>`);
      },
      line(points, stroke, { width: w = 1, dash = null, alpha = 1, fill = null } = {}) {
        let path = "";
        let down = false;
        for (let i = 0; i < points.length; i += 2) {
          const y = points[i + 1];
          if (y !== y) down = false;
          else {
            path += (down ? "L" : "M") + round(points[i]) + " " + round(y);
            down = true;
          }
        }
        if (path) parts.push(`<path d="${path}" fill="${fill || "none"}"${alpha < 1 ? ` opacity="${alpha}"` : ""}${stroke ? stroked(stroke, w, dash) : ""} stroke-linejoin="round"/>`);
      },
      text(words, x, y, fill, { size = 11, align = "left", base = "middle", bold = false, fit = 0 } = {}) {
        const anchor = { left: "start", center: "middle", right: "end" }[align];
        const shift = { middle: 0.35, top: 0.85, bottom: -0.2, alphabetic: 0 }[base] * size;
        const shown = fit ? shorten(words, fit, (t) => t.length * size * 0.55) : words;
        parts.push(`<text x="${round(x)}" y="${round(y + shift)}" font-size="${size}" text-anchor="${anchor}" fill="${fill}"${bold ? ' font-weight="600"' : ""}>${escapeXml(shown)}</text>`);
      },
      image(source, x, y, w, h) {
        parts.push(`<image x="${round(x)}" y="${round(y)}" width="${round(w)}" height="${round(h)}" preserveAspectRatio="none" style="image-rendering:pixelated" href="${source.toDataURL("image/png")}"/>`);
      },
      clip(x, y, w, h, draw) {
        clips += 1;
        const name = "c" + clips;
        parts.push(`<clipPath id="${name}"><rect x="${round(x)}" y="${round(y)}" width="${round(w)}" height="${round(h)}"/></clipPath><g clip-path="url(#${name})">`);
        draw();
        parts.push("</g>");
      },
      finish: () =>
        `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${round(width)} ${round(height)}" width="${round(width)}" height="${round(height)}" font-family="${escapeXml(FONT)}"><rect width="100%" height="100%" fill="${ground}"/>${parts.join("\n")}</svg>\n`
    };
  };

  function shorten(words, fit, measure) {
    let text = String(words);
    if (measure(text) <= fit) return text;
    while (text.length > 1 && measure(text + "…") > fit) text = text.slice(0, -1);
    return text.length > 1 ? text + "…" : "";
  }

  // Colours of the theme in force, read from the style sheet, so that both themes are declared in one place.
  eegsleep.readColours = function () {
    const style = getComputedStyle(document.documentElement);
    const names = [
      "ink", "muted", "rule", "paper", "ground", "grid", "second", "accent", "trace-eeg", "trace-eog", "trace-emg",
      "fast", "slow", "wave", "k-complex", "eye", "annotation", "arousal", "differs", "unsure", "window",
      "stage-W", "stage-R", "stage-1", "stage-2", "stage-3", "stage-X", "on-W", "on-R", "on-1", "on-2", "on-3", "on-X",
      "missing", "dead", "movement", "noise", "usable", "swa", "sigma"
    ];
    return Object.fromEntries(names.map((name) => [name, style.getPropertyValue("--" + name).trim()]));
  };
})(window.eegsleep = window.eegsleep || {});
