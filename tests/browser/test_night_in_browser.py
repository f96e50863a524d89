"""The page of a night in a real browser: what it draws, every key, what it saves, and that it asks for nothing."""

import csv
import io
import json

import numpy as np
import pytest

import eegsleep as es

LETTERS = {"W": "W", "N1": "1", "N2": "2", "N3": "3", "R": "R", "UNS": "X"}


@pytest.fixture
def shown(open_page, night_file):
    return open_page(night_file)


def _download(shown, action):
    with shown.page.expect_download() as waiting:
        action()
    return waiting.value.suggested_filename, waiting.value.path().read_bytes()


def test_the_page_draws_everything_and_asks_for_nothing(shown, night_file):
    """No word on the console, no request but the page itself, and every canvas holds a picture."""
    assert shown.complaints == []
    assert shown.requests == [night_file.as_uri()]
    for canvas in ("base-top", "base-rest", "base-trace", "over-top", "coupling"):
        assert shown.number_of_colours(canvas) > 5
    assert shown.page.evaluate("document.documentElement.scrollWidth") == 1440


@pytest.mark.nightly
def test_the_samples_shown_are_those_that_were_analysed(shown, sample_recording):
    """The browser decodes every channel of the whole night to within half a step."""
    for row, label in enumerate(sample_recording.channels):
        decoded = shown.page.evaluate(f"Array.from(eegsleep.trace.channels[{row}].layers.recorded.samples)")
        assert np.abs(np.array(decoded) - sample_recording.signal(label)).max() <= 0.5 + 1e-6


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "band_hz"), [("wide", (0.3, 35)), ("sigma", (11, 16))])
def test_the_filters_are_those_that_are_named(shown, sample_recording, name, band_hz):
    """Butterworth of fourth order, forwards and backwards, as scipy has it."""
    from scipy.signal import butter, sosfiltfilt

    got = shown.page.evaluate(
        f"Array.from(eegsleep.trace.layerOf(0, '{name}', 600, 1500).samples.slice(60000, 150000))"
    )
    rounded = np.rint(sample_recording.signal(sample_recording.channels[0])[50_000:160_000])
    high = sosfiltfilt(butter(4, band_hz[0], "highpass", fs=100, output="sos"), rounded)
    expected = sosfiltfilt(butter(4, band_hz[1], "lowpass", fs=100, output="sos"), high)[10_000:-10_000]
    assert np.abs(np.array(got) - expected).max() < 0.05


def test_the_pyramid_holds_the_smallest_and_largest_of_its_samples(shown):
    """The whole night is drawn from blocks; none loses a peak."""
    worst = shown.page.evaluate(
        """(() => {
            const layer = eegsleep.trace.channels[0].layers.recorded;
            let worst = 0;
            for (const { block, low, high } of layer.levels) {
                for (let b = 0; b < low.length; b += 1) {
                    const part = layer.samples.subarray(b * block, (b + 1) * block);
                    worst = Math.max(worst, Math.abs(Math.min(...part) - low[b]));
                    worst = Math.max(worst, Math.abs(Math.max(...part) - high[b]));
                }
            }
            return worst;
        })()"""
    )
    assert worst == 0


def test_marks_sit_on_their_events_to_the_sample(shown, sample_night):
    """Opened from the list, an event lies where the table says: on its channel, its peak in the middle."""
    shown.page.locator("[data-show='fast spindle']").click()
    first = sample_night.spindles[
        (sample_night.spindles["spindle_class"] == "fast") & (sample_night.spindles["channel"] == "C4-M1")
    ].iloc[0]
    look = shown.look()
    assert look["event"].startswith("fast spindle C4-M1")
    assert look["from_s"] + look["span_s"] / 2 == pytest.approx(first.peak_s, abs=0.005)
    lane = look["layouts"]["trace"]["lanes"][0]
    left, inner = look["layouts"]["trace"]["left"], look["layouts"]["trace"]["inner"]
    edges = [
        left + (s - look["from_s"]) / look["span_s"] * inner for s in (first.onset_s, first.onset_s + first.duration_s)
    ]
    # the band of the mark is a colour of its own above the ground of the lane
    inside, outside = shown.page.evaluate(
        """([xs, y]) => xs.map((x) => {
            const canvas = document.getElementById('base-trace');
            const sharp = canvas.width / canvas.clientWidth;
            const [column, row] = [Math.round(x * sharp), Math.round(y * sharp)];
            return Array.from(canvas.getContext('2d').getImageData(column, row, 1, 1).data);
        })""",
        [[edges[0] + 3, edges[0] - 5], lane["y"] + lane["height"] - 6],
    )
    assert inside != outside


def test_overview_and_trace_agree_on_the_time(shown):
    """A click at a place of the overview takes the trace to the epoch that lies there."""
    layout = shown.look()["layouts"]["top"]
    box = shown.page.locator("#over-top").bounding_box()
    for epoch in (0, 90, 179):
        x = layout["left"] + (epoch + 0.5) * 30 / 5400 * layout["inner"]
        shown.page.mouse.click(box["x"] + x, box["y"] + 60)
        look = shown.look()
        assert look["epoch"] == epoch
        assert look["from_s"] == 30 * epoch
    tops, rests = (shown.look()["layouts"][part] for part in ("top", "rest"))
    assert (tops["left"], tops["inner"]) == (rests["left"], rests["inner"])
    assert tops["left"] == shown.look()["layouts"]["trace"]["left"]


def test_keys_move_by_epoch_and_window(shown):
    start = shown.look()
    assert (start["epoch"], start["span_s"], start["gain"]) == (0, 30, 1)
    shown.press("ArrowRight", "ArrowRight", "ArrowLeft")
    assert shown.look()["epoch"] == 1
    shown.press("ArrowUp", "PageDown")  # the trace is out of sight, and these keys scroll the page
    assert (shown.look()["epoch"], shown.look()["gain"]) == (1, 1)
    shown.page.locator("#traces").scroll_into_view_if_needed()
    shown.press("End")
    assert shown.look()["epoch"] == 179
    shown.press("Home", "-", "-")
    assert shown.look()["span_s"] == 120
    shown.press("+")
    assert shown.look()["span_s"] == 60
    shown.press("PageDown")
    assert shown.look()["from_s"] == 60
    shown.press("PageUp")
    assert shown.look()["from_s"] == 0
    shown.press("ArrowUp", "ArrowUp", "ArrowDown")
    assert shown.look()["gain"] == 1.5
    shown.press("f", "f")
    assert shown.look()["filter"] == "sigma"
    assert shown.complaints == []


def test_keys_set_stages_and_undo_them(shown):
    """Each key sets its stage and goes on; a range takes one stage; Z and Shift Z go back and forth."""
    start = shown.look()["letters"]
    for place, (key, letter) in enumerate([("w", "W"), ("1", "1"), ("2", "2"), ("3", "3"), ("r", "R"), ("x", "X")]):
        shown.press(key)
        assert shown.look()["letters"][place] == letter
        assert shown.look()["epoch"] == place + 1
    shown.press("z", "z")
    assert shown.look()["letters"][3:6] == "3" + start[4:6]
    shown.press("Shift+Z")
    assert shown.look()["letters"][4] == "R"
    shown.press("y")
    assert shown.look()["letters"][5] == "X"
    shown.press("Home", "Shift+ArrowRight", "Shift+ArrowRight")
    assert shown.look()["selection"] == [0, 2]
    shown.press("3")
    assert shown.look()["letters"][:3] == "333"
    shown.press(*["z"] * 9)
    assert shown.look()["letters"] == start
    assert shown.look()["edits"] == 0


def test_keys_find_what_is_worth_a_look(shown, sample_night):
    """U goes to unsure epochs, D to those the expert scored otherwise, N to a stage; each goes round."""
    unsure = np.flatnonzero(sample_night.stages["confidence"] < 0.6).tolist()
    found = []
    for _ in unsure:
        shown.press("u")
        found.append(shown.look()["epoch"])
    assert sorted(found) == unsure
    shown.press("Home", "d")
    assert shown.look()["epoch"] in range(60, 70)
    shown.page.locator("#next-stage").select_option("R")
    shown.page.locator("#traces").focus()
    shown.press("n")
    assert shown.look()["letters"][shown.look()["epoch"]] == "R"


def test_keys_judge_events_and_mark_arousals(shown):
    shown.press("]")
    event = shown.look()["event"]
    assert event
    shown.press("Delete")
    assert shown.look()["edits"] == 1
    shown.press("Backspace")
    assert shown.look()["edits"] == 0
    shown.press("]", "[")
    assert shown.look()["event"] == event
    shown.press("a")
    assert shown.look()["edits"] == 1
    shown.press("a")
    assert shown.look()["edits"] == 0
    shown.press("Escape")
    assert shown.look()["event"] == ""
    shown.press("b")
    assert shown.look()["blind"]
    shown.press("b", "?")
    assert shown.page.locator("#help").is_visible()
    assert shown.complaints == []


@pytest.mark.nightly
def test_sleep_statistics_on_the_page_are_those_of_python(shown, sample_night):
    """Before and after corrections, by the same definitions."""
    rng = np.random.default_rng(3)
    order = "W123RX"
    keys = rng.choice(list(order), 180)
    shown.press("Home")
    for key in keys:
        shown.page.keyboard.press(key.lower())
    got = shown.page.evaluate("eegsleep.statistics")
    names = {"W": "W", "1": "N1", "2": "N2", "3": "N3", "R": "R", "X": "UNS"}
    after = sample_night.stages.assign(stage=[names[key] for key in keys])
    for which, stages in (("before", sample_night.stages), ("now", after)):
        expected = es.measure_sleep(stages)
        for name, value in got[which].items():
            assert value == pytest.approx(expected[name].value, nan_ok=True) or (value is None), name


def test_corrections_are_scored_again_from_the_saved_file(shown, sample_recording, tmp_path):
    """What S saves is read by `score`: the stages as shown, ours as `was`, the recording's hash."""
    original = shown.look()["letters"]
    shown.page.locator("#traces").focus()
    shown.press("Home", "2", "3")
    shown.page.locator("#scorer").fill("Ada, =1+1")
    shown.page.locator("#traces").focus()
    name, content = _download(shown, lambda: shown.press("s"))
    assert name == "hypnogram-edited.csv"
    path = tmp_path / name
    path.write_bytes(content)
    scoring = es.read_hypnogram(path)
    assert "".join(LETTERS[stage] for stage in scoring.stages) == "23" + original[2:]
    assert "".join(LETTERS[stage] for stage in scoring.edit.was) == original
    assert scoring.edit.input_sha256 == sample_recording.sha256
    assert scoring.edit.scorers == ("Ada, =1+1",)
    stages, notes = es.align_scoring(scoring, sample_recording.start, sample_recording.n_epochs)
    assert stages["stage"].tolist()[:2] == ["N2", "N3"]
    assert notes == ()
    assert shown.page.locator("#command").inner_text() == (
        "eegsleep score sample-night.edf --hypnogram hypnogram-edited.csv"
    )


@pytest.mark.nightly
def test_stages_are_saved_as_edf_annotations_that_others_read(shown, tmp_path):
    import edfio

    shown.press("Home", "2", "a")
    name, content = _download(shown, lambda: shown.page.locator("[data-do='save-edf']").click())
    path = tmp_path / name
    path.write_bytes(content)
    scoring = es.read_hypnogram(path)
    assert "".join(LETTERS[stage] for stage in scoring.stages) == shown.look()["letters"]
    edf = edfio.read_edf(path)
    assert [a.onset for a in edf.annotations if a.text == "Arousal"] == [30.0]


def test_rejected_events_and_arousals_are_saved_for_score(shown, sample_night, tmp_path):
    shown.press("Home", "]", "Delete", "Home", "ArrowRight", "a")
    name, content = _download(shown, lambda: shown.page.locator("#save-events").click())
    path = tmp_path / name
    path.write_bytes(content)
    edits = es.read_event_edits(path)
    assert len(edits.rejected) == 1
    assert edits.arousals["onset_s"].tolist() == [30.0]
    row = edits.rejected.iloc[0]
    peaks = {"peak_s": sample_night.spindles, "neg_peak_s": sample_night.slow_oscillations}
    assert any(np.abs(table[column] - row.peak_s).min() < 1e-3 for column, table in peaks.items())


@pytest.mark.nightly
def test_changes_outlive_the_page_and_leaving_unsaved_is_warned_of(shown, open_page, night_file):
    """The storage of the browser keeps them under the hash of the recording; saving ends the warning."""
    shown.press("Home", "3", "3")
    context = shown.page.context
    warned = []
    shown.page.on("dialog", lambda dialog: (warned.append(dialog.type), dialog.dismiss()))
    shown.page.close(run_before_unload=True)
    shown.page.wait_for_timeout(300)
    assert warned == ["beforeunload"]
    again = open_page(night_file, context=context)
    assert again.look()["letters"].startswith("33")
    assert again.page.locator("#n-edits").inner_text() == "2 epochs changed"
    again.press("s")
    assert again.page.locator("#unsaved").inner_text() == "Saved."


def test_everything_but_sleep_statistics_says_before_edits(shown):
    def visible():
        return shown.page.evaluate(
            "[...document.querySelectorAll('.stale')].filter((e) => getComputedStyle(e).display !== 'none').length"
        )

    assert visible() == 0
    shown.press("Home", "2")
    assert visible() >= 6
    card = shown.page.locator(".card[data-marker='sol_min']")
    assert card.locator(".number").inner_text() == "0.0"
    assert "−6.0 by edits" in card.inner_text()
    shown.press("z")
    assert visible() == 0
    assert card.locator(".number").inner_text() == "6.0"


def test_blind_hides_what_would_bias_and_counts_what_is_scored(shown):
    shown.press("Home", "b", "w")
    assert "not scored yet" in shown.page.locator("#readout").inner_text()
    panels = {panel["name"] for part in ("top", "rest") for panel in shown.look()["layouts"][part]["panels"]}
    assert not panels & {"probabilities", "other", "spindles", "waves"}
    assert not shown.page.locator(".card").first.is_visible()
    shown.press("b")
    assert "Of the 1 epochs you scored, 100 %" in shown.page.locator("#blind-agreement").inner_text()


@pytest.mark.nightly
def test_the_list_of_events_sorts_and_filters(shown, sample_night):
    rows = shown.page.locator("#event-list tbody tr")
    shown.page.locator("#event-list th[data-by='amplitude_uv'] button").click()
    heights = [float(cell) for cell in rows.locator("td:nth-child(5)").all_inner_texts()]
    assert heights == sorted(heights, reverse=True)
    shown.page.locator("#event-list select[name='kind']").select_option("slow spindle")
    n_slow = int((sample_night.spindles["spindle_class"] == "slow").sum())
    assert f"{n_slow} of " in shown.page.locator("#event-list output").inner_text()
    rows.first.get_by_role("button", name="Reject").click()
    assert shown.look()["edits"] == 1
    assert rows.first.get_attribute("class") == "rejected"


@pytest.mark.nightly
def test_figures_and_their_data_are_saved(shown, sample_night):
    """PNG, SVG and CSV of the overview and of the window; the CSV holds the tables' numbers."""
    got = {}
    for what in ("overview-png", "overview-svg", "overview-csv", "trace-png", "trace-svg", "trace-csv"):
        button = shown.page.locator(f"[data-do='{what}']")
        shown.page.evaluate("(b) => { b.closest('details').open = true; }", button.element_handle())
        got[what] = _download(shown, button.click)[1]
    assert got["overview-png"].startswith(b"\x89PNG")
    assert got["trace-png"].startswith(b"\x89PNG")
    assert got["overview-svg"].startswith(b"<svg")
    assert b"C4-M1" in got["trace-svg"]
    rows = list(csv.DictReader(io.StringIO(got["overview-csv"].decode())))
    assert [row["stage"] for row in rows] == sample_night.stages["stage"].tolist()
    assert rows[0]["clock"] == "Mon 1 Jan 23:00:00"
    assert rows[120]["clock"] == "Tue 2 Jan 00:00:00"
    assert len(list(csv.reader(io.StringIO(got["trace-csv"].decode())))) == 3001


def test_markers_are_found_in_their_folds(shown):
    shown.page.locator("#fold-markers > summary").click()
    shown.page.locator("#find-markers input").fill("rem latency")
    assert shown.page.locator("details.family:visible").count() == 1
    assert "REM latency" in shown.page.locator("details.family:visible").inner_text()


def test_a_link_leads_to_its_epoch(open_page, night_file):
    assert open_page(f"{night_file}#epoch-101").look()["epoch"] == 100


def test_a_phone_scrolls_drags_and_pinches(open_page, night_file):
    """Nothing is wider than the screen; one finger drags the trace, two change the window."""
    shown = open_page(night_file, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    assert shown.page.evaluate("document.documentElement.scrollWidth") == 390
    shown.page.locator("#traces").scroll_into_view_if_needed()
    session = shown.page.context.new_cdp_session(shown.page)

    def touch(kind, *points):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    box = shown.page.locator("#over-trace").bounding_box()
    y, middle = box["y"] + 120, box["x"] + box["width"] / 2
    shown.press("End")
    touch("touchStart", (middle, y))
    for step in range(1, 9):
        touch("touchMove", (middle + 12 * step, y))
    touch("touchEnd")
    shown.press()
    moved = shown.look()
    assert moved["from_s"] < 179 * 30
    touch("touchStart", (middle - 30, y), (middle + 30, y))
    for step in range(1, 9):
        touch("touchMove", (middle - 30 - 8 * step, y), (middle + 30 + 8 * step, y))
    touch("touchEnd")
    shown.press()
    assert shown.look()["span_s"] < moved["span_s"]
    heights = shown.page.evaluate(
        "[...document.querySelectorAll('#bench-tools button')].map((b) => b.getBoundingClientRect().height)"
    )
    assert min(heights) >= 36


def _contrast(one, other):
    def light(colour):
        parts = [c / 255 for c in colour]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _rgb(text):
    digits = text.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    return tuple(int(digits[i : i + 2], 16) for i in (0, 2, 4))


@pytest.mark.nightly
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_themes(open_page, night_file, scheme):
    """Every colour that words are written in has 4.5:1 on each ground it stands on."""
    shown = open_page(night_file, color_scheme=scheme)
    assert shown.page.evaluate("document.documentElement.dataset.shade") == scheme
    colours = {name: _rgb(text) for name, text in shown.page.evaluate("eegsleep.readColours()").items() if text}
    words = ("ink", "muted", "accent", "annotation", "arousal", "k-complex", "trace-eeg", "trace-eog", "trace-emg")
    pairs = [(word, ground) for word in words for ground in ("paper", "ground")]
    pairs += [(f"on-{stage}", f"stage-{stage}") for stage in "WR123X"]
    weak = {pair: round(_contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}
    shown.page.locator("#theme").click()
    shown.page.locator("#theme").click()
    assert shown.page.evaluate("document.documentElement.dataset.shade") == "dark"


def test_print_takes_two_pages_at_most(open_page, night_file):
    pdf = open_page(night_file).page.pdf(format="A4")
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") + pdf.count(b"/Type /Page/") <= 2
    assert pdf.startswith(b"%PDF")


def test_hostile_labels_stay_text(open_page, sample_night, sample_recording, tmp_path):
    """Markup in an id, a label, a reason and an annotation is drawn and written, and never run."""
    import dataclasses

    import mne

    evil = "<img src=x onerror=alert(1)>\"'"
    named = {sample_recording.channels[0]: evil}
    raw = sample_recording.raw.copy().rename_channels(named)
    raw.set_annotations(mne.Annotations([5.0], [1.0], [evil]))
    roles = {named.get(label, label): role for label, role in sample_recording.roles.items()}
    tables = {"stages": sample_night.stages, "quality": sample_night.quality.replace({"channel": named})}
    events = dataclasses.replace(
        sample_night.events,
        spindles=sample_night.spindles.replace({"channel": named}),
        slow_oscillations=sample_night.slow_oscillations.replace({"channel": named}),
    )
    night = dataclasses.replace(sample_night, id=evil, roles=roles, events=events, **tables)
    recording = dataclasses.replace(sample_recording, raw=raw, roles=roles)
    path = tmp_path / "report.html"
    path.write_bytes(es.render_night(night, recording))
    dialogs = []
    shown = open_page(path)
    shown.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    shown.press("]", "Delete", "a", "ArrowRight")
    assert shown.page.locator("h1").inner_text() == evil
    assert (shown.complaints, dialogs) == ([], [])
    assert shown.requests == [path.as_uri()]
    button = shown.page.locator("[data-do='trace-svg']")
    shown.page.evaluate("(b) => { b.closest('details').open = true; }", button.element_handle())
    assert b"<img" not in _download(shown, button.click)[1]


@pytest.mark.nightly
def test_the_signal_of_a_batch_is_read_from_beside_the_page(open_page, sample_night, sample_recording, tmp_path):
    page = tmp_path / "night" / "report.html"
    page.parent.mkdir()
    page.write_bytes(es.render_night(sample_night, sample_recording, sidecar=True))
    page.with_name("trace.js").write_bytes(es.render_trace(sample_recording))
    ranges = {"sample-night": {"tst_min||": [380.04, 450.1, 6], "fast_spindle_density_per_min|NREM|C4-M1": [1, 3, 6]}}
    (tmp_path / "usual.js").write_text(f"(window.eegsleep = window.eegsleep || {{}}).usual = {json.dumps(ranges)};")
    shown = open_page(page)
    assert shown.complaints == []
    assert shown.number_of_colours("base-trace") > 5
    assert "own nights 380.0 to 450.1 (6)" in shown.page.locator(".card[data-marker='tst_min']").inner_text()
    assert "own nights" not in shown.page.locator(".card[data-marker='sol_min']").inner_text()
    page.with_name("trace.js").unlink()
    alone = open_page(page, wait_for="document.readyState === 'complete'")
    assert "it is not there" in alone.page.locator("#trace-waiting").inner_text()
    assert alone.number_of_colours("base-top") > 5


def test_a_night_without_a_clock_and_without_events_is_shown(open_page, sample_night, sample_recording, tmp_path):
    """Hours since the start in the place of the clock, and no complaint about what is not there."""
    import dataclasses

    from eegsleep import tables

    empty = dataclasses.replace(
        sample_night.events,
        spindles=tables.empty_table(tables.SPINDLES),
        slow_oscillations=tables.empty_table(tables.SLOW_OSCILLATIONS),
        coupling=tables.empty_table(tables.COUPLING),
    )
    night = dataclasses.replace(sample_night, start=None, events=empty, averages=None, spectrogram=None)
    path = tmp_path / "report.html"
    path.write_bytes(es.render_night(night, sample_recording))
    shown = open_page(path)
    shown.press("ArrowRight", "]", "Delete", "2")
    assert "0:01:00 h" in shown.page.locator("#readout").inner_text()
    assert shown.complaints == []


@pytest.mark.nightly
def test_what_the_page_took(shown, night_file, record_property):
    """Recorded, not asserted: size, first paint, first trace, time of a redraw."""
    shown.page.evaluate("eegsleep.timings.length = 0")
    for _ in range(60):
        shown.press("ArrowRight")
    taken = shown.page.evaluate(
        """({
            paint_ms: performance.getEntriesByName('first-contentful-paint')[0].startTime,
            first_trace_ms: performance.getEntriesByName('first trace')[0].startTime,
            redraws_ms: eegsleep.timings
        })"""
    )
    redraws = np.array(taken.pop("redraws_ms"))
    taken |= {
        "redraw_median_ms": np.median(redraws),
        "redraw_max_ms": redraws.max(),
        "bytes": night_file.stat().st_size,
    }
    record_property("night_page", json.dumps({name: round(float(value), 1) for name, value in taken.items()}))
    assert redraws.size >= 60


def test_the_clock_is_the_recorders_and_never_ambiguous(shown):
    """Days are named across midnight, whatever the reader's time zone; half seconds of the start are kept."""
    clock = "eegsleep.makeClock('2026-03-28T22:51:30.500000')"  # the night in which Europe's clocks go forward
    full = shown.page.evaluate(f"[0, 4109.4, 4109.5, 36000].map((s) => {clock}.full(s))")
    assert full == ["Sat 28 Mar 22:51:30", "Sat 28 Mar 23:59:59", "Sun 29 Mar 00:00:00", "Sun 29 Mar 08:51:30"]
    ticks = shown.page.evaluate(f"{clock}.ticks(0, 36000, 12).ticks.map((t) => [t.at, t.label, t.day])")
    assert ticks[:3] == [[509.5, "23:00", "Sat 28 Mar"], [4109.5, "00:00", "Sun 29 Mar"], [7709.5, "01:00", ""]]
    hours = shown.page.evaluate("eegsleep.makeClock(null).full(3723)")
    assert hours == "1:02:03 h"


@pytest.mark.nightly
def test_the_readout_says_why_an_epoch_was_set_aside(open_page, sample_night, sample_recording, tmp_path):
    import dataclasses

    quality = sample_night.quality.copy()
    bad = (quality["channel"] == "F3-M2") & quality["epoch"].between(2, 3)
    quality.loc[bad, ["usable", "reason"]] = [False, "swings over 1000 µV"]
    path = tmp_path / "report.html"
    path.write_bytes(es.render_night(dataclasses.replace(sample_night, quality=quality), sample_recording))
    shown = open_page(path)
    shown.press("ArrowRight")
    assert "set aside" not in shown.page.locator("#readout").inner_text()
    shown.press("ArrowRight")
    assert "F3-M2 set aside: swings over 1000 µV" in shown.page.locator("#readout").inner_text()
