"""Quality: each fault is found where it is, with its reason, nothing else is blamed, and a verdict follows."""

import mne
import numpy as np
import pandas as pd
import pytest

from eegsleep.quality import QualitySettings, judge_night, measure_quality, reason_kind
from eegsleep.recording.recording import Recording
from eegsleep.tables import QUALITY, check_table

RATE_HZ = 128
EPOCH = slice(300 * RATE_HZ, 330 * RATE_HZ)  # the tenth


def make_noise(seed=1, minutes=10, rate_hz=RATE_HZ):
    """Pink-like noise of an EEG's size, and the little an amplifier adds, in µV."""
    rng = np.random.default_rng(seed)
    white = rng.normal(0, 60, int(minutes * 60 * rate_hz))
    return mne.filter.filter_data(white, rate_hz, 0.5, 20, verbose="ERROR") + rng.normal(0, 1, white.size)


def record(signals, roles=None, rate_hz=RATE_HZ):
    """Return a recording of signals in µV by label."""
    roles = roles or dict.fromkeys(signals, "eeg")
    info = mne.create_info(list(signals), rate_hz, list(roles.values()))
    raw = mne.io.RawArray(np.stack(list(signals.values())) * 1e-6, info, verbose="ERROR")
    return Recording(id="made", raw=raw, roles=roles)


def make_recording(fault=None, role="eeg"):
    """Ten minutes of noise; epoch 10 carries the fault."""
    noise = make_noise()
    if fault:
        noise[EPOCH] = fault(noise[EPOCH])
    return record({"C4-M1": noise}, {"C4-M1": role})


def seconds(x):
    return np.arange(x.size) / RATE_HZ


def clip(x):
    return np.clip(x, -5, 5) * 200


def swing(x):
    return x + 900 * np.sin(seconds(x))


def buzz(x):
    return x + 80 * np.sin(2 * np.pi * 35 * seconds(x))


def lose(x):
    return np.where(np.arange(x.size) < 200, np.nan, x)


def turn_over(x):
    """Sway by hundreds of µV for nine seconds."""
    return x + 380 * np.sin(2 * np.pi * 0.9 * seconds(x)) * (seconds(x) < 9)


def blink(x):
    """One wave of a K-complex's size, only larger."""
    return x + 350 * np.sin(2 * np.pi * seconds(x)) * (seconds(x) < 1)


def take_off(x):
    """Leave an open input: mains and little else."""
    return 0.2 * x + 90 * np.sin(2 * np.pi * 50 * seconds(x))


def hang_in_air(x):
    """Let the level wander off slowly while the brain is gone."""
    return 0.05 * x + np.linspace(-400, 400, x.size)


def short_out(x):
    return np.random.default_rng(0).normal(0, 0.5, x.size)


@pytest.mark.parametrize(
    ("fault", "reason", "kind"),
    [
        (np.zeros_like, "flat", "dead"),
        (clip, "clipped", "dead"),
        (swing, "swings", "movement"),
        (buzz, "high-frequency", "noise"),
        (lose, "missing", "missing"),
        (turn_over, "movement", "movement"),
        (take_off, "contact lost", "noise"),
        (hang_in_air, "contact lost", "noise"),
        (short_out, "no signal", "dead"),
    ],
)
def test_fault_is_named_in_its_epoch_only(fault, reason, kind):
    quality = measure_quality(make_recording(fault))
    assert reason in quality["reason"][10]
    assert reason_kind(quality["reason"][10]) == kind
    assert quality["usable"].sum() == 19
    assert not quality["usable"][10]


def test_clean_noise_is_usable_throughout():
    assert measure_quality(make_recording())["usable"].all()


def test_one_large_wave_is_not_movement():
    """A K-complex lasts a second; it is measured, and not blamed."""
    quality = measure_quality(make_recording(blink))
    assert 0 < quality["movement_fraction"][10] < 0.1
    assert quality["usable"].all()


def test_eye_channel_may_swing():
    """Amplitude limits hold for EEG; an eye movement is what an EOG is for."""
    assert measure_quality(make_recording(swing, role="eog"))["usable"].all()


def test_high_frequency_level_is_in_microvolts():
    """A 35 Hz sine of 80 µV has a root mean square of 56.6 µV."""
    quality = measure_quality(make_recording(buzz))
    assert quality["high_frequency_uv"][10] == pytest.approx(80 / np.sqrt(2), rel=0.03)


@pytest.mark.parametrize("rate_hz", [110, 128, 250, 256, 256.03])
@pytest.mark.parametrize("line_hz", [50, 50.04])
def test_mains_are_measured_in_microvolts_and_blame_no_epoch(rate_hz, line_hz):
    """A sine of 40 µV reads 40 µV at any rate that reaches it; resampling takes it out, so epochs stay usable."""
    noise = make_noise(rate_hz=rate_hz)
    hum = 40 * np.sin(2 * np.pi * line_hz * np.arange(noise.size) / rate_hz)
    quality = measure_quality(record({"C4-M1": noise + hum}, rate_hz=rate_hz))
    assert quality["mains_uv"].to_numpy() == pytest.approx(40, rel=0.03)
    assert quality["usable"].all()
    assert measure_quality(record({"C4-M1": noise}, rate_hz=rate_hz))["mains_uv"].max() < 2


def test_mains_of_sixty_hertz_count_where_the_rate_reaches_them():
    noise = make_noise()
    hum = 30 * np.sin(2 * np.pi * 60 * seconds(noise))
    assert measure_quality(record({"C4-M1": noise + hum}))["mains_uv"].to_numpy() == pytest.approx(30, rel=0.03)


def test_mains_beyond_the_recorded_rate_are_unknown_not_zero():
    assert measure_quality(record({"C4-M1": make_noise(rate_hz=100)}, rate_hz=100))["mains_uv"].isna().all()


def test_mains_elsewhere_do_not_keep_a_dead_epoch_alive():
    """Resampling leaves a trace of mains in a flat epoch, so flat is looked for before it."""
    noise = make_noise()
    noise += 40 * np.sin(2 * np.pi * 50 * seconds(noise))
    noise[EPOCH] = 0
    quality = measure_quality(record({"C4-M1": noise}))
    assert quality["reason"][10] == "flat"
    assert quality["flat_fraction"].drop(10).max() == 0


@pytest.mark.parametrize(("level_uv", "reason"), [(-187500.02, "clipped"), (1000, "clipped"), (0, "flat")])
def test_channel_at_a_rail_throughout_is_told_from_a_dead_one(level_uv, reason):
    constant = np.full(600 * RATE_HZ, level_uv, dtype=float)
    quality = measure_quality(record({"C4-M1": make_noise(), "TP9": constant}))
    dead = quality[quality["channel"] == "TP9"]
    assert dead["reason"].str.startswith(reason).all()
    assert quality[quality["channel"] == "C4-M1"]["usable"].all()


def test_what_was_not_recorded_is_missing_in_every_number():
    """Neither an absent epoch nor an absent channel has an amplitude of zero."""
    noise = make_noise()
    noise[EPOCH] = np.nan
    quality = measure_quality(record({"C4-M1": noise, "F3-M2": np.full(noise.size, np.nan)}))
    absent = quality[quality["nonfinite_fraction"] == 1]
    assert len(absent) == 1 + 20
    measured = [
        c.name for c in QUALITY.columns if c.kind == "float" and c.name not in {"onset_s", "nonfinite_fraction"}
    ]
    assert absent[measured].drop(columns="relative_gain").isna().all(axis=None)
    assert (absent["reason"] == "samples missing").all()


def make_sleep(seed, delta=1.0, gain=1.0):
    """Two hours in which delta and gain of the second hour are changed."""
    brain, own = make_noise(99, 120), make_noise(seed, 120)
    signal = brain + 0.7 * own
    slow = mne.filter.filter_data(signal, RATE_HZ, None, 4, verbose="ERROR")
    later = np.arange(signal.size) >= 3600 * RATE_HZ
    return (signal + later * (delta - 1) * slow) * np.where(later, gain, 1.0)


def test_gain_step_on_one_channel_is_marked_and_makes_a_caution():
    """The epochs stay usable: the number and the verdict tell it."""
    quality = measure_quality(record({"C4-M1": make_sleep(1, gain=0.5), "F3-M2": make_sleep(2)}))
    gain = quality[quality["channel"] == "C4-M1"]["relative_gain"].to_numpy()
    assert gain[:100].mean() / gain[140:].mean() == pytest.approx(2, rel=0.05)
    assert quality["usable"].all()
    assert any("size of C4-M1 against F3-M2" in reason for reason in judge_night(quality).reasons)


def test_gain_step_is_laid_to_the_one_of_three_that_moved():
    signals = {"C4-M1": make_sleep(1), "F3-M2": make_sleep(2, gain=0.5), "O1-M2": make_sleep(3)}
    reasons = judge_night(measure_quality(record(signals))).reasons
    assert [reason.split()[3] for reason in reasons if reason.startswith("The size of")] == ["F3-M2"]


def test_threefold_delta_on_all_channels_is_sleep_and_not_gain():
    quality = measure_quality(record({"C4-M1": make_sleep(1, delta=3), "F3-M2": make_sleep(2, delta=3)}))
    assert quality["relative_gain"].between(0.9, 1.1).all()
    assert not any("size of" in reason for reason in judge_night(quality).reasons)


def test_gain_of_a_single_derivation_is_unknown():
    assert measure_quality(make_recording())["relative_gain"].isna().all()


def make_table(hours=8.0, **changes):
    """Make a night of two EEG and an EOG without fault; `changes` are columns of the first EEG by name."""
    n = int(hours * 120)
    good = {
        "rms_uv": 20.0,
        "ptp_uv": 120.0,
        "flat_fraction": 0.0,
        "clipped_fraction": 0.0,
        "nonfinite_fraction": 0.0,
        "high_frequency_uv": 2.0,
        "movement_fraction": 0.0,
        "drift_uv": 20.0,
        "mains_uv": 1.0,
        "relative_gain": 1.0,
        "reason": "",
    }
    frames = []
    for label, role in (("C4-M1", "eeg"), ("F3-M2", "eeg"), ("E1-M2", "eog")):
        columns = (
            good | (changes if label == changes.get("channel", "C4-M1") else {}) | {"channel": label, "role": role}
        )
        frames.append(pd.DataFrame({"epoch": np.arange(n), "onset_s": 30.0 * np.arange(n)} | columns))
    table = pd.concat(frames, ignore_index=True)
    usable = table["reason"] == ""
    return check_table(table.assign(usable=usable, usable_at_level=usable), QUALITY)


def part(share, fault, usual, n=960):
    """Return a column in which a share of the night is faulty."""
    return np.where(np.arange(n) < share * n, fault, usual)


def test_a_clean_night_is_usable_and_says_what_it_rests_on():
    verdict = judge_night(make_table())
    assert verdict.verdict == "usable"
    assert verdict.reasons == ("C4-M1 is usable in 100 % of 8.0 h.",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hours": 3.5}, "An excerpt of 3.5 h"),
        ({"reason": part(0.2, "flat", "")}, "C4-M1: 20 % of the epochs were set aside: flat (192)"),
        ({"mains_uv": part(0.2, 30.0, 1.0)}, "mains hum of 30 µV in 20 % of the usable epochs"),
        ({"relative_gain": part(0.2, 0.5, 1.0)}, "changes up to 2.0-fold and is off for 96 min"),
        ({"rms_uv": 0.4}, "unlike an EEG"),
        ({"channel": "E1-M2", "reason": part(0.6, "flat", "")}, "the EOG is as good as lost"),
    ],
)
def test_each_fault_of_a_night_is_a_caution_with_its_reason(changes, words):
    verdict = judge_night(make_table(**changes))
    assert verdict.verdict == "caution"
    assert len(verdict.reasons) == 1
    assert words in verdict.reasons[0]


def test_a_gap_in_all_channels_is_a_caution():
    table = make_table()
    gap = table["epoch"].between(100, 130)
    table = table.assign(nonfinite_fraction=gap.astype(float), reason=np.where(gap, "samples missing", ""), usable=~gap)
    verdict = judge_night(table)
    assert verdict.verdict == "caution"
    assert verdict.reasons[0].startswith("16 min are missing in all channels")


@pytest.mark.parametrize(("share", "expected"), [(0.05, "usable"), (0.45, "caution"), (0.55, "reject")])
def test_the_best_derivation_decides_on_rejection(share, expected):
    table = make_table(reason=part(share, "flat", ""))
    alone = table[table["channel"] != "F3-M2"]
    assert judge_night(alone).verdict == expected
    assert judge_night(table).verdict == ("usable" if expected == "usable" else "caution")


def test_a_night_needs_three_usable_hours():
    table = make_table(hours=4.5, reason=part(0.4, "flat", "", 540))
    verdict = judge_night(table[table["channel"] != "F3-M2"])
    assert verdict.verdict == "reject"
    assert verdict.reasons[0].startswith("Only 2.7 h are usable")


def test_limits_are_settings():
    assert judge_night(make_table(), QualitySettings(max_mains_uv=0.5)).verdict == "caution"


def test_a_real_recording_is_believed_but_for_one_swing(real_data):
    from eegsleep import read_recording

    quality = measure_quality(read_recording(real_data / "segment" / "segment.edf"))
    assert quality["reason"].value_counts().to_dict() == {"": 166, "swings over 1000 µV": 1}
