"""A person's own usual range of each number at the top of a night's page, from the other nights of the folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eegsleep.report.compose import encode_figure
from eegsleep.report.night_page import CARDS

if TYPE_CHECKING:
    import pandas as pd

# Fewer nights span no range that one could call usual.
MIN_NIGHTS = 5


def find_usual(nights: pd.DataFrame) -> dict[str, dict[str, list[float]]]:
    """Return the lowest and highest value of the same person's other nights, for each night and number.

    Parameters
    ----------
    nights : pandas.DataFrame
        As `gather_nights` returns them. Nights of a sleeper without a name, rejected ones, and those of another device
        are no other nights of the same kind.

    Returns
    -------
    dict of str to dict
        By night, then by column such as `tst_min||`: lowest, highest, and number of the other nights. Only where
        there are at least `MIN_NIGHTS`.
    """
    shown = {(marker, stage) for marker, _, stage, _ in CARDS}
    columns = [name for name in nights.columns if "|" in name and tuple(name.split("|")[:2]) in shown]
    known = nights[(nights["subject"] != "") & (nights["reason"] == "") & (nights["verdict"] != "reject")]
    found: dict[str, dict[str, list[float]]] = {}
    for _, own in known.groupby(["subject", "device"], sort=False):
        values = own[columns].to_numpy(dtype=float)
        is_known = np.isfinite(values)
        n_others = is_known.sum(axis=0) - is_known
        lows = _lowest_of_others(np.where(is_known, values, np.inf))
        highs = -_lowest_of_others(np.where(is_known, -values, np.inf))
        for night, low, high, n in zip(own["night"], lows.tolist(), highs.tolist(), n_others.tolist(), strict=True):
            parts = zip(columns, low, high, n, strict=True)
            ranges = {name: [lowest, highest, size] for name, lowest, highest, size in parts if size >= MIN_NIGHTS}
            if ranges:
                found[night] = ranges
    return found


def _lowest_of_others(values: np.ndarray) -> np.ndarray:
    """Return for each row and column the lowest value of the other rows, without comparing every pair of rows."""
    if len(values) < 2:
        return np.full(values.shape, np.inf)
    first, second = np.partition(values, 1, axis=0)[:2]
    lowest = np.broadcast_to(first, values.shape).copy()
    at = values.argmin(axis=0), np.arange(values.shape[1])
    lowest[at] = second
    return lowest


def render_usual(nights: pd.DataFrame) -> bytes:
    """Return the ranges as the script that the pages of the nights read."""
    return f"(window.eegsleep = window.eegsleep || {{}}).usual = {encode_figure(find_usual(nights))};\n".encode()
