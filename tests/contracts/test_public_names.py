"""The public names, the order of imports, and the tables as files."""

import re
import subprocess
import sys

import pytest

import eegsleep
from eegsleep.config import Settings, load_settings
from eegsleep.errors import SettingsError, TableError
from eegsleep.tables import (
    MARKERS,
    NIGHT_TABLES,
    SPINDLES,
    check_table,
    empty_table,
    encode_sidecar,
    encode_table,
    read_table,
)


def test_every_public_name_can_be_imported():
    for name in eegsleep.__all__:
        assert getattr(eegsleep, name) is not None
    assert re.match(r"\d+\.\d+", eegsleep.__version__)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = eegsleep.nonsense


def test_every_module_says_what_it_is_for():
    code = "import eegsleep, pkgutil, importlib\nfor m in pkgutil.walk_packages(eegsleep.__path__, 'eegsleep.'):\n"
    code += "    assert m.name == 'eegsleep.__main__' or importlib.import_module(m.name).__doc__, m.name\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("table", NIGHT_TABLES, ids=lambda t: t.name)
def test_empty_table_survives_the_disk(table, tmp_path):
    """A night without events still gives tables with every column and type."""
    path = tmp_path / "t.csv"
    path.write_bytes(encode_table(empty_table(table), table))
    again = read_table(path, table)
    assert again.dtypes.to_dict() == empty_table(table).dtypes.to_dict()
    assert all(name.encode() in encode_sidecar(table) for name in table.column_names)


def test_text_that_a_spreadsheet_would_run_is_quoted_and_read_back(tmp_path):
    row = {
        "marker": "=1+1",
        "family": "A",
        "stage": "",
        "channel": "-C3",
        "value": -1.5,
        "unit": "",
        "n": 1,
        "clean_min": float("nan"),
        "reason": "@x",
        "expected": float("nan"),
        "low": float("nan"),
        "high": float("nan"),
        "at_least": float("nan"),
        "at_less_delta": float("nan"),
        "at_more_delta": float("nan"),
        "by_other_stager": float("nan"),
        "by_consensus": float("nan"),
    }
    frame = check_table(empty_table(MARKERS).reindex([0]).assign(**row), MARKERS)
    path = tmp_path / "m.csv"
    path.write_bytes(encode_table(frame, MARKERS))
    assert path.read_text().splitlines()[1] == "'=1+1,A,,'-C3,-1.5,,1,,'@x,,,,,,,,"
    assert read_table(path, MARKERS).equals(frame)


def test_wrong_columns_are_refused_by_name():
    with pytest.raises(TableError, match="missing 'onset_s', unknown 'onset'"):
        check_table(empty_table(SPINDLES).rename(columns={"onset_s": "onset"}), SPINDLES)


def test_settings_file_changes_only_what_it_names(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text("[spindles]\nband_hz = [10, 16]\n[markers]\nmin_event_min = 5\n")
    settings = load_settings(path)
    assert settings.spindles.band_hz == (10.0, 16.0)
    assert settings.markers.min_event_min == 5.0
    assert settings.slow_oscillations == Settings().slow_oscillations


@pytest.mark.parametrize(
    "text", ["[nonsense]\na = 1", "[spindles]\nbroad = 1", "[spindles]\nband_hz = 12", "[staging]\nuse_eog = 1", "x ="]
)
def test_settings_that_could_be_misread_are_refused(text, tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(SettingsError):
        load_settings(path)
