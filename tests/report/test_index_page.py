"""The page over all nights: every night is there, absent is never zero, and it opens from a disk without a network."""

import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from eegsleep.report.compose import share_plotly
from eegsleep.report.hypnogram_strip import draw_strip
from eegsleep.report.index_page import Glance, render_index

CHANNEL = "Fpz-Cz"
VALUES = {
    "tst_min||": 412.5,
    "sleep_efficiency_percent||": 85.9,
    "sol_min||": 15.0,
    "waso_min||": 37.5,
    "n3_min||": 67.0,
    "rem_min||": 97.0,
    f"fast_spindle_density_per_min|NREM|{CHANNEL}": 2.31,
    "fast_spindle_density_per_min|NREM|Pz-Oz": 9.99,
    f"slow_oscillation_density_per_min|NREM|{CHANNEL}": 6.4,
}
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _night(name, **changes):
    return {
        "night": name,
        "subject": "S1",
        "start": "2026-03-14T22:51:30",
        "duration_s": 28800.0,
        "device": "muse",
        "lights": "user",
        "verdict": "usable",
        "verdict_reasons": "All is well.",
        "reason": "",
        **VALUES,
        **changes,
    }


def _job(name, **changes):
    return {
        "night": name,
        "subject": "S1",
        "file": "x.edf",
        "status": "done",
        "seconds": 1.0,
        "memory_mb": 1.0,
        "error": "",
        "reason": "",
        **changes,
    }


def _render(nights, jobs=(), **more):
    glances = {night["night"]: Glance(CHANNEL, "WW1222333RRW", {}, has_report=True) for night in nights}
    page = render_index(
        pd.DataFrame(nights),
        pd.DataFrame(list(jobs)) if jobs else None,
        **{"glances": glances, "plotly": "plotly.js", **more},
    )
    return page.decode()


def _row(page, night):
    return next(row for row in re.findall(r"<tr data-status.*?</tr>", page, re.DOTALL) if f">{night}<" in row)


def _numbers(row):
    cells = re.findall(r'<td class="number" data-sort="[^"]*">(.*?)</td>', row, re.DOTALL)
    return [re.sub("<[^>]+>", "", cell) for cell in cells]


def test_a_night_shows_its_values_on_its_first_derivation_and_leads_to_its_report():
    row = _row(_render([_night("a")], [_job("a", status="fresh")]), "a")
    assert _numbers(row) == ["412", "86", "15", "38", "67", "97", "2.31", "6.40"]
    assert 'href="./a/report.html"' in row
    assert "✓ fresh" in row
    assert "✓ usable" in row


def test_a_missing_value_is_a_dash_with_its_reason_and_never_zero():
    column = "rem_min||"
    glance = Glance(CHANNEL, "", {column: "no REM was scored"}, has_report=False)
    row = _row(_render([_night("a", **{column: np.nan})], glances={"a": glance}), "a")
    assert _numbers(row)[5] == "–"
    assert '<abbr title="no REM was scored">–</abbr>' in row
    assert "href" not in row


def test_a_night_that_failed_comes_first_with_its_reason_and_no_link():
    page = _render([_night("a")], [_job("a"), _job("b", status="failed", error="RecordingError", reason="cut off")])
    assert page.index(">b<") < page.index(">a</a>")
    row = _row(page, "b")
    assert "cut off" in row
    assert "✕ failed" in row
    assert "href" not in row
    assert not _numbers(row)
    assert "1 of 2 nights could not be made or read: b." in page


def test_a_night_that_failed_but_was_made_before_says_whose_values_it_shows():
    row = _row(_render([_night("a")], [_job("a", status="failed", reason="cut off")]), "a")
    assert "cut off The values are those of an earlier run." in row
    assert _numbers(row)[0] == "412"


def test_hostile_names_stay_text():
    evil = "\"><script>alert(1)</script>'{{ 7*7 }}=cmd()"
    night = _night(evil, subject=evil, device=evil, verdict_reasons=evil)
    page = _render(
        [night, _night("b", verdict="", reason=evil)], [_job("c", status="failed", reason=evil)], notes=[evil]
    )
    assert "<script>alert" not in page
    assert "{{ 7*7 }}" in page
    links = re.findall(r'href="([^"]*)"', page)
    assert all(re.fullmatch(r"\./[\w.~%-]+/report\.html", link) for link in links)
    for name in ("figure-nights", "choices"):
        text = re.search(rf'id="{name}">(.*?)</script>', page, re.DOTALL).group(1)
        assert "<" not in text
        json.loads(text)


def test_only_our_scripts_run_and_nothing_is_fetched_but_plotly():
    page = _render([_night("a")])
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page).group(1).replace("&#39;", "'")
    nonce = re.search(r"'nonce-([0-9a-f]{32})'", policy).group(1)
    assert f'<script nonce="{nonce}" src="plotly.js"></script>' in page
    assert len(re.findall(r"\bsrc=", page)) == 1
    assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "")
    assert not re.search(r"<[^>]+\son\w+\s*=", re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL))


def test_a_page_of_other_nights_has_another_nonce():
    """A nonce that were always the same could be written into the header of a recording."""
    pages = [_render([_night(name)]) for name in ("a", "b", "a")]
    nonces = [re.search(r"'nonce-(\w+)'|&#39;nonce-(\w+)&#39;", page).group(0) for page in pages]
    assert nonces[0] == nonces[2] != nonces[1]
    assert pages[0] == pages[2]


def test_without_a_shared_file_the_page_carries_all_it_needs():
    page = _render([_night("a")], plotly=None)
    assert len(page) > 4_000_000
    assert "src=" not in re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL)


def test_five_hundred_nights_are_a_small_page():
    rng = np.random.default_rng(0)
    names = [f"sub-{number:03d}" for number in range(500)]
    stages = {name: "".join(np.repeat(rng.choice(list("WR123"), 120), 8)) for name in names}
    glances = {name: Glance(CHANNEL, stages[name], {}, has_report=True) for name in names}
    page = _render([_night(name) for name in names], glances=glances)
    assert len(page.encode()) < 2_000_000
    assert page.count("<tr data-status") == 500
    assert page.count('<svg class="strip"') == 500


def test_a_folder_without_a_night_is_a_page_that_says_so():
    columns = pd.DataFrame([_night("a")]).iloc[:0]
    page = render_index(columns, plotly="plotly.js").decode()
    assert "There is no night in this folder." in page
    assert "No night has a value to draw." in page


@pytest.mark.parametrize(("subject", "mode"), [("S1", "lines+markers"), ("", "markers")])
def test_only_nights_of_one_named_sleeper_are_joined_by_a_line(subject, mode):
    page = _render([_night("a", subject=subject), _night("b", subject=subject, start="2026-03-15T23:00:00")])
    assert f'"mode":"{mode}"' in page


def test_nights_without_a_date_are_drawn_in_order():
    figure = re.search(r'id="figure-nights">(.*?)</script>', _render([_night("a", start=""), _night("b")]), re.DOTALL)
    assert json.loads(figure.group(1))["data"][0]["x"] == [1, 2]


def test_a_night_that_begins_after_midnight_is_of_the_evening_before():
    page = _render([_night("a"), _night("b", start="2026-03-16T00:40:00", **{"tst_min||": np.nan})])
    trace = json.loads(re.search(r'id="figure-nights">(.*?)</script>', page, re.DOTALL).group(1))["data"][0]
    assert trace["x"] == ["2026-03-14", "2026-03-15"]
    assert trace["y"] == [412.5, None]


def test_a_strip_goes_down_into_deep_sleep_and_leaves_a_gap_where_nothing_was_scored():
    svg = draw_strip("UUW1U3RRU", 6)
    assert re.findall(r'd="([^"]*)"', svg) == ["M0 3H1V15H2M3 27H4V9H6", "M4 9H6"]
    assert "wake 0.5 min, N1 0.5 min, N3 0.5 min, REM 1 min, unscored 0.5 min" in svg
    assert draw_strip("UUU", 6) == ""


def test_strips_of_one_page_share_one_scale_of_time():
    widths = [int(re.search(r'width="(\d+)"', draw_strip("2" * length, 960)).group(1)) for length in (960, 480, 1)]
    assert widths == [120, 60, 1]


def _open(path):
    """Open a page from the disk in a browser; return what became of it, and what the console said."""
    if not BROWSER:
        pytest.skip("no Chromium at hand; the page is still checked as text")
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--enable-logging=stderr",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={path.parent / 'profile'}",
        "--virtual-time-budget=8000",
        "--dump-dom",
        path.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    console = [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    return done.stdout.decode(), console


@pytest.mark.nightly
def test_the_figure_is_drawn_from_the_shared_file_under_the_policy(tmp_path):
    """Opened as file://, in Chromium, without a word on the console."""
    path = tmp_path / "index.html"
    path.write_text(_render([_night("a"), _night("b")], plotly=share_plotly(tmp_path)[3:]), encoding="utf-8")
    page, console = _open(path)
    assert console == []
    assert 'class="main-svg"' in page
    assert "Not drawn" not in page.split("<template")[0]


@pytest.mark.nightly
def test_without_the_shared_file_the_page_says_what_it_needs_and_shows_its_table(tmp_path):
    path = tmp_path / "index.html"
    path.write_text(_render([_night("a")], plotly="plotly-9.min.js"), encoding="utf-8")
    page, _ = _open(path)
    shown = page.split("<template")[0]
    assert "Not drawn: the figure needs the file plotly-9.min.js beside this page" in shown
    assert 'class="main-svg"' not in page
    assert _numbers(_row(page, "a"))[0] == "412"
    assert "<button" in page


_ACTIONS = """
var heads = Array.from(document.querySelectorAll("table.nights thead th"));
var head = heads.find(h => h.textContent.indexOf("TST") === 0);
var shown = () => Array.from(document.querySelectorAll("table.nights tbody tr:not([hidden]) th"), c => c.textContent);
var set = (id, value) => { var place = document.getElementById(id); place.value = value;
  place.dispatchEvent(new Event("input", { bubbles: true })); place.dispatchEvent(new Event("change")); };
var seen = {};
for (var way of ["up", "down"]) { head.querySelector("button").click(); seen[way] = shown();
  seen[way + "Aria"] = head.getAttribute("aria-sort"); }
set("verdict", "caution"); seen.caution = shown(); set("verdict", "");
set("status", "failed"); seen.failed = shown(); set("status", "");
set("find", "B1"); seen.found = shown(); set("find", "");
set("marker", "1"); var drawn = document.querySelector("[data-figure]"); seen.y = drawn.data[0].y;
seen.title = drawn.layout.yaxis.title.text;
var out = document.createElement("pre"); out.id = "seen"; out.textContent = JSON.stringify(seen);
document.body.appendChild(out);
"""


def test_the_table_sorts_and_filters_and_the_figure_takes_another_marker(tmp_path):
    """What is missing comes last whichever way is sorted; the policy is taken off only to let the test look."""
    nights = [
        _night("a", **{"tst_min||": 400.0}),
        _night("b10", **{"tst_min||": np.nan}),
        _night("b1", verdict="caution", **{"tst_min||": 90.0, "sleep_efficiency_percent||": 50.0}),
    ]
    page = _render(nights, [_job("z", status="failed", reason="cut")], plotly=share_plotly(tmp_path)[3:])
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    path = tmp_path / "index.html"
    path.write_text(page.replace("</body>", f"<script>{_ACTIONS}</script></body>"), encoding="utf-8")
    page, console = _open(path)
    assert console == []
    seen = json.loads(re.search(r'<pre id="seen">(.*?)</pre>', page, re.DOTALL).group(1))
    assert seen["up"] == ["b1", "a", "zcut", "b10"]
    assert seen["down"] == ["a", "b1", "zcut", "b10"]
    assert (seen["upAria"], seen["downAria"]) == ("ascending", "descending")
    assert seen["caution"] == ["b1"]
    assert seen["failed"] == ["zcut"]
    assert seen["found"] == ["b1", "b10"]
    assert seen["y"] == [85.9, 85.9, 50.0]
    assert seen["title"] == "Sleep efficiency, %"


def test_the_condition_is_a_column_once_the_codes_were_opened():
    page = _render([_night("a"), _night("b")], conditions={"a": "compound"})
    assert '<th scope="col">Condition</th>' in page
    assert '<td class="state compound" data-sort="compound"><span class="tag">▲ compound</span></td>' in _row(page, "a")
    assert '<td class="state " data-sort="">–</td>' in _row(page, "b")
    assert "Condition" not in _render([_night("a")])
