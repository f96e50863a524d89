"""Every command, option, setting, column, marker, preset, coding and fault code is documented, with words for each."""

import importlib.util
import re
from pathlib import Path

import pytest

from eegsleep.cli.reference import markers
from eegsleep.errors import SettingsError
from eegsleep.hypnograms.codings import CODINGS
from eegsleep.markers.catalogue import CATALOGUE
from eegsleep.recording.channels.presets import load_devices
from eegsleep.recording.faults import FAULTS
from eegsleep.workflows import reference

SCRIPT = Path(__file__).parents[2] / "docs" / "make_reference.py"
# Fields that may be empty: a column of text has no unit, and most may hold any value.
MAY_BE_EMPTY = {"unit", "levels"}
LISTS = ("markers", "devices", "settings", "codings", "faults", "tables")


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("make_reference", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("what", LISTS)
def test_every_entry_is_described_and_on_its_page(pages, what):
    rows = getattr(reference, f"describe_{what}")()
    page = "\n".join(getattr(pages, f"{what}_page")())
    assert len({row["name"] for row in rows}) == len(rows)
    assert not re.search(r"(?m)^:[^:]+: +%", page), "MyST takes such a text for a comment and shows nothing"
    for row in rows:
        assert [field for field, text in row.items() if not text.strip() and field not in MAY_BE_EMPTY] == [], row
        name = row["name"].rpartition(".")[2] if what in {"settings", "tables"} else row["name"]
        assert f"`{name}`" in page or f"# {name}\n" in page, row["name"]


def test_no_entry_of_a_catalogue_is_left_out():
    assert [row["name"] for row in reference.describe_markers()] == list(CATALOGUE)
    assert [row["name"] for row in reference.describe_devices()] == list(load_devices())
    assert [row["name"] for row in reference.describe_codings()] == list(CODINGS)
    assert [row["name"] for row in reference.describe_faults()] == list(FAULTS)


def test_every_command_and_option_is_described(pages):
    commands = pages.describe_commands()
    assert {"score", "batch", "study init", "markers"} <= {command["name"] for command in commands}
    page = "\n".join(pages.commands_page())
    for command in commands:
        assert command["summary"], command["name"]
        assert f"## eegsleep {command['name']}\n" in page
        for option in command["options"]:
            assert option["meaning"], (command["name"], option["name"])
            assert f"`{option['name']}`" in page


def test_every_public_name_is_on_its_page(pages):
    page = "\n".join(pages.python_page())
    assert [name for _, name in pages.list_public_names() if f"eegsleep.{name}" not in page] == []


def test_a_name_that_does_not_exist_names_near_ones():
    with pytest.raises(SettingsError, match="sol_min"):
        markers("sol_mn")
