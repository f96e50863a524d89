"""Find names of files or nights that reveal the condition of the night; with one, masking is lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Words in a file name that reveal what was taken.
REVEALING_WORDS = (
    "placebo",
    "control",
    "compound",
    "verum",
    "active",
    "sham",
    "treatment",
    "treated",
    "drug",
    "dummy",
    "intervention",
)
_PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


def find_leak(
    names: Sequence[str], conditions: Sequence[str], codes: Sequence[str], compound: str, split: bool = True
) -> tuple[int, str] | None:
    """Return the first name that reveals the condition of its night, or None.

    A piece that is in every name (`control-study/night-01.edf`) reveals nothing.

    Parameters
    ----------
    names : sequence of str
        Names of files or nights; an empty one is skipped.
    conditions : sequence of str
        The code of each night, or empty.
    codes : sequence of str
        The masked codes.
    compound : str
        What the study is about; its words must not be in a name.
    split : bool
        Whether a piece without digits that is in all names of one condition, and in no other name, counts too.

    Returns
    -------
    (int, str) or None
        The place of the name, and the piece of it that reveals the condition.
    """
    pieces = [_pieces(name) for name in names]
    shared = set.intersection(*(set(p) for p in pieces if p)) if any(pieces) else set()
    whole = {code.lower() for code in codes}
    words = _revealing_words(compound)
    words = {word for word in words if not all(word in name.lower() for name in names if name)}
    for row, (name, own) in enumerate(zip(names, pieces, strict=True)):
        exact = (whole & {*own, *re.split(r"[\W_]+", name.lower())}) - shared
        inside = {word for word in words if word in name.lower()}
        if exact or inside:
            return row, min(exact | inside)
    return _find_split(pieces, conditions, codes) if split else None


def reveals_compound(code: str, compound: str) -> bool:
    """Return whether a code of the study reveals by itself what was taken."""
    return any(word in code.lower() for word in _revealing_words(compound))


def _revealing_words(compound: str) -> set[str]:
    return {*REVEALING_WORDS, *(w for w in _pieces(compound) if len(w) >= 4 and not w.isdigit())}


def _pieces(name: str) -> list[str]:
    return [piece.lower() for piece in _PIECES.findall(name)]


def _find_split(
    pieces: Sequence[Sequence[str]], conditions: Sequence[str], codes: Sequence[str]
) -> tuple[int, str] | None:
    """Return the first name of a condition, and a piece that is in all its names and in no other, or None."""
    given = [(row, frozenset(p), c) for row, (p, c) in enumerate(zip(pieces, conditions, strict=True)) if p and c]
    for code in codes:
        own = [(row, p) for row, p, c in given if c == code]
        other = [p for _, p, c in given if c != code]
        if len(own) < 2 or not other:
            continue
        shared = frozenset.intersection(*(p for _, p in own)) - frozenset[str]().union(*other)
        revealing = [piece for piece in shared if not piece.isdigit()]
        if revealing:
            return own[0][0], min(revealing)
    return None
