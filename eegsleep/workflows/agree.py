"""Compare two scorings of the same nights: the work of `eegsleep agree`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eegsleep.agreement.measure import Agreement


class AgreedScorings(NamedTuple):
    """An agreement, and where it was saved.

    Attributes
    ----------
    agreement : Agreement
    left_out : mapping of str to str
        Nights of the folder that could not be compared, each with the reason.
    page : Path
        agreement.html; the tables lie beside it.
    """

    agreement: Agreement
    left_out: Mapping[str, str]
    page: Path


def agree_scorings(
    reference: str | Path, observed: str | Path | None = None, *, output: str | Path, coding: str | None = None
) -> AgreedScorings:
    """Compare two scorings of a night, or all nights of a folder with their experts' stages; save tables and page.

    Parameters
    ----------
    reference : path
        The expert's hypnogram, or a folder of nights scored with an expert's stages beside them.
    observed : path, optional
        The other hypnogram, or a night folder.
    output : path
        Folder for the tables and the page.
    coding : str, optional
        What integers in a hypnogram mean, a name in `CODINGS`.

    Returns
    -------
    AgreedScorings

    Raises
    ------
    EegSleepError
        If a scoring cannot be read, the two do not lie in the same night, or nothing can be compared.
    """
    from eegsleep.agreement.measure import measure_agreement, save_agreement
    from eegsleep.agreement.pairs import collect_pairs, find_unpaired, pair_scorings
    from eegsleep.report.agreement_page import render_agreement

    pairs = [pair_scorings(reference, observed, coding=coding)] if observed else collect_pairs(reference)
    left_out = {} if observed else find_unpaired(reference)
    agreement = measure_agreement(pairs)
    names = (Path(reference).name, Path(observed).name) if observed else ("expert", "eegsleep")
    page = render_agreement(agreement, reference=names[0], observed=names[1], left_out=left_out)
    folder = save_agreement(agreement, output, {"agreement.html": page})
    return AgreedScorings(agreement, left_out, folder / "agreement.html")
