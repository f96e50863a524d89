"""The signal inside the page: what is decoded is what was analysed, to half a step."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from eegsleep.errors import SettingsError
from eegsleep.report.trace import MAX_STEPS, STEPS_UV, TRACE_CHOICES, decode_trace, encode_trace


def _recording(rows, roles=("eeg", "eog", "emg")):
    rows = np.asarray(rows, dtype=float)
    named = {f"channel {i}": role for i, (_, role) in enumerate(zip(rows, roles, strict=False))}
    return SimpleNamespace(
        roles=named, microvolts=rows, signal=lambda label: rows[list(named).index(label)], channels=list(named)
    )


@pytest.mark.parametrize("choice", STEPS_UV)
def test_the_decoded_sample_night_is_within_half_a_step_of_the_analysed_one(sample_recording, choice):
    trace = encode_trace(sample_recording, choice)
    decoded = decode_trace(trace)
    assert decoded.shape == sample_recording.microvolts.shape
    assert np.abs(decoded - sample_recording.microvolts).max() <= trace.step_uv / 2 * (1 + 1e-9)
    assert [c["label"] for c in trace.channels] == sample_recording.channels
    assert [c["role"] for c in trace.channels] == list(sample_recording.roles.values())


def test_light_keeps_eight_hours_of_four_channels_under_nine_megabytes(sample_recording):
    """The sample is 1.5 h of two EEG, an EOG and an EMG, so its size tells that of 8 h."""
    text = json.dumps(encode_trace(sample_recording).as_dict())
    assert len(text) * 8 * 3600 / sample_recording.duration_s < 9e6


def test_gaps_come_back_as_missing_and_nothing_else_does():
    rng = np.random.default_rng(1)
    rows = rng.normal(0, 20, (2, 130_000))
    rows[0, :500] = np.nan
    rows[0, 60_000:61_000] = np.nan
    rows[1, -7:] = np.nan
    decoded = decode_trace(encode_trace(_recording(rows)))
    np.testing.assert_array_equal(np.isnan(decoded), np.isnan(rows))
    np.testing.assert_allclose(decoded, rows, atol=0.5)


def test_a_channel_of_nothing_is_all_missing():
    decoded = decode_trace(encode_trace(_recording([np.full(1000, np.nan)])))
    assert np.isnan(decoded).all()


def test_jumps_offsets_and_rails_survive():
    """A drifting amplifier sits at −187 mV and jumps by its whole range; a step is a step there too."""
    rng = np.random.default_rng(2)
    drift = -187_500 + np.cumsum(rng.normal(0, 300, 70_000))
    square = np.where(np.arange(70_000) // 100 % 2, 187_500.0, -187_500.0)
    flat = np.full(70_000, 3.2)
    rows = np.array([drift, square, flat])
    trace = encode_trace(_recording(rows), "full")
    np.testing.assert_allclose(decode_trace(trace), rows, atol=0.25 * (1 + 1e-9))
    assert len(trace.channels[2]["pieces"][0][1]) < 200


def test_the_largest_values_survive_their_second_difference():
    rows = np.array([np.tile([MAX_STEPS, -MAX_STEPS], 500), np.zeros(1000)], dtype=float)
    assert (decode_trace(encode_trace(_recording(rows))) == rows).all()


def test_a_flat_signal_costs_next_to_nothing():
    rows = np.array([np.repeat([7.0, -3.0], 30_000)])
    assert len(json.dumps(encode_trace(_recording(rows)).as_dict())) < 800


def test_equal_recordings_give_equal_text(sample_recording):
    first, second = (json.dumps(encode_trace(sample_recording).as_dict()) for _ in range(2))
    assert first == second


def test_no_trace_is_asked_for_by_name_and_a_wrong_name_is_refused(sample_recording):
    assert encode_trace(sample_recording, "none") is None
    with pytest.raises(SettingsError, match="trace"):
        encode_trace(sample_recording, "some")
    assert set(TRACE_CHOICES) == {"none", "light", "full"}
