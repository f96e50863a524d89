"""Declared tables: what a column may hold is checked where a table is made, and written beside it."""

import json
import math

import pandas as pd
import pytest

from eegsleep.batch.gather import gather_nights, write_summary
from eegsleep.errors import TableError
from eegsleep.markers.catalogue import FAMILIES
from eegsleep.provenance import encode_json
from eegsleep.report.numbers import VERDICTS
from eegsleep.report.study_figures import SIGNS
from eegsleep.signals.epochs import STAGES
from eegsleep.tables import (
    CHECKS,
    COMPARISON,
    HYPNOGRAM,
    JOBS,
    MARKERS,
    Column,
    Table,
    check_table,
    decode_columns,
    encode_sidecar,
    encode_table,
    parse_tables,
    read_table,
)


def levels(table, name):
    return next(column.levels for column in table.columns if column.name == name)


def job(**values):
    texts = dict.fromkeys(("night", "subject", "file", "error", "reason"), "")
    return texts | {"status": "done", "seconds": math.nan, "memory_mb": math.nan} | values


def test_a_value_that_a_column_may_not_hold_is_refused_and_named():
    jobs = pd.DataFrame([job(night="a"), job(night="b", status="finished")])
    with pytest.raises(
        TableError, match=r"column status of table jobs.*Found: 'finished'\. Allowed: done, fresh, failed"
    ):
        check_table(jobs, JOBS)
    assert check_table(jobs.head(1), JOBS)["status"].tolist() == ["done"]


def test_a_missing_cell_is_no_level_unless_declared(tmp_path):
    file = tmp_path / "checks.csv"
    file.write_text("code,name,status,value,limit,message\nC1,adaptation,,,,none\n")
    with pytest.raises(TableError, match="column status of table checks"):
        read_table(file, CHECKS)
    assert "" in levels(COMPARISON, "gate")


def test_the_sidecar_explains_every_level_as_bids_does():
    status = json.loads(encode_sidecar(JOBS))["status"]
    assert list(status["Levels"]) == ["done", "fresh", "failed"]
    assert all(status["Levels"].values())
    assert "Levels" not in json.loads(encode_sidecar(JOBS))["seconds"]


def test_declared_levels_are_those_that_the_package_writes():
    """Tables lie below all steps of the work and cannot import their names."""
    assert tuple(levels(HYPNOGRAM, "stage")) == STAGES
    assert levels(MARKERS, "family") == FAMILIES
    assert set(levels(COMPARISON, "verdict")) == set(SIGNS)


def test_a_verdict_that_does_not_exist_affects_one_row_of_the_summary(tmp_path):
    night = tmp_path / "a"
    night.mkdir()
    made = {
        "start": "",
        "input": {"sha256": "", "duration_s": 60.0},
        "device": "",
        "lights": {"off_s": 0.0, "on_s": 60.0, "source": "user"},
        "quality": {"verdict": "splendid", "reasons": []},
        "outputs": {},
    }
    (night / "provenance.json").write_bytes(encode_json(made))
    assert "splendid" in gather_nights(tmp_path)["reason"].item()
    assert "splendid" not in VERDICTS
    assert write_summary(tmp_path).is_file()


_WORDS = Table("words", "one word", (Column("n", "int", ""), Column("x", "float", ""), Column("word", "str", "")))


@pytest.mark.parametrize("words", [["a", "b"], ['a, "b"', "=1+1"], ["'", "'=x"], ["", "é\u2028"]])
def test_columns_as_text_are_those_of_the_table(words, tmp_path):
    frame = pd.DataFrame({"n": [1, 2], "x": [0.5, float("nan")], "word": words})
    content = encode_table(frame, _WORDS)
    (tmp_path / "words.csv").write_bytes(content)
    read = read_table(tmp_path / "words.csv", _WORDS)
    assert decode_columns(content, _WORDS, ["word", "x"]) == {"word": read["word"].tolist(), "x": ["0.5", ""]}


@pytest.mark.parametrize("content", [b"", b"n,x\n1,2\n", b"n,x,word\n1,2\n", b"n,x,word\n\n1,2,a,b,c\n", b"\xff\n"])
def test_columns_of_another_table_are_refused(content):
    with pytest.raises(TableError):
        decode_columns(content, _WORDS, ["word"])


def test_many_files_parsed_at_once_are_the_files_one_by_one(tmp_path):
    frames = {
        "a": pd.DataFrame({"n": [1, 2], "x": [0.5, float("nan")], "word": ["a\nb", "=1"]}),
        "b": pd.DataFrame({"n": [], "x": [], "word": []}),
        "007": pd.DataFrame({"n": [3], "x": [float("nan")], "word": ['"']}),
    }
    contents = {name: encode_table(check_table(frame, _WORDS), _WORDS) for name, frame in frames.items()}
    parts = []
    for name, content in contents.items():
        (tmp_path / "words.csv").write_bytes(content)
        parts.append(read_table(tmp_path / "words.csv", _WORDS).assign(night=name))
    expected = pd.concat(parts, ignore_index=True)[["night", "n", "x", "word"]]
    pd.testing.assert_frame_equal(parse_tables(contents, _WORDS, "night"), expected)


@pytest.mark.parametrize("content", [b"", b"n,x\n1,2\n", b"n,x,word\n1,2,a", b"n,x,word\n1,2,a\n\n"])
def test_one_other_file_among_many_is_refused(content):
    with pytest.raises(TableError):
        parse_tables({"a": b"n,x,word\n1,2,a\n", "b": content}, _WORDS, "night")


@pytest.mark.parametrize("kind", ["int", "float"])
def test_a_number_too_large_for_its_column_is_refused(kind, tmp_path):
    table = Table("words", "one word", (Column("n", kind, ""),))
    (tmp_path / "words.csv").write_text(f"n\n{'9' * 400}\n", encoding="utf-8")
    if kind == "int":
        with pytest.raises(TableError, match="column n"):
            read_table(tmp_path / "words.csv", table)
    with pytest.raises(TableError, match="column n"):
        check_table(pd.DataFrame({"n": pd.Series([10**400], dtype=object)}), table)


def test_a_table_of_very_many_columns_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(pd, "read_csv", None)
    (tmp_path / "words.csv").write_bytes(b"," * 100_000 + b"\n")
    with pytest.raises(TableError, match="100,001 columns"):
        read_table(tmp_path / "words.csv", _WORDS)


def test_of_many_unknown_columns_some_are_named():
    frame = pd.DataFrame({f"c{i}": [1] for i in range(1000)})
    with pytest.raises(TableError) as error:
        check_table(frame, _WORDS)
    assert "and 980 more" in str(error.value)
    assert len(str(error.value)) < 500
