"""Events judged by hand: rejected ones are counted nowhere, in no other night."""

import pandas as pd
import pytest

import eegsleep as es
from eegsleep.events.edited import count_not_found, drop_rejected

HASH = "ab" * 32
HEAD = "kind,channel,onset_s,duration_s,peak_s,verdict,scorer,date,input_sha256\n"


@pytest.fixture
def edits(tmp_path):
    rows = [
        f"fast spindle,C4-M1,10,1,10.5,rejected,Ada,2026-11-28T22:00:00Z,{HASH}",
        f"slow oscillation,C4-M1,20,1.2,20.4,rejected,Ada,2026-11-28T22:00:00Z,{HASH}",
        f"arousal,,33.5,3,33.5,added,Ada,2026-11-28T22:00:00Z,{HASH}",
    ]
    path = tmp_path / "events-edited.csv"
    path.write_text(HEAD + "\n".join(rows) + "\n")
    return es.read_event_edits(path)


def test_rejected_events_and_arousals_are_told_apart(edits):
    assert edits.rejected["kind"].tolist() == ["fast spindle", "slow oscillation"]
    assert edits.arousals["onset_s"].tolist() == [33.5]
    assert edits.input_sha256 == HASH


def test_an_event_is_the_rejected_one_by_channel_and_peak(edits):
    """A spindle whose class changed is still the same; one on another channel, or beside it, is not."""
    spindles = pd.DataFrame({"channel": ["C4-M1", "C4-M1", "F3-M2", "C4-M1"], "peak_s": [10.4, 11.2, 10.5, 20.4]})
    assert drop_rejected(spindles, edits, "spindle")["peak_s"].tolist() == [11.2, 10.5, 20.4]
    waves = pd.DataFrame({"channel": ["C4-M1", "C4-M1"], "neg_peak_s": [10.5, 20.5]})
    assert drop_rejected(waves, edits, "slow oscillation")["neg_peak_s"].tolist() == [10.5]
    assert drop_rejected(spindles, None, "spindle") is spindles
    assert count_not_found({"spindle": spindles, "slow oscillation": waves[:1]}, edits) == 1


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("apnoea,C4-M1,10,1,10.5,rejected,Ada,," + HASH, "kind"),
        ("fast spindle,C4-M1,10,1,10.5,kept,Ada,," + HASH, "verdict"),
        ("fast spindle,C4-M1,10,1,,rejected,Ada,," + HASH, "where its events lie"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, row, words):
    path = tmp_path / "events-edited.csv"
    path.write_text(HEAD + row + "\n")
    with pytest.raises(es.TableError, match=words):
        es.read_event_edits(path)
