"""Compare two scorings of the same nights: the work of `eegsleep agree`."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from eegsleep.errors import TableError
from eegsleep.file_names import PROVENANCE_FILE, REPORT_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    notes : tuple of str
        What the reader should know of the comparison, in sentences.
    """

    agreement: Agreement
    left_out: Mapping[str, str]
    page: Path
    notes: tuple[str, ...] = ()


# Two scorings of the same night reach several times this kappa; those of two sleepers stay below it.
_CHANCE_KAPPA = 0.1


def agree_scorings(
    reference: str | Path,
    observed: str | Path | None = None,
    *,
    output: str | Path,
    coding: str | None = None,
    epoch_s: float | None = None,
    columns: Sequence[str] = (),
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
    epoch_s : float, optional
        Length of the epochs of the hypnograms in seconds, where the files do not give it.
    columns : sequence of str
        Columns of stages, as `pair_scorings` takes them.

    Returns
    -------
    AgreedScorings

    Raises
    ------
    EegSleepError
        If a scoring cannot be read, the two do not lie in the same night, or nothing can be compared.

    Examples
    --------
    >>> agreed = es.agree_scorings("sample-night_stages.csv", "sample-night_stages.csv", output="agreement")
    >>> agreed.page.name, float(agreed.agreement.nights["accuracy"].iloc[0])
    ('agreement.html', 1.0)
    """
    from eegsleep.agreement.measure import measure_agreement, save_agreement
    from eegsleep.agreement.pairs import collect_pairs, find_unpaired, find_unverified, pair_with_notes
    from eegsleep.report.agreement_page import render_agreement

    notes: tuple[str, ...] = ()
    if observed:
        pair, notes = pair_with_notes(reference, observed, coding=coding, epoch_s=epoch_s, columns=columns)
        pairs = [pair]
    else:
        pairs = collect_pairs(reference)
        if unverified := find_unverified(reference, [pair[0] for pair in pairs]):
            said = f"No {PROVENANCE_FILE} in {', '.join(unverified)}: whether a table was changed cannot be checked."
            notes = (said,)
    left_out = {} if observed else find_unpaired(reference)
    agreement = measure_agreement(pairs)
    notes += _check_agreement(agreement)
    names = (Path(reference).name, Path(observed).name) if observed else ("expert", "eegsleep")
    page = render_agreement(
        agreement,
        reference=names[0],
        observed=names[1],
        left_out=left_out,
        pairs=pairs,
        links=_find_reports(Path(observed) if observed else Path(reference), [pair[0] for pair in pairs], Path(output)),
    )
    folder = save_agreement(agreement, output, {"agreement.html": page})
    return AgreedScorings(agreement, left_out, folder / "agreement.html", notes)


def _check_agreement(agreement: Agreement) -> tuple[str, ...]:
    """Raise if there is nothing to compare; return a warning if the two agree no better than by chance."""
    pooled = agreement.pooled.set_index(["measure", "pooling"])["value"]
    if math.isnan(pooled["accuracy", "all epochs"]):
        raise TableError(
            "the two scorings have no epoch in common that both scored",
            found="0 epochs",
            allowed="one epoch at least",
            remedy="check that they are of the same night, and how their times and codes are read",
        )
    kappa = pooled["kappa", "all epochs"]
    if kappa < _CHANCE_KAPPA:
        return (
            f"Kappa {kappa:.2f} is hardly better than chance: check that the two are of the same sleeper and night, "
            "that their clocks agree, and that their codes are read rightly.",
        )
    return ()


def _find_reports(place: Path, nights: list[str], output: Path) -> dict[str, str]:
    """Return where the reports of nights lie, relative to the page, for those that have one.

    `place` is a night folder, or the folder of the night folders.
    """
    found = {}
    for night in nights:
        report = next((p for p in (place / night / REPORT_FILE, place / REPORT_FILE) if p.is_file()), None)
        if report is not None and report.parent.name == night:
            try:
                found[night] = quote(Path(os.path.relpath(report, output)).as_posix())
            except ValueError:  # another drive
                found[night] = report.absolute().as_uri()
    return found
