// Sets the theme before anything is drawn: what the reader chose here last, else what the system has.
(function (eegsleep) {
  "use strict";

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const KEY = "eegsleep theme";

  eegsleep.THEMES = ["auto", "light", "dark"];
  eegsleep.applyTheme = function () {
    const theme = root.dataset.theme;
    root.dataset.shade = theme === "dark" || (theme === "auto" && dark.matches) ? "dark" : "light";
  };
  eegsleep.chooseTheme = function (theme) {
    try { window.localStorage.setItem(KEY, theme); } catch { /* it holds for this visit */ }
    root.dataset.theme = theme;
    eegsleep.applyTheme();
  };
  let kept = null;
  try { kept = window.localStorage.getItem(KEY); } catch { /* the default */ }
  root.dataset.theme = eegsleep.THEMES.includes(kept) ? kept : "auto";
  eegsleep.applyTheme();
  dark.addEventListener("change", eegsleep.applyTheme);
})(window.eegsleep = window.eegsleep || {});
