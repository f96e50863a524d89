"""A person's own thresholds: medians over nights of known sizes, in µV, of nights that belong together."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from planted_spindles import given_stages, record

from eegsleep.config import Settings
from eegsleep.errors import SettingsError, TableError
from eegsleep.events.calibrate import calibrate_nights
from eegsleep.events.calibration import Calibration, check_setup
from eegsleep.events.slow_oscillations import find_slow_oscillation_candidates
from eegsleep.provenance import hash_file
from eegsleep.tables import SLOW_OSCILLATION_CANDIDATES, SPINDLE_CANDIDATES, encode_table

TABLES = (SPINDLE_CANDIDATES, SLOW_OSCILLATION_CANDIDATES)


def candidates(table, **values):
    blank = {"int": 0, "float": 1.0, "str": "", "bool": False}
    row = {column.name: blank[column.kind] for column in table.columns}
    return pd.DataFrame([{**row, "channel": "C4", "stage": "N2", **values}] * 3)


def write(folder, *tables, **changed):
    """Write a night folder: these tables, and a provenance with their hashes."""
    folder.mkdir(exist_ok=True)
    for table, frame in zip(TABLES, tables, strict=False):
        (folder / f"{table.name}.csv").write_bytes(encode_table(frame, table))
    provenance = {
        "input": {"sha256": folder.name, "duration_s": 28800.0},
        "subject": "sub-1",
        "device": "sleep-edf",
        "roles": {"C4": "eeg", "EOG": "eog"},
        "units": {},
        "settings": json.loads(json.dumps(Settings().to_dict())),
        "versions": {"eegsleep": "1"},
        "hypnogram_sha256": "",
        "outputs": {f"{table.name}.csv": hash_file(folder / f"{table.name}.csv") for table in TABLES},
    }
    (folder / "provenance.json").write_text(json.dumps(provenance | changed))


@pytest.fixture
def nights(tmp_path):
    """Return three night folders whose sigma is 2, 3 and 10 µV and whose waves of N2 are 20, 25 and 90 µV high."""
    for name, sigma_uv, height_uv in (("a", 2.0, 20.0), ("b", 3.0, 25.0), ("c", 10.0, 90.0)):
        spindles = candidates(SPINDLE_CANDIDATES, baseline_uv=sigma_uv, background_level=sigma_uv / 2)
        write(tmp_path / name, spindles, candidates(SLOW_OSCILLATION_CANDIDATES, reference_uv=height_uv))
    return tmp_path


def test_thresholds_are_multiples_of_the_median_night(nights):
    """2.5 times a sigma of 3 µV and 4 times a height of 25 µV: the poor electrode of night c moves neither."""
    learned = calibrate_nights(nights)
    assert learned.n_nights == 3
    assert learned.sigma_amplitude_uv == {"C4": pytest.approx(7.5)}
    assert learned.background_level == {"C4": pytest.approx(1.5)}
    assert learned.so_amplitude_uv == {"C4": pytest.approx(100.0)}
    assert learned.device == "sleep-edf"


def test_a_sine_of_known_size_gives_four_times_its_height(nights):
    """A sine of 0.8 Hz, 30 µV to either side, is 60 µV high: a person with such waves needs 240 µV."""
    signal = 30 * np.cos(2 * np.pi * 0.8 * np.arange(60_000) / 100)
    quality = pd.DataFrame({"epoch": np.arange(20), "channel": "C4", "usable": True})
    found = find_slow_oscillation_candidates(record(signal[None], ["C4"]), given_stages(["N2"] * 20), quality)
    for name in "abc":
        write(nights / name, candidates(SPINDLE_CANDIDATES), found)
    assert calibrate_nights(nights).so_amplitude_uv["C4"] == pytest.approx(240, rel=0.02)


def test_multiples_are_those_of_the_nights_own_settings(nights):
    settings = json.loads(json.dumps(Settings().to_dict()))
    settings["spindles"]["min_sigma_ratio"], settings["slow_oscillations"]["relative_ptp"] = 3.0, 5.0
    for name in "abc":
        write(nights / name, settings=settings)
    learned = calibrate_nights(nights)
    assert learned.sigma_amplitude_uv == {"C4": pytest.approx(9.0)}
    assert learned.so_amplitude_uv == {"C4": pytest.approx(125.0)}


def test_a_single_night_is_too_few(nights):
    for name in "bc":
        shutil.rmtree(nights / name)
    with pytest.raises(TableError, match="too few nights"):
        calibrate_nights(nights)


def test_a_copy_of_a_night_counts_once(nights):
    write(nights / "d", candidates(SPINDLE_CANDIDATES, baseline_uv=10.0), candidates(SLOW_OSCILLATION_CANDIDATES))
    write(nights / "d", input={"sha256": "c", "duration_s": 28800.0})
    assert calibrate_nights(nights).n_nights == 3
    for name in "ab":
        shutil.rmtree(nights / name)
    with pytest.raises(TableError, match="1 recording in 2 night folders"):
        calibrate_nights(nights)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"subject": "sub-2"}, "sleeper"),
        ({"device": "muse"}, "device"),
        ({"roles": {"C3": "eeg"}}, "channels"),
        ({"units": {"C4": "mV"}}, "stated units"),
        ({"settings": {}}, "settings"),
        ({"versions": {"eegsleep": "0"}}, "versions"),
        ({"hypnogram_sha256": "abc"}, "origin of stages"),
    ],
)
def test_nights_that_do_not_belong_together_are_refused(nights, changed, named):
    write(nights / "b", **changed)
    with pytest.raises(TableError, match=f"they differ in their {named}"):
        calibrate_nights(nights)


def test_a_changed_table_is_refused(nights):
    path = nights / "b" / "spindle_candidates.csv"
    path.write_bytes(encode_table(candidates(SPINDLE_CANDIDATES, baseline_uv=7.0), SPINDLE_CANDIDATES))
    with pytest.raises(TableError, match="not the file that was written"):
        calibrate_nights(nights)


def test_nights_without_usable_n2_have_no_threshold_for_slow_oscillations(nights):
    for name in "abc":
        write(
            nights / name, candidates(SPINDLE_CANDIDATES), candidates(SLOW_OSCILLATION_CANDIDATES, reference_uv=np.nan)
        )
    assert calibrate_nights(nights).so_amplitude_uv == {}


def test_a_calibration_is_for_its_device_and_units():
    recording = record(np.zeros((1, 3000)), ["C4"])
    check_setup(Calibration(), recording)
    check_setup(Calibration(device="generic"), recording)
    with pytest.raises(SettingsError, match="another device"):
        check_setup(Calibration(device="muse"), recording)
    with pytest.raises(SettingsError, match="another unit"):
        check_setup(Calibration(device="generic", units={"C4": "mV"}), recording)


def test_a_flat_channel_has_no_threshold(nights):
    for name in "abc":
        flat = candidates(SPINDLE_CANDIDATES, channel="C3", baseline_uv=0.0, background_level=0.0)
        sound = candidates(SPINDLE_CANDIDATES, baseline_uv=2.0, background_level=1.0)
        write(
            nights / name,
            pd.concat([sound, flat]),
            candidates(SLOW_OSCILLATION_CANDIDATES, reference_uv=20.0),
            roles={"C4": "eeg", "C3": "eeg"},
        )
    learned = calibrate_nights(nights)
    assert set(learned.sigma_amplitude_uv) == set(learned.background_level) == {"C4"}


@pytest.mark.parametrize("label", ["EOG", "not there"])
def test_a_channel_that_is_no_eeg_of_the_night_is_refused(nights, label):
    events = candidates(SPINDLE_CANDIDATES, channel=label, baseline_uv=2.0, background_level=1.0)
    write(nights / "a", events, candidates(SLOW_OSCILLATION_CANDIDATES, reference_uv=20.0))
    with pytest.raises(TableError, match="no EEG"):
        calibrate_nights(nights)
