"""The page of one night: whole in itself, hostile text harmless, absent never zero."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from eegsleep import tables
from eegsleep.errors import EegSleepError, SettingsError
from eegsleep.quality import Verdict
from eegsleep.recording.faults import Fault
from eegsleep.report.compose import encode_figure, share_plotly
from eegsleep.report.night_data import nrem_windows
from eegsleep.report.night_page import SCRIPTS, render_night, render_trace
from eegsleep.report.night_words import describe_night
from eegsleep.report.numbers import format_number
from eegsleep.staging.lights import Lights

CHANNEL = "Fpz-Cz"
REASONS = ["samples missing", "flat", "swings over 1000 µV", "contact lost"]
AVERAGES = ["kind", "channel", "time_s", "mean_uv", "sem_uv", "n"]


@dataclass(frozen=True)
class FakeNight:
    """Has what the page reads of a night."""

    id: str
    start: datetime | None
    duration_s: float
    device: str
    roles: dict
    lights: Lights
    stages: pd.DataFrame
    quality: pd.DataFrame
    spindles: pd.DataFrame
    slow_oscillations: pd.DataFrame
    coupling: pd.DataFrame
    spectrum: pd.DataFrame
    markers: pd.DataFrame
    spectrogram: object
    averages: pd.DataFrame
    verdict: Verdict
    warnings: tuple
    methods: tuple
    provenance: dict
    reference: pd.DataFrame | None = None
    before: pd.DataFrame | None = None


def _stages(rng):
    plan = [("W", 30)]
    for n3, rem in ((70, 14), (44, 30), (20, 44), (0, 56), (0, 50)):
        plan += [("N1", 6), ("N2", 50), ("N3", n3), ("N2", 36), ("R", rem), ("W", 3)]
    names = np.repeat([stage for stage, _ in plan], [length for _, length in plan])[:960]
    names = np.append(names, np.repeat("W", 960 - len(names))).astype(object)
    names[500:506] = "UNS"
    columns = {"W": "p_wake", "N1": "p_n1", "N2": "p_n2", "N3": "p_n3", "R": "p_rem"}
    alphas = np.array([[9.0 if names[i] == stage else 0.5 for stage in columns] for i in range(960)])
    chances = np.array([rng.dirichlet(alpha) for alpha in alphas])
    chances[500:506] = np.nan
    frame = pd.DataFrame(dict(zip(columns.values(), chances.T, strict=True)))
    return frame.assign(
        epoch=np.arange(960),
        onset_s=np.arange(960) * 30.0,
        stage=names,
        confidence=chances.max(axis=1),
        usable=names != "UNS",
        agreement=1.0,
    )


def _quality(rng, roles):
    frames = []
    for label, role in roles.items():
        bad = rng.random(960) < 0.03
        bad[500:506] = True
        frames.append(
            pd.DataFrame(
                {
                    "epoch": np.arange(960),
                    "onset_s": np.arange(960) * 30.0,
                    "channel": label,
                    "role": role,
                    "rms_uv": 20.0,
                    "ptp_uv": 90.0,
                    "flat_fraction": 0.0,
                    "clipped_fraction": 0.0,
                    "nonfinite_fraction": 0.0,
                    "high_frequency_uv": 3.0,
                    "movement_fraction": 0.0,
                    "drift_uv": 20.0,
                    "mains_uv": 2.0,
                    "relative_gain": 1.0,
                    "usable": ~bad,
                    "reason": np.where(bad, rng.choice(REASONS, 960), ""),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _events(rng, stages):
    asleep = np.flatnonzero(stages["stage"].isin(["N2", "N3"]))
    peak = np.sort(rng.choice(asleep, 900) * 30 + rng.random(900) * 30)
    kind = np.where(rng.random(900) < 0.65, "fast", "slow")
    spindles = pd.DataFrame(
        {
            "channel": CHANNEL,
            "stage": "N2",
            "onset_s": peak - 0.4,
            "duration_s": 0.8,
            "peak_s": peak,
            "frequency_hz": 13.0,
            "amplitude_uv": 40.0,
            "amplitude_broadband_uv": 60.0,
            "n_oscillations": 9,
            "symmetry": 0.5,
            "spindle_class": kind,
        }
    )
    coupled = rng.random(900) < 0.3
    coupling = pd.DataFrame(
        {
            "channel": CHANNEL,
            "stage": "N2",
            "spindle_class": kind,
            "spindle_peak_s": peak,
            "neg_peak_s": peak - 0.5,
            "delay_s": 0.5,
            "phase_rad": np.where(coupled, rng.vonmises(-0.4, 1.6, 900), np.nan),
            "coupled": coupled,
        }
    )
    deep = np.flatnonzero(stages["stage"] == "N3")
    trough = np.sort(rng.choice(deep, 1500) * 30 + rng.random(1500) * 30)
    waves = pd.DataFrame(
        {
            "channel": CHANNEL,
            "stage": "N3",
            "onset_s": trough - 0.3,
            "duration_s": 1.2,
            "neg_peak_s": trough,
            "mid_crossing_s": trough + 0.3,
            "pos_peak_s": trough + 0.6,
            "neg_peak_uv": -60.0,
            "pos_peak_uv": 50.0,
            "ptp_uv": 110.0,
            "slope_uv_per_s": 300.0,
            "frequency_hz": 0.8,
            "kind": "slow_oscillation",
            "found_absolute": True,
        }
    )
    return spindles, waves, coupling


def _markers():
    rows = [
        ("tst_min", "A", "", "", 412.5, "min", ""),
        ("sleep_efficiency_percent", "A", "", "", 85.94, "percent", ""),
        ("sol_min", "A", "", "", 15.0, "min", ""),
        ("waso_min", "A", "", "", 37.5, "min", ""),
        ("rem_latency_min", "C", "", "", np.nan, "min", "no REM before the signal was lost"),
        ("n3_min", "B", "", "", 67.0, "min", ""),
        ("rem_min", "C", "", "", 97.0, "min", ""),
        ("fast_spindle_density_per_min", "D", "NREM", CHANNEL, 2.31, "per_min", ""),
        ("fast_spindle_density_per_min", "D", "N2", CHANNEL, 2.62, "per_min", ""),
        ("slow_oscillation_density_per_min", "D", "NREM", CHANNEL, 6.4, "per_min", ""),
        ("swa_power_uv2", "B", "NREM", CHANNEL, 812.0, "uv2", ""),
    ]
    frame = pd.DataFrame(rows, columns=["marker", "family", "stage", "channel", "value", "unit", "reason"])
    others = (
        "expected",
        "low",
        "high",
        "at_least",
        "at_less_delta",
        "at_more_delta",
        "by_other_stager",
        "by_consensus",
    )
    return tables.check_table(frame.assign(n=640, clean_min=242.5, **dict.fromkeys(others, np.nan)), tables.MARKERS)


def _averages():
    time = np.arange(-1, 1, 0.01)
    shape = {
        "fast spindle": 14 * np.cos(2 * np.pi * 13.5 * time) * np.exp(-((time / 0.35) ** 2)),
        "slow spindle": 12 * np.cos(2 * np.pi * 11 * time) * np.exp(-((time / 0.4) ** 2)),
        "slow oscillation": -60 * np.cos(2 * np.pi * 0.8 * time) * np.exp(-((time / 0.8) ** 2)),
    }
    frames = [
        pd.DataFrame({"kind": kind, "channel": CHANNEL, "time_s": time, "mean_uv": mean, "sem_uv": 1.5, "n": 580})
        for kind, mean in shape.items()
    ]
    return pd.concat(frames, ignore_index=True)


def _spectrogram(rng, stages):
    frequency = np.arange(0, 40.01, 0.2)
    drop = {"N3": 2.2, "N2": 1.7, "N1": 1.3, "R": 1.2}
    slope = np.array([drop.get(stage, 1.0) for stage in stages["stage"]])
    power = 25 - 10 * slope * np.log10(frequency[:, None] + 0.5) + 8 * (slope - 1) + rng.normal(0, 1.5, (201, 960))
    power += 5 * np.exp(-(((frequency[:, None] - 13) / 1.2) ** 2)) * (slope == drop["N2"])
    power[:, 500:506] = np.nan
    return SimpleNamespace(channel=CHANNEL, onset_s=np.arange(960) * 30.0, frequency_hz=frequency, power_db=power)


@pytest.fixture(scope="module")
def night():
    """Eight hours of plausible sleep."""
    rng = np.random.default_rng(7)
    roles = {CHANNEL: "eeg", "Pz-Oz": "eeg", "EOG horizontal": "eog", "EMG submental": "emg"}
    stages = tables.check_table(_stages(rng), tables.HYPNOGRAM)
    spindles, waves, coupling = _events(rng, stages)
    return FakeNight(
        id="sub-07_night-2",
        start=datetime(2026, 3, 14, 22, 51, 30),  # noqa: DTZ001
        duration_s=28800.0,
        device="Sleep-EDF cassette",
        roles=roles,
        lights=Lights(300, 28800, "user"),
        stages=stages,
        quality=_quality(rng, roles),
        spindles=spindles,
        slow_oscillations=waves,
        coupling=coupling,
        spectrum=tables.empty_table(tables.SPECTRUM),
        markers=_markers(),
        spectrogram=_spectrogram(rng, stages),
        averages=_averages(),
        verdict=Verdict("caution", ("Pz-Oz: 12 % of the epochs were set aside: flat (115).",)),
        warnings=("Pz-Oz was flat from 03:01 to 03:04.",),
        methods=("Stages were scored by YASA 0.8.1.", "Spindles were detected in N2 and N3."),
        provenance={
            "eegsleep version": "0.1.0",
            "fingerprint": "ab12" * 16,
            "versions": {"yasa": "0.8.1"},
            "input": {"sha256": "f" * 64},
            "settings": {"spindles": {"low_hz": 11, "high_hz": 16}},
        },
    )


def _without_scripts(page):
    return re.sub(r"<script(?! type=)[^>]*>.*?</script>", "", page, flags=re.DOTALL)


def _data(page):
    return json.loads(re.search(r'id="night-data">(.*?)</script>', page, flags=re.DOTALL).group(1))


def _policy(page):
    return re.search(r'Content-Security-Policy" content="([^"]+)"', page).group(1).replace("&#39;", "'")


def test_the_page_of_eight_hours_is_one_small_file_that_loads_nothing(night):
    """Under a megabyte but for the signal, and no element names a file or an address to fetch."""
    content = render_night(night)
    assert len(content) < 1_000_000
    body = _without_scripts(content.decode())
    assert not re.search(r"""(?:\bsrc|\bsrcset)\s*=|href="(?!#)|url\(|@import""", body)


def test_the_policy_allows_the_scripts_of_the_page_and_no_others(night):
    """The hashes in the policy are those of the scripts as they stand in the page."""
    page = render_night(night).decode()
    policy = _policy(page)
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    expected = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert len(scripts) == len(SCRIPTS) + 1
    assert re.findall(r"'sha256-([^']+)'", policy) == expected
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "")


def test_what_the_scripts_draw_is_what_the_tables_hold(night):
    """Stages, probabilities, events, averages and the clock travel to the page as they are."""
    data = _data(render_night(night).decode())
    names = {"W": "W", "1": "N1", "2": "N2", "3": "N3", "R": "R", "X": "UNS"}
    assert [names[letter] for letter in data["stages"]] == night.stages["stage"].tolist()
    bytes_ = np.frombuffer(base64.b64decode(data["probabilities"]), np.uint8).reshape(-1, 5)
    known = night.stages[["p_wake", "p_n1", "p_n2", "p_n3", "p_rem"]].to_numpy()
    assert np.abs(bytes_[:500] / 250 - known[:500]).max() <= 0.5 / 250 + 1e-9
    assert (bytes_[500:506] == 255).all()
    np.testing.assert_allclose(data["spindles"]["peak_s"], night.spindles["peak_s"], atol=5e-4)
    assert len(data["waves"]["peak_s"]) == len(night.slow_oscillations)
    assert {average["kind"] for average in data["averages"]} == set(night.averages["kind"])
    assert data["start"] == "2026-03-14T22:51:30"
    assert data["coupling"]["n"] == sum(data["coupling"]["counts"])
    spectrogram = data["spectrogram"]
    assert len(base64.b64decode(spectrogram["power"])) == spectrogram["rows"] * spectrogram["columns"]


def test_hostile_text_is_shown_and_never_run(night):
    """Markup in a label, an id, a warning or a reason reaches the page only escaped."""
    evil = "<script>alert(1)</script>"
    rename = {CHANNEL: evil}
    changed = {
        name: getattr(night, name).replace({"channel": rename})
        for name in ("quality", "spindles", "slow_oscillations", "coupling", "markers", "averages")
    }
    changed["quality"] = changed["quality"].assign(reason=evil)
    changed["markers"] = changed["markers"].assign(reason=evil)
    hostile = dataclasses.replace(
        night,
        id=evil,
        device=evil,
        verdict=Verdict("reject", (evil,)),
        warnings=(evil,),
        methods=(evil,),
        provenance={evil: evil, "input": {evil: evil}},
        roles={rename.get(label, label): role for label, role in night.roles.items()},
        spectrogram=SimpleNamespace(**(vars(night.spectrogram) | {"channel": evil})),
        **changed,
    )
    page = render_night(hostile).decode()
    assert "alert(1)" in page
    assert evil not in page
    assert len(re.findall(r"<script[ >]", _without_scripts(page))) == 1
    assert _data(page)["id"] == evil
    assert "</" not in encode_figure({"text": "</script>"})


@pytest.mark.parametrize(("verdict", "word"), [("usable", "Usable"), ("caution", "Caution"), ("reject", "Reject")])
def test_the_verdict_stands_above_everything_in_words(night, verdict, word):
    """Verdict and reasons come before the first number, and the colour is not the only sign."""
    changed = dataclasses.replace(night, verdict=Verdict(verdict, ("First reason.", "µV & <second>.")))
    page = render_night(changed).decode()
    top = page[: page.index('id="warnings"')]
    box = re.search(rf'<section class="verdict {verdict}".*?</section>', top, flags=re.DOTALL).group()
    assert f"{word}</span>" in box
    assert re.findall(r"<li>(.*?)</li>", box) == ["First reason.", "µV &amp; &lt;second&gt;."]


def test_the_quality_strip_tells_kinds_of_reasons(night):
    """Each stretch that was set aside has its kind and its reason, and the key names the kinds."""
    page = render_night(night).decode()
    found = {}
    for first, n, kind, reason in _data(page)["quality"][CHANNEL]:
        found |= dict.fromkeys(range(first, first + n), (kind, reason))
    kinds = dict(zip(REASONS, ("missing", "dead", "movement", "noise"), strict=True))
    bad = night.quality[(night.quality["channel"] == CHANNEL) & ~night.quality["usable"]]
    assert found == {row.epoch: (kinds[row.reason], row.reason) for row in bad.itertuples()}
    for meaning in ("usable", "missing", "flat or clipped", "movement", "noise or lost contact"):
        assert f"</i>{meaning}</span>" in page


def test_a_missing_value_is_a_dash_with_its_reason_and_never_zero(night):
    """REM latency without REM reads – and tells why, in its card and in the table."""
    page = render_night(night).decode()
    card = re.search(r"<dt>REM latency</dt>.*?</div>", page, flags=re.DOTALL).group()
    assert '<span class="number">–</span>' in card
    assert "no REM before the signal was lost" in card
    row = re.search(r"<th[^>]*>REM latency <span.*?</tr>", page, flags=re.DOTALL).group()
    assert '<td class="number">–<' in row
    assert "no REM before the signal was lost" in row
    assert format_number(float("nan")) == "–"
    assert format_number(-0.1234) == "−0.123"


def test_a_window_without_usable_nrem_is_a_gap_and_not_a_zero(night):
    """Density is NaN in wake, zero in silent usable NREM, and counts per usable minute elsewhere."""
    density = nrem_windows(night, CHANNEL, [])
    stages = night.stages["stage"].to_numpy(object)
    for window, value in enumerate(density):
        nrem = np.isin(stages[window * 10 : window * 10 + 10], ("N2", "N3")).any()
        assert np.isnan(value) if not nrem else not value > 0
    assert np.nanmax(density) == 0
    half = dataclasses.replace(night, quality=night.quality.assign(usable=night.quality["epoch"] % 2 == 0))
    first = int(np.flatnonzero(stages == "N3")[0]) // 10 + 1
    events = np.arange(first * 300, first * 300 + 300, 10.0)
    assert nrem_windows(half, CHANNEL, events)[first] == pytest.approx(6)


@pytest.mark.parametrize("case", ["nothing at all", "given hypnogram", "no NREM", "no EEG", "read back"])
def test_a_night_with_parts_missing_says_so_and_is_still_drawn(night, case):
    """Every part that is left out leaves a sentence behind."""
    given = night.stages.assign(**dict.fromkeys(["p_wake", "p_n1", "p_n2", "p_n3", "p_rem"], np.nan))
    silent = {
        "spindles": tables.empty_table(tables.SPINDLES),
        "coupling": tables.empty_table(tables.COUPLING),
        "slow_oscillations": tables.empty_table(tables.SLOW_OSCILLATIONS),
        "start": None,
        "spectrogram": None,
        "averages": pd.DataFrame({name: [] for name in AVERAGES}),
    }
    changes, sentence = {
        "nothing at all": (
            silent
            | {
                "stages": tables.empty_table(tables.HYPNOGRAM),
                "quality": tables.empty_table(tables.QUALITY),
                "markers": tables.empty_table(tables.MARKERS),
                "warnings": (),
                "methods": (),
                "provenance": {},
            },
            "The marker table has no row",
        ),
        "given hypnogram": ({"stages": given}, "the hypnogram was given"),
        "no NREM": (silent | {"stages": given.assign(stage="W")}, "holds a usable minute of N2 or N3"),
        "read back": ({"spectrogram": None, "averages": None}, "which a night read back does not hold"),
        "no EEG": (silent | {"roles": {"chin": "emg"}}, "the recording has no EEG derivation"),
    }[case]
    page = render_night(dataclasses.replace(night, **changes)).decode()
    assert sentence in page
    assert 'class="omitted"' in page
    if case == "no NREM":
        assert "hours since the start" in page
        assert _data(page)["start"] is None


def test_equal_nights_give_equal_bytes(night):
    """Nothing in the page depends on the moment or the run."""
    assert render_night(night) == render_night(dataclasses.replace(night))


def test_the_night_is_told_in_a_sentence(night):
    assert describe_night(night.markers).startswith(
        "6 h 52 min of sleep in 8 h 00 min of bed (86 %): asleep after 15 min"
    )
    silent = night.markers.assign(value=np.nan)
    assert describe_night(silent) == "The sleep of this night could not be measured."
    awake = night.markers.assign(value=0.0)
    assert describe_night(awake) == "No sleep was found in this night."


def test_the_signal_of_a_batch_lies_beside_the_page(sample_night, sample_recording):
    """The page lets in that one script by its nonce, and says what is missing where it is not there."""
    page = render_night(sample_night, sample_recording, sidecar=True).decode()
    assert len(page) < 800_000
    nonce = re.search(r"'nonce-([0-9a-f]{32})'", _policy(page)).group(1)
    files = ("../usual.js", "trace.js")
    expected = [f'<script nonce="{nonce}" src="{file}" defer>' for file in files]
    assert re.findall(r"<script[^>]*src=[^>]*>", page) == expected
    assert "the signal is in the file trace.js beside this page" in page
    sidecar = render_trace(sample_recording).decode()
    whole = render_night(sample_night, sample_recording).decode()
    inside = re.search(r'id="trace-data">(.*?)</script>', whole, flags=re.DOTALL).group(1)
    assert inside in sidecar
    assert page == render_night(sample_night, sample_recording, sidecar=True).decode()


def test_a_page_without_signal_says_why(sample_night, sample_recording):
    assert "read back from its folder does not hold it" in render_night(sample_night).decode()
    page = render_night(sample_night, sample_recording, trace="none").decode()
    assert "made with --trace none" in page
    assert 'id="trace-data"' not in page
    with pytest.raises(SettingsError, match="trace"):
        render_night(sample_night, sample_recording, trace="fine")


def test_an_experts_stages_and_the_agreement_with_them_are_on_the_page(night):
    expert = night.stages.assign(stage=night.stages["stage"].replace({"N1": "N2"}))
    page = render_night(dataclasses.replace(night, reference=expert)).decode()
    assert _data(page)["reference"].count("1") == 0
    n_differ = int((night.stages["stage"] == "N1").sum())
    scored = int((night.stages["stage"] != "UNS").sum())
    assert f"agree on {100 * (1 - n_differ / scored):.1f} % of {scored} epochs" in page
    assert f"; {n_differ} differ." in page


def test_notes_on_the_files_form_stand_under_provenance_and_not_first(sample_night, sample_recording):
    """How many bytes trail behind the last record is no news of the night; an assumed unit is."""
    faults = (
        Fault("trailing-bytes", "repaired", "7 bytes follow the last record"),
        Fault("unit-assumed", "repaired", "the unit was taken to be µV"),
    )
    warned = dataclasses.replace(sample_night, warnings=tuple(fault.as_note() for fault in faults))
    page = render_night(warned, dataclasses.replace(sample_recording, faults=faults), trace="none").decode()
    first, last = page.split('id="summary"')
    assert "The unit was taken" in first
    assert "7 bytes follow" not in first
    assert "7 bytes follow" in last


def test_plotly_is_kept_once_and_mended_if_it_is_not_what_we_wrote(tmp_path):
    """The file is whole JavaScript of the wheel, left alone while it is right, and replaced when it is damaged."""
    from plotly.offline import get_plotlyjs

    url = share_plotly(tmp_path / "nights")
    path = tmp_path / "nights" / url.removeprefix("../")
    assert path.read_text(encoding="utf-8") == get_plotlyjs()
    first = path.stat()
    assert share_plotly(tmp_path / "nights") == url
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    path.write_bytes(path.read_bytes()[:1000])
    share_plotly(tmp_path / "nights")
    assert path.read_text(encoding="utf-8") == get_plotlyjs()
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_where_plotly_cannot_be_kept_is_said_in_a_sentence(tmp_path):
    (tmp_path / "nights").write_text("a file", encoding="utf-8")
    with pytest.raises(EegSleepError, match="cannot be written"):
        share_plotly(tmp_path / "nights")
