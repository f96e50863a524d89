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
        for night in own["night"]:
            others = own.loc[own["night"] != night, columns].to_numpy(dtype=float)
            ranges = {
                name: [float(values.min()), float(values.max()), values.size]
                for name, column in zip(columns, others.T, strict=True)
                if (values := column[np.isfinite(column)]).size >= MIN_NIGHTS
            }
            if ranges:
                found[night] = ranges
    return found


def render_usual(nights: pd.DataFrame) -> bytes:
    """Return the ranges as the script that the pages of the nights read."""
    return f"(window.eegsleep = window.eegsleep || {{}}).usual = {encode_figure(find_usual(nights))};\n".encode()
