"""Names of night folders: two recordings do not share one, and none is that of a file we write beside them."""

import unicodedata
from pathlib import Path

import pytest

from eegsleep.recording.recording import make_id


@pytest.mark.parametrize(("one", "other"), [("é", "ü"), ("Müller", "Möller"), ("夜", "昼"), ("nuit-é", "nuit-è")])
def test_letters_beyond_english_keep_names_apart(one, other):
    names = [make_id(Path(f"{name}.edf")) for name in (one, other)]
    assert names[0] != names[1]
    assert all(name.isascii() for name in names)


def test_one_name_written_in_two_ways_is_one_night():
    forms = {make_id(Path(unicodedata.normalize(form, "Müller.edf"))) for form in ("NFC", "NFD")}
    assert len(forms) == 1


@pytest.mark.parametrize(
    "name", ["nights.csv", "nights.json", "index.html", "jobs.csv", "usual.js", "plotly-4.min.js", "INDEX.HTML"]
)
def test_names_of_our_own_files_are_not_names_of_nights(name):
    assert make_id(Path(f"{name}.edf")) == f"night-{name}"


def test_plain_names_stay_as_they_are():
    assert make_id(Path("S01-night_3.edf.gz")) == "S01-night_3"
