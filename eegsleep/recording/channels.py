"""Labels to roles: which channels are EEG derivations, EOG and EMG, and in what order of trust."""

from __future__ import annotations

import re

_ELECTRODE = r"(?:Fp|AF|FC|FT|F|CP|C|TP|T|PO|P|O|I)(?:z|\d{1,2})"
_REFERENCE = rf"(?:{_ELECTRODE}|[AM][12]|A1A2|M1M2|REF|AVG?|LE|LER|Ref)"
_EEG = re.compile(rf"^(?:EEG\b.*|{_ELECTRODE}(?:\s*[-:/_ ]?\s*{_REFERENCE})?(?:-\d)?)$", re.IGNORECASE)
_EOG = re.compile(r"^(?:.*\bEOG\b.*|[LR]EOG.*|E[12](?:\s*[-:/ ].*)?|[LR]OC(?:\b.*|[-:/ ].*))$", re.IGNORECASE)
_EMG = re.compile(r"^(?:.*\bEMG.*|.*\bchin.*)$", re.IGNORECASE)
_LEG = re.compile(r"leg|tib|\b[RL]AT\b", re.IGNORECASE)

# The order in which derivations are staged. YASA's models were trained on a central electrode against
# the opposite mastoid (doi:10.7554/eLife.70092); a short or posterior pair is the last choice.
_TRUST = (
    re.compile(r"\bC[34]\s*[-:/_ ]?\s*[AM][12]", re.IGNORECASE),
    re.compile(r"\bC[34z]", re.IGNORECASE),
    re.compile(r"(?:\b|-)(?:Cz|F[34z])", re.IGNORECASE),
    re.compile(r"\b(?:Fp|AF|F)", re.IGNORECASE),
)


def guess_role(label: str) -> str:
    """Return `eeg`, `eog`, `emg` or an empty string for a channel label.

    Leg muscles are not taken as EMG: they say nothing of chin tone, which is what staging needs.
    """
    text = label.strip()
    if _EOG.match(text):
        return "eog"
    if _EMG.match(text):
        return "" if _LEG.search(text) else "emg"
    return "eeg" if _EEG.match(text) else ""


def rank_derivations(labels: list[str]) -> list[str]:
    """Return EEG labels in the order in which they are trusted for staging; ties keep the file's order."""

    def rank(label: str) -> int:
        return next((i for i, pattern in enumerate(_TRUST) if pattern.search(label)), len(_TRUST))

    return sorted(labels, key=rank)
