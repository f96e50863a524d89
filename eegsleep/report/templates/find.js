// Finds rows in the folded families of markers.
(function () {
  "use strict";
  const form = document.getElementById("find-markers");
  if (!form) return;
  const families = Array.from(document.querySelectorAll("details.family"));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    const words = form.elements.find.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    for (const family of families) {
      let here = 0;
      for (const row of family.querySelectorAll("tbody tr")) {
        row.hidden = !words.every((word) => row.dataset.find.includes(word));
        if (!row.hidden) here += 1;
      }
      family.hidden = !here;
      family.open = words.length > 0 && here > 0;
      n += here;
    }
    form.querySelector("output").textContent = words.length ? `${n} found` : "";
  });
})();
