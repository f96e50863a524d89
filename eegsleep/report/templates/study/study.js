// The page of a study: theme, finding rows, and the hypnogram of the night under the pointer.
(function (eegsleep) {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const theme = $("theme");

  function showTheme() { theme.textContent = `Theme: ${document.documentElement.dataset.theme}`; }
  theme.addEventListener("click", () => {
    const at = eegsleep.THEMES.indexOf(document.documentElement.dataset.theme);
    eegsleep.chooseTheme(eegsleep.THEMES[(at + 1) % eegsleep.THEMES.length]);
    showTheme();
  });
  showTheme();

  const rows = new Map();
  for (const row of document.querySelectorAll("tr[data-of]")) rows.set(row.dataset.of, row);

  const form = $("find-nights");
  if (form) {
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      const words = form.elements.find.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
      let n = 0;
      for (const row of rows.values()) {
        row.hidden = !words.every((word) => row.dataset.find.includes(word));
        if (!row.hidden) n += 1;
      }
      form.querySelector("output").textContent = words.length ? `${n} found` : "";
    });
  }

  const peek = $("peek");
  function leave() {
    peek.hidden = true;
    for (const row of document.querySelectorAll("tr.here")) row.classList.remove("here");
  }
  function look(point) {
    leave();
    const row = rows.get(point.dataset.night);
    peek.textContent = point.dataset.words;
    const strip = row && row.querySelector(".strip");
    if (strip) peek.appendChild(strip.cloneNode(true));
    if (row) row.classList.add("here");
    peek.hidden = false;
    const place = point.getBoundingClientRect();
    const right = document.documentElement.clientWidth - peek.offsetWidth - 8;
    peek.style.left = `${Math.max(8, Math.min(place.left + window.scrollX - 20, right))}px`;
    peek.style.top = `${place.bottom + window.scrollY + 8}px`;
  }
  for (const point of document.querySelectorAll("[data-night]")) {
    point.addEventListener("pointerenter", () => look(point));
    point.addEventListener("pointerleave", leave);
    point.addEventListener("click", () => {
      const row = rows.get(point.dataset.night);
      const link = row && row.querySelector("a");
      if (link) window.location.href = link.href;
    });
  }
})(window.eegsleep = window.eegsleep || {});
