"""JSON files: damage of every kind is one error of ours, and what fits is read."""

import json

import pytest

from eegsleep.errors import EegSleepError, SettingsError
from eegsleep.json_files import find_misfit, parse_json, read_json
from eegsleep.provenance import PROVENANCE_KINDS, check_provenance, read_provenance

KINDS = {"name": str, "size_uv": float, "parts": dict[str, float], "inside": {"when": str | None}}
GOOD = {"name": "a", "size_uv": 3, "parts": {"x": 1.5}, "inside": {"when": None}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00",
        "\ufeff",
        "[" * 100_000,
        '{"a":' * 100_000,
        "null",
        "[]",
        "3",
        '"text"',
        "{}",
        json.dumps(GOOD)[:-1],
        json.dumps(GOOD) * 2,
        json.dumps(GOOD | {"size_uv": float("nan")}),
        json.dumps(GOOD | {"size_uv": float("inf")}),
        json.dumps(GOOD).replace("3", "1e999"),
        json.dumps(GOOD).replace("3", "9" * 5000),
        json.dumps(GOOD).replace('"name"', '"size_uv": 4, "name"'),
        json.dumps(GOOD | {"size_uv": "3"}),
        json.dumps(GOOD | {"size_uv": True}),
        json.dumps(GOOD | {"size_uv": [3]}),
        json.dumps(GOOD | {"name": 3}),
        json.dumps(GOOD | {"name": None}),
        json.dumps(GOOD | {"parts": {"x": "y"}}),
        json.dumps(GOOD | {"parts": [1.5]}),
        json.dumps(GOOD | {"inside": {}}),
        json.dumps(GOOD | {"inside": {"when": 3}}),
        json.dumps({key: value for key, value in GOOD.items() if key != "parts"}),
    ],
)
def test_whatever_does_not_fit_is_refused_by_name(text, tmp_path):
    path = tmp_path / "some.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"some\.json is not a thing\. Found: .+ Make it again"):
        read_json(path, "a thing", KINDS, error=SettingsError, remedy="make it again")


def test_what_fits_is_read(tmp_path):
    path = tmp_path / "some.json"
    path.write_text(json.dumps(GOOD | {"more": [1]}))
    assert read_json(path, "a thing", KINDS) == GOOD | {"more": [1]}


@pytest.mark.parametrize("place", ["folder", "/dev/zero", "nowhere.json"])
def test_what_is_no_file_is_not_read(place, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(EegSleepError, match="is not a thing"):
        read_json(tmp_path / place, "a thing")


def test_kinds_are_told_apart():
    assert not find_misfit([1, 2.5], list[float], "x")
    assert find_misfit([1, "2"], list[float], "x") == "x is not a number"
    assert find_misfit(1.5, int, "x") == "x is not a whole number"
    assert find_misfit({"a": {"b": []}}, {"a": {"b": dict}}, "x") == "x.a.b is not an object"
    with pytest.raises(ValueError, match="twice"):
        parse_json('{"a": {"b": 1, "b": 2}}')


def test_a_real_provenance_fits_and_a_part_of_it_does_not(sample_night, tmp_path):
    import eegsleep as es

    folder = es.save_night(sample_night, tmp_path)
    made = check_provenance(folder)
    assert made == read_provenance(folder)
    for key in PROVENANCE_KINDS:
        (folder / "provenance.json").write_text(json.dumps({k: v for k, v in made.items() if k != key}))
        with pytest.raises(EegSleepError, match=f"Found: no {key}"):
            check_provenance(folder)
