"""What the label of a channel tells: its role, its electrode, and how far a derivation is trusted."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from eegsleep.recording.faults import clean_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_ELECTRODE = r"(?:Fp|AF|FC|FT|F|CP|C|TP|T|PO|P|O|I)(?:z|\d{1,2})"
_REFERENCE = rf"(?:{_ELECTRODE}|[AM][12]|A1A2|M1M2|REF|AVG?|LE|LER|Ref)"
_EEG = re.compile(rf"^(?:EEG\d*\b.*|{_ELECTRODE}(?:\s*[-:/_ ]?\s*{_REFERENCE})?(?:-\d)?)$", re.IGNORECASE)
_EOG = re.compile(r"^(?:.*\bEOG\b.*|[LR]EOG.*|E[12](?:\s*[-:/ ].*)?|[LR]OC(?:\b.*|[-:/ ].*))$", re.IGNORECASE)
_EMG = re.compile(r"^(?:.*\bEMG.*|.*\bchin.*)$", re.IGNORECASE)
_LEG = re.compile(r"leg|tib|\b[RL]AT\b|\bplm|\blimb", re.IGNORECASE)
# The same in the spellings of data sets (DOD-H, APOE, DREAMS and others): sides and numbers joined to the word, parts
# divided by `_`, a prefix for the kind of recording. They are tried on `_spell`, after the plain ones.
_SIDE = r"(?:[lrhv]|li|re|left|right|links|rechts|hor(?:iz(?:ontal)?)?|ver(?:t(?:ical)?)?)"
_EOG_SPELT = re.compile(
    rf"\b{_SIDE}? ?eog ?{_SIDE}?\d*\b|^[lr]oc ?\d?(?: ?[am][12])?\b|^e[12](?: ?[am][12])?$|^e[12] |"
    r"^(?:left|right|[lr]) ?eye$|^eye ?(?:left|right|[lr])$"
)
_EMG_SPELT = re.compile(r"\b\w?(?:emg|chin)\d*|\bsub ?ment|\bment(?:al|um|ale|alis)\b")
# "EEG LOC-Ref" is an eye, whatever it begins with.
_NO_EEG = re.compile(r"\beog ?\d|^eeg (?:[lr]oc\b|e[12] [am][12]\b)")
_PREFIX = re.compile(r"^(?:psg|eeg|poly?|chan(?:nel)?|ch) ?\d* (?=\S)")
_LOOKS = {
    "eog": re.compile(r"eog|eye|ocul|[lr]oc\b|^e[12]\b|auge|oeil|ojo|occhio"),
    "emg": re.compile(r"emg|chin|ment(?:al|um|on)|kinn|barbilla"),
}
# Channels that describe another channel: `C4-M1 (Imp)`, `E1 Impédance`, `EOG-L_Off`.
ABOUT = re.compile(r"\bimp|_off$|quality", re.IGNORECASE)
# The order in which derivations are trusted. YASA's models were trained on a central electrode against the opposite
# mastoid (doi:10.7554/eLife.70092). An electrode without a reference in its name comes after those with one; posterior
# derivations come last.
_TRUST = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:C4\s*[-:/_ ]?\s*[AM]1|C3\s*[-:/_ ]?\s*[AM]2)",
        r"\bC[34]\s*[-:/_ ]?\s*[AM][12]",
        r"\bC[34z]\s*[-:/_ ]\s*\w|[-:/]\s*C[34z]\b",
        r"\bF[34z]\s*[-:/_ ]?\s*[AM][12]",
        r"\bC[34z]",
        r"\bF[34z]",
        r"\b(?:Fp|AF|F)",
    )
)
_SITE = re.compile(_ELECTRODE, re.IGNORECASE)
_KIND_BEFORE_SITE = re.compile(rf"^(?:EEG|EOG|EMG)[-:/_]?(?={_ELECTRODE}|[AM][12]|E[12])", re.IGNORECASE)
# A label that carries the number of its channel, because several have that name (`unique_labels`).
NUMBERED = re.compile(r"^(?P<name>.+) \[\d+\]$")


def guess_role(label: str) -> str:
    """Return `eeg`, `eog`, `emg` or an empty string for a channel label.

    Leg muscles are not taken as EMG: staging needs the tone of the chin, and they do not show it.

    Parameters
    ----------
    label : str

    Returns
    -------
    str
    """
    text = label.strip()
    if ABOUT.search(text):
        return ""
    spelt = _spell(text)
    if _EOG.match(text) or _NO_EEG.search(spelt):
        return "eog"
    if _EMG.match(text):
        return "" if _LEG.search(text) or _LEG.search(spelt) else "emg"
    return "eeg" if _EEG.match(text) else _guess_spelt(spelt)


def _guess_spelt(spelt: str) -> str:
    """Return the role of a label that `_spell` wrote, or an empty string."""
    bare = _PREFIX.sub("", spelt)
    if _EOG_SPELT.search(bare):
        return "eog"
    if _EMG_SPELT.search(bare):
        return "" if _LEG.search(spelt) else "emg"
    return "eeg" if _EEG.match(bare) else ""


def find_look(label: str) -> str:
    """Return `eog` or `emg` for a label without a role that looks like one of an eye or the chin, else nothing.

    Parameters
    ----------
    label : str

    Returns
    -------
    str
    """
    spelt = _spell(label)
    if guess_role(label) or ABOUT.search(label) or _LEG.search(spelt):
        return ""
    return next((role for role, pattern in _LOOKS.items() if pattern.search(spelt)), "")


def _spell(label: str) -> str:
    """Return a label in small letters with single spaces for `_`, `-`, `:`, `/` and `.`."""
    return " ".join(re.sub(r"[-_:/.,()\[\]]+", " ", label.casefold()).split())


def unique_labels(names: Sequence[str]) -> list[str]:
    """Return labels that are safe as text and of which no two are the same.

    Names that several channels share, and blank ones, get the number of their channel: two channels `EEG` become
    `EEG [1]` and `EEG [2]`.

    Parameters
    ----------
    names : sequence of str
        The names of all channels, in the order of the file.

    Returns
    -------
    list of str
    """
    texts = [clean_text(name) for name in names]
    counts, used, labels = Counter(texts), set(), []
    for number, text in enumerate(texts, start=1):
        label = text if text and counts[text] == 1 else f"{text or 'unnamed'} [{number}]"
        while label in used or (label != text and label in counts):
            number += len(texts)  # noqa: PLW2901 - another channel is called like a numbered one
            label = f"{text or 'unnamed'} [{number}]"
        used.add(label)
        labels.append(label)
    return labels


def rank_derivations(labels: Sequence[str]) -> list[str]:
    """Return EEG labels in the order in which they are trusted for staging; equal ones keep their order.

    Parameters
    ----------
    labels : sequence of str

    Returns
    -------
    list of str
    """

    def rank(label: str) -> int:
        spelt = label.replace("_", " ")
        return next((i for i, pattern in enumerate(_TRUST) if pattern.search(spelt)), len(_TRUST))

    return sorted(labels, key=rank)


def fold_label(label: str) -> str:
    """Return a label without spaces and letter case."""
    return "".join(label.split()).casefold()


def bare_label(label: str) -> str:
    """Return a label without the parts that writers add or vary: `EEG C4-M1`, `C4:M1` and `C4M1` are alike."""
    return re.sub(r"[-:/_]", "", re.sub(r"[-:/_]ref$", "", _KIND_BEFORE_SITE.sub("", fold_label(label))))


def first_electrode(label: str) -> str:
    """Return the first electrode of a derivation, so that none is chosen twice."""
    bare = bare_label(label)
    site = _SITE.match(bare)
    return site.group() if site else bare


def is_frontal(label: str) -> bool:
    """Return whether the first electrode of a derivation lies over the frontal lobe (Fp, AF, F), by its name alone."""
    return re.match(r"(?:fp|af|f)(?:z|\d)", first_electrode(label)) is not None
