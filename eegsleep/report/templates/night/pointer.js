// Mouse and fingers on the figures: hover, tap, drag, pinch and wheel.
(function (eegsleep) {
  "use strict";

  const MOVED_PX = 4; // less is a tap

  // One finger or the mouse drags, two fingers pinch. `down` gives what `drag` gets back with the pixels moved.
  function follow(canvas, { down, drag, tap, hover, leave, pinch }) {
    const fingers = new Map();
    const apart = () => Math.abs([...fingers.values()][0] - [...fingers.values()][1]);
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    let start = null;
    let width = 0;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      fingers.set(event.pointerId, event.clientX);
      canvas.setPointerCapture(event.pointerId);
      if (fingers.size === 1) start = { x: event.clientX, moved: false, at: place(event), held: down(place(event)[0]) };
      else width = apart();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) {
        if (event.pointerType === "mouse") hover(place(event)[0]);
        return;
      }
      fingers.set(event.pointerId, event.clientX);
      if (fingers.size >= 2) {
        const now = apart();
        const middle = ([...fingers.values()][0] + [...fingers.values()][1]) / 2;
        if (width > 10 && now > 10) pinch(width / now, middle - canvas.getBoundingClientRect().left);
        width = now;
        start.moved = true;
        return;
      }
      if (Math.abs(event.clientX - start.x) > MOVED_PX) start.moved = true;
      if (start.moved) drag(start.held, event.clientX - start.x);
    });
    const lift = (event) => {
      if (!fingers.delete(event.pointerId) || fingers.size) return;
      if (!start.moved && event.type === "pointerup") tap(...start.at, event);
    };
    canvas.addEventListener("pointerup", lift);
    canvas.addEventListener("pointercancel", lift);
    canvas.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse" && !fingers.size) leave();
    });
  }

  const placeOf = (canvas, event) => event.clientX - canvas.getBoundingClientRect().left;

  // A drag within the window of the trace moves it; elsewhere it takes the window along; a tap goes to that epoch.
  eegsleep.followOverview = function (bench, part) {
    const { state, layouts, page } = bench;
    const canvas = document.getElementById(`over-${part}`);
    const seconds = (px) => eegsleep.secondsAt(layouts[part], state.range, px);
    const perPixel = () => (state.range.to_s - state.range.from_s) / layouts[part].inner;
    follow(canvas, {
      down(px) {
        const [at, near] = [seconds(px), 6 * perPixel()];
        const inside = at >= state.from_s - near && at <= state.from_s + state.span_s + near;
        return inside ? state.from_s : at - state.span_s / 2;
      },
      drag: (from_s, dx) => page.moveWindow(from_s + dx * perPixel()),
      tap: (px, _, event) => page.select(Math.floor(seconds(px) / eegsleep.EPOCH_S), { extend: event.shiftKey }),
      hover: (px) => page.setCursor(seconds(px)),
      leave: () => page.setCursor(null),
      pinch: (factor, px) => page.zoomRange(factor, seconds(px))
    });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      page.zoomRange(event.deltaY > 0 ? 1.25 : 0.8, seconds(placeOf(canvas, event)));
    }, { passive: false });
  };

  eegsleep.followTrace = function (bench) {
    const { state, layouts, page } = bench;
    const canvas = document.getElementById("over-trace");
    const share = (px) => Math.min(1, Math.max(0, (px - layouts.trace.left) / layouts.trace.inner));
    const seconds = (px) => state.from_s + share(px) * state.span_s;
    follow(canvas, {
      down: () => state.from_s,
      drag: (from_s, dx) => page.moveWindow(from_s - (dx / layouts.trace.inner) * state.span_s),
      tap: (px, py, event) => page.pick(seconds(px), layouts.trace.lanes.find((l) => py >= l.y && py <= l.y + l.height), event.shiftKey),
      hover: (px) => page.setCursor(seconds(px)),
      leave: () => page.setCursor(null),
      pinch: (factor, px) => page.setSpan(state.span_s * factor, seconds(px))
    });
    canvas.addEventListener("wheel", (event) => {
      if (event.ctrlKey) {
        event.preventDefault();
        page.stepSpan(event.deltaY > 0 ? 1 : -1, seconds(placeOf(canvas, event)));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        page.moveWindow(state.from_s + Math.sign(event.deltaX || event.deltaY) * state.span_s * 0.1);
      }
    }, { passive: false });
  };
})(window.eegsleep = window.eegsleep || {});
