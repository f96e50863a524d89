"""What is kept of a night for the summary: the same as its tables hold, and equal parts of many nights once."""

import math
import shutil

import numpy as np
import pytest

from eegsleep.batch.kept_night import NightReader
from eegsleep.markers.wide import name_columns
from eegsleep.night.folder import save_night
from eegsleep.tables import HYPNOGRAM, MARKERS, read_table


@pytest.fixture(scope="module")
def folder(sample_night, make_once):
    return make_once("kept-night", lambda folder: save_night(sample_night, folder)) / sample_night.id


def test_markers_and_stages_are_those_of_the_tables(folder):
    kept = NightReader().read(folder, "")
    markers = name_columns(read_table(folder / "markers.csv", MARKERS))
    assert list(kept.columns) == markers["column"].tolist()
    np.testing.assert_array_equal(kept.measured, markers["value"])
    missing = markers[markers["value"].isna()]
    assert kept.glance.reasons == dict(zip(missing["column"], missing["reason"], strict=True))
    stages = read_table(folder / "hypnogram.csv", HYPNOGRAM)["stage"]
    assert kept.glance.stages == "".join({"UNS": "U"}.get(stage, stage[-1]) for stage in stages)


def test_what_nights_have_in_common_is_kept_once(folder, tmp_path):
    """A night then takes kilobytes, and thousands of nights fit into memory."""
    other = shutil.copytree(folder, tmp_path / "other")
    reader = NightReader()
    one, two = reader.read(folder, "a"), reader.read(other, "b")
    assert (one.name, two.name) == (folder.name, "other")
    assert one.columns is two.columns
    assert one.provenance["settings"] is two.provenance["settings"]
    assert one.glance.reasons is two.glance.reasons


def test_a_changed_table_has_no_value_and_a_reason(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    (other / "hypnogram.csv").write_bytes((folder / "hypnogram.csv").read_bytes() + b"\n")
    kept = NightReader().read(other, "")
    assert kept.columns == ()
    assert "hypnogram.csv is not the file" in kept.fixed["reason"]
    assert math.isnan(kept.fixed["duration_s"])
