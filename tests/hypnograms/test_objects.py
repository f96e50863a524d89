"""Hypnograms in memory, of any kind, become one table; what is no hypnogram is refused with a typed error."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest
import yasa

import eegsleep as es
from eegsleep.errors import EegSleepError, TableError
from eegsleep.hypnograms.objects import as_scoring

NAMES = ["W", "N1", "N2", "N3", "R", "UNS"]


@pytest.mark.parametrize(
    "hypnogram",
    [
        NAMES,
        tuple(NAMES),
        np.array(NAMES),
        pd.Series(NAMES, index=range(10, 16), dtype="category"),
        pd.DataFrame({"stage": NAMES}),
        es.as_stages(NAMES),
        yasa.Hypnogram(NAMES, freq="30s"),
        as_scoring(yasa.Hypnogram(NAMES, freq="30s", start="2024-01-01 23:00")),
        ["WAKE", "N1", "N2", "N4", "REM", "ART"],
    ],
    ids=["list", "tuple", "array", "series", "one column", "table", "yasa", "scoring", "other spellings"],
)
def test_every_kind_of_hypnogram_gives_the_same_table(hypnogram):
    pd.testing.assert_frame_equal(es.as_stages(hypnogram), es.as_stages(NAMES))


@pytest.mark.parametrize("integers", [[0, 1, 2, 3, 5], np.array([0, 1, 2, 3, 5]), pd.Series([0.0, 1.0, 2.0, 3.0, 5.0])])
def test_integers_are_read_by_their_coding_and_never_guessed(integers):
    assert es.as_stages(integers, coding="rk")["stage"].tolist() == NAMES[:5]
    with pytest.raises(TableError, match=r'integers.*coding="NAME"'):
        es.as_stages(integers)
    with pytest.raises(TableError, match="coding aasm does not have"):
        es.as_stages(integers, coding="aasm")


def test_epochs_of_another_length_keep_their_time():
    """Six epochs of 10 s are two of 30 s."""
    hypnogram = yasa.Hypnogram(["W", "W", "N1", "N2", "N2", "N2"], freq="10s")
    assert es.as_stages(hypnogram)["stage"].tolist() == ["W", "N2"]


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        7,
        "W",
        b"W",
        {"stage": ["W"]},
        [],
        np.zeros((2, 2)),
        ["W", "light sleep"],
        [True, False],
        object(),
        pd.DataFrame({"epoch": [0], "stage": ["W"]}),
        es.as_stages(NAMES).drop(index=2),
    ],
    ids=lambda wrong: type(wrong).__name__,
)
def test_what_is_no_hypnogram_is_refused(wrong, tmp_path):
    for use in (
        es.as_stages,
        es.measure_sleep,
        es.to_annotations,
        lambda hypnogram: es.write_hypnogram(hypnogram, tmp_path / "h.csv"),
        lambda hypnogram: es.measure_agreement([("night", "me", NAMES, hypnogram)]),
    ):
        with pytest.raises(EegSleepError):
            use(wrong)


def test_light_and_deep_sleep_are_no_stages():
    with pytest.raises(TableError, match="no known stages"):
        es.as_stages(yasa.Hypnogram(["WAKE", "LIGHT", "DEEP", "REM"], n_stages=4, freq="30s"))


def test_a_hypnogram_comes_back_from_yasa_and_mne():
    again = es.to_yasa_hypnogram(NAMES, start=datetime(2024, 1, 1, 23))  # noqa: DTZ001 - local time, as recorded
    assert again.start == pd.Timestamp("2024-01-01 23:00")
    assert es.as_stages(again)["stage"].tolist() == NAMES
    annotations = es.to_annotations(NAMES)
    assert annotations.onset.tolist() == [0, 30, 60, 90, 120, 150]
    assert annotations.description[-1] == "Sleep stage ?"


def test_public_functions_take_a_list():
    assert es.measure_sleep([5, 5, 2, 2], coding="dreams")["tst_min"].value == 1.0
    agreed = es.measure_agreement([("night", "me", [0, 1, 2, 3], [0, 1, 2, 2])], coding="aasm")
    assert agreed.nights["accuracy"].tolist() == [0.75]
