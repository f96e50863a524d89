"""Epochs and samples: what is unusable is silenced, and so is what follows the last whole epoch."""

import numpy as np
import pandas as pd
import pytest

from eegsleep.signals.epochs import (
    cut_epochs,
    epochs_to_samples,
    find_runs,
    silence_unusable,
    stage_at,
    values_at,
)


@pytest.mark.parametrize("rate_hz", [25.0, 100.0])
def test_a_mask_of_epochs_becomes_one_of_samples_and_the_tail_is_unusable(rate_hz):
    per_epoch = int(30 * rate_hz)
    mask = epochs_to_samples(np.array([True, False, True]), 3 * per_epoch + 7, rate_hz)
    assert mask.dtype == bool
    assert mask.tolist() == [True] * per_epoch + [False] * per_epoch + [True] * per_epoch + [False] * 7


def test_a_signal_that_ends_within_an_epoch_cuts_its_mask():
    assert epochs_to_samples(np.array([1, 2]), 3001, beyond=-2).tolist() == [1] * 3000 + [2]
    assert epochs_to_samples(np.array([1]), 3001, beyond=-2)[-1] == -2


def test_what_is_unusable_missing_or_beyond_the_last_epoch_is_silenced():
    signal = np.ones(6500)
    signal[10] = np.nan
    quiet = silence_unusable(signal, np.array([True, False]))
    assert quiet[:3000].sum() == 2999
    assert not quiet[3000:].any()
    assert np.isnan(signal[10]), "the signal itself is not touched"


def test_values_and_stages_at_times_and_beyond_the_last_epoch():
    times = [0.0, 29.999, 30.0, 59.0, 60.0, 1e6]
    assert values_at(np.array([True, False]), times).tolist() == [True, True, False, False, False, False]
    stages = pd.DataFrame({"stage": ["N2", "R"]})
    assert stage_at(stages, times).tolist() == ["N2", "N2", "R", "R", "UNS", "UNS"]


def test_epochs_are_cut_without_the_tail():
    epochs = cut_epochs(np.arange(6100), 2)
    assert epochs.shape == (2, 3000)
    assert epochs[1, 0] == 3000


def test_runs_are_found_at_both_ends_and_in_nothing():
    first, stop = find_runs(np.array([True, True, False, True, False, True]))
    assert (first.tolist(), stop.tolist()) == ([0, 3, 5], [2, 4, 6])
    assert find_runs(np.zeros(3, dtype=bool))[0].size == 0
    assert find_runs(np.zeros(0, dtype=bool))[0].size == 0
