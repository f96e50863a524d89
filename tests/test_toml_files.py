"""Values are read in the kinds that annotations declare; anything else is refused, and the error says what fits."""

from typing import Literal

import pytest

from eegsleep.config import Settings, load_settings
from eegsleep.errors import SettingsError
from eegsleep.toml_files import ANY_KEY, read_toml

SECTIONS = {
    "one": {
        "text": str,
        "whole": int,
        "number": float,
        "flag": bool,
        "pair": tuple[float, float],
        "many": tuple[float, ...],
        "orders": tuple[tuple[str, ...], ...],
        "way": Literal["left", "right"],
    },
    "effects": {ANY_KEY: tuple[float, str]},
}


def _read(tmp_path, text, **more):
    path = tmp_path / "some.toml"
    path.write_text(text)
    return read_toml(path, SECTIONS, **more)


def test_values_come_in_the_kinds_that_were_declared(tmp_path):
    read = _read(
        tmp_path,
        """[one]
        text = "x"
        whole = 3
        number = 3
        flag = true
        pair = [1, 2.5]
        many = [1, 2, 3]
        orders = [["A", "B"], ["B"]]
        way = "left"
        [effects]
        a = [15, "min"]
        """,
    )
    assert read["one"] == {
        "text": "x",
        "whole": 3,
        "number": 3.0,
        "flag": True,
        "pair": (1.0, 2.5),
        "many": (1.0, 2.0, 3.0),
        "orders": (("A", "B"), ("B",)),
        "way": "left",
    }
    assert isinstance(read["one"]["number"], float)
    assert isinstance(read["one"]["many"][0], float)
    assert read["effects"] == {"a": (15.0, "min")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[two]", "unknown section. Found: two. Allowed: one, effects"),
        ("one = 1", "unknown section. Found: one"),
        ("[one]\nwide = 1", "[one] has no such key. Found: wide. Allowed: text, whole, number"),
        ("[one]\nwhole = 1.5", "one.whole has a value of the wrong kind. Found: 1.5. Allowed: a whole number"),
        ("[one]\nwhole = true", "one.whole has a value of the wrong kind. Found: True"),
        ("[one]\nflag = 1", "Allowed: true or false"),
        ("[one]\nnumber = true", "one.number has a value of the wrong kind"),
        ("[one]\nnumber = '3'", "Allowed: a number"),
        ("[one]\ntext = 3", "Allowed: a text in quotes"),
        ("[one]\npair = [1]", "Allowed: a list of 2: a number, a number"),
        ("[one]\npair = [1, 2, 3]", "Found: [1, 2, 3]"),
        ("[one]\nmany = 1", "Allowed: a list of any length, each a number"),
        ("[one]\nmany = [1, true]", "one.many has a value of the wrong kind"),
        ("[one]\norders = ['A']", "each a list of any length, each a text in quotes"),
        ("[one]\nway = 'up'", "Allowed: one of left, right"),
        ("[effects]\na = 15", "effects.a has a value of the wrong kind"),
        ("[one", "some.toml cannot be read"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(text, message, tmp_path):
    with pytest.raises(SettingsError) as error:
        _read(tmp_path, text)
    assert message in str(error.value)


def test_a_key_that_must_be_there_is_asked_for(tmp_path):
    with pytest.raises(SettingsError, match=r"\[one\] lacks text\. Allowed: text, whole.*Add text; write one"):
        _read(tmp_path, "[one]\nwhole = 1", required={"one": ("text",)}, remedy="write one")


def test_a_file_that_is_not_there_is_an_error_in_words(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.toml cannot be read"):
        read_toml(tmp_path / "none.toml", SECTIONS)


def test_a_setting_declared_as_a_list_of_any_length_may_have_any(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text("[spectrum]\nresampling = [1.1, 1.3]\n[audit]\nspindle_amplitudes_uv = [20]\n")
    settings = load_settings(path)
    assert settings.spectrum.resampling == (1.1, 1.3)
    assert settings.audit.spindle_amplitudes_uv == (20.0,)
    assert settings.audit.slow_oscillation_amplitudes_uv == Settings().audit.slow_oscillation_amplitudes_uv
