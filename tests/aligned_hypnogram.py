"""A hypnogram file on the epochs of a recording, as `eegsleep score --hypnogram` takes it."""

from eegsleep.hypnograms.read import read_hypnogram
from eegsleep.hypnograms.scoring import align_scoring


def read_aligned(path, n_epochs, recording_start=None, *, coding=None, epoch_s=None, column=None):
    """Return the stages of a file for each epoch of a recording, and notes on what did not fit."""
    return align_scoring(read_hypnogram(path, coding=coding, epoch_s=epoch_s, column=column), recording_start, n_epochs)
