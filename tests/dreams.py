"""The two DREAMS excerpts at hand: signal, stages and the marks of both experts; and how marks are matched."""

import numpy as np
from planted_spindles import RATE_HZ, given_stages, record
from scipy.signal import resample_poly

import eegsleep as es

EXCERPTS = (1, 5)
_STAGES = {5: "W", 4: "R", 3: "N1", 2: "N2", 1: "N3", 0: "N3"}


def read_excerpt(folder, number):
    """Return (recording, stages, quality) of 30 min of one derivation, and the marks of two experts, each (n, 2)."""
    signal = np.loadtxt(folder / f"excerpt{number}.txt", skiprows=1)
    rate_hz = round(signal.size / 1800)
    if rate_hz != RATE_HZ:
        signal = resample_poly(signal, RATE_HZ, rate_hz)
    codes = np.loadtxt(folder / f"Hypnogram_excerpt{number}.txt", skiprows=1).astype(int)
    # six values of 5 s an epoch: the most frequent
    codes = codes[: codes.size // 6 * 6].reshape(-1, 6)
    stages = given_stages([_STAGES[np.bincount(epoch).argmax()] for epoch in codes])
    recording = record(signal[None], ["C3"])
    marks = [np.loadtxt(folder / f"Visual_scoring{e}_excerpt{number}.txt", skiprows=1) for e in (1, 2)]
    spans = [np.column_stack([mark[:, 0], mark[:, :2].sum(axis=1)]) for mark in marks]
    return (recording, stages, es.measure_quality(recording)), spans


def unite(*sets):
    """Return the union of marks; those that overlap become one."""
    united = []
    for start, end in sorted(np.concatenate(sets).tolist()):
        if united and start <= united[-1][1]:
            united[-1][1] = max(united[-1][1], end)
        else:
            united.append([start, end])
    return np.array(united)


def count_pairs(one, other):
    """Return how many events of two sets, (n, 2) each, pair one to one; pairs share a fifth of their union."""
    shared = np.minimum(one[:, None, 1], other[:, 1]) - np.maximum(one[:, None, 0], other[:, 0])
    whole = np.maximum(one[:, None, 1], other[:, 1]) - np.minimum(one[:, None, 0], other[:, 0])
    overlap = np.where(shared > 0, shared / whole, 0)
    i, j = np.nonzero(overlap >= 0.2)
    taken_i, taken_j = set(), set()
    for k in np.argsort(-overlap[i, j]):
        if i[k] not in taken_i and j[k] not in taken_j:
            taken_i.add(i[k])
            taken_j.add(j[k])
    return len(taken_i)


def agreement(pairs):
    """Return F1, precision and recall of (found, marked) pairs of sets, pooled."""
    hits = sum(count_pairs(found, marked) for found, marked in pairs)
    n_found, n_marked = (sum(len(pair[k]) for pair in pairs) for k in (0, 1))
    return 2 * hits / (n_found + n_marked), hits / n_found, hits / n_marked


def spans_of(spindles):
    return np.column_stack([spindles["onset_s"], spindles["onset_s"] + spindles["duration_s"]])
