"""The names of sleep stages in hypnogram files: words in seven languages, and integers by a named coding.

The same integer is deep sleep in one laboratory and REM in another, so a file of integers is only read by a coding that
the user names. The source of each coding is beside it. Movement, artefact and unknown are unscored in all of them:
counted as wake they would add awakenings that were not scored.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from eegsleep.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterable

# 6 to 9 and negative numbers are no stages in any numbering of AASM; data sets write them for epochs without a stage.
_NOT_SCORED = dict.fromkeys((-1, -2, -3, -9, 6, 7, 8, 9), "UNS")
_AASM = {0: "W", 1: "N1", 2: "N2", 3: "N3", 4: "R"}
_RECHTSCHAFFEN_KALES = {0: "W", 1: "N1", 2: "N2", 3: "N3", 4: "N3", 5: "R", 6: "UNS", 7: "UNS", 9: "UNS"}

CODINGS: dict[str, dict[int, str]] = {
    "aasm": {**_AASM, **_NOT_SCORED},
    "yasa": {**_AASM, -1: "UNS", -2: "UNS"},
    "dreem": {**_AASM, -1: "UNS"},
    "rk": _RECHTSCHAFFEN_KALES,
    "nsrr": _RECHTSCHAFFEN_KALES,
    "isruc": {0: "W", 1: "N1", 2: "N2", 3: "N3", 5: "R"},
    "ucddb": {0: "W", 1: "R", 2: "N1", 3: "N2", 4: "N3", 5: "N3", 6: "UNS", 7: "UNS", 8: "UNS"},
    "sleep-profiler": {0: "W", 1: "N1", 2: "N2", 3: "N3", 4: "N2", 5: "R", 6: "UNS", 9: "UNS"},
    "boas": {**_AASM, 8: "UNS", -2: "UNS"},
    "dreams": {5: "W", 4: "R", 3: "N1", 2: "N2", 1: "N3", 0: "N3", -1: "UNS", -2: "UNS", -3: "UNS"},
}
# What writes each coding, and its source.
CODING_MEANINGS: dict[str, str] = {
    "aasm": "The five AASM stages counted up; common in machine-learning copies of public sets.",
    "yasa": "yasa.Hypnogram.from_integers: -1 is artefact, -2 unscored.",
    "dreem": "Dreem Open Datasets (doi:10.1109/TNSRE.2020.3011181): -1 is not scored.",
    "rk": "Rechtschaffen and Kales 1968 as programs write it: 3 and 4 are deep sleep, 5 is REM, 6 movement time, 9 "
    "unknown.",
    "nsrr": "SHHS, MESA and the rest of sleepdata.org, also Compumedics Profusion: the same integers as rk.",
    "isruc": "ISRUC-Sleep (doi:10.1016/j.cmpb.2015.10.013): AASM stages, but REM is 5.",
    "ucddb": "St. Vincent's / University College Dublin (doi:10.13026/C26C7D): 1 is REM, 6 artefact, 7 indeterminate; "
    "8 occurs without being explained.",
    "sleep-profiler": "Advanced Brain Monitoring, column PrimaryAutoStage: 4 is light N2, not stage 4; 6 is sleep of "
    "no named stage.",
    "boas": "Bitbrain's open set (BOAS, doi:10.18112/openneuro.ds005555.v1.1.0): 8 and -2 are not scored, by its "
    "README.",
    "dreams": "DREAMS (doi:10.5281/zenodo.2650142): counted down, one value every 5 s; -1 is movement, -2 and "
    "-3 unknown.",
}
# Length of the epochs in seconds, where files of a coding do not give it and it is not 30 s.
CODING_EPOCHS_S = {"dreams": 5.0}

# Words without letter case, accents, hyphens, and without "Sleep stage" before or "sleep" after them.
_WORDS = {
    "W": "w wake awake wakefulness wk waking wakestate|wach wachheit|eveil veille eveille|vigilia despierto|"
    "veglia sveglio vigile|wakker waak|acordado desperto|s0",
    "N1": "n1 s1 nrem1 nonrem1 st1",
    "N2": "n2 s2 nrem2 nonrem2 st2",
    "N3": "n3 s3 n4 s4 nrem3 nrem4 nonrem3 nonrem4 st3 st4 sws slowwave",
    "R": "r rem rapideyemovement|paradoxal paradoxical|mor",
    # `p` is the time of preparation in DREAMT; the others mean that the epoch was not, or could not be, scored.
    "UNS": "? uns unk unknown unscored unstaged undefined undetermined indeterminate mt m movement mvt art artifact "
    "artefact invalid missing nd nan none p|bewegung bewegungszeit artefakt unbekannt unbewertet unklassifiziert|"
    "mouvement inconnu indetermine|movimiento desconocido indeterminado artefacto|movimento sconosciuto "
    "indeterminato artefatto|beweging onbekend|desconhecido artefato",
}
_PHRASES = {
    "W": "wake state|wake stage|quiet wake|relaxed wake|eyes open wake|eyes closed wake",
    "UNS": "n/a|not scored|not staged|not available|unknown stage|no stage|no score|no data|undefined stage|"
    "movement time|movement artifact|movement artefact|body movement|"
    "nicht bewertet|nicht klassifiziert|nicht gescort|temps de mouvement|non score|non cote|non classe|"
    "tiempo de movimiento|no puntuado|no clasificado|sin clasificar|no estadificado|tempo di movimento|"
    "non classificato|non valutato|niet gescoord|niet bepaald|tempo de movimento|nao classificado|nao estagiado|"
    "nao pontuado",
    "R": "rapid eye movement|rem stage|sommeil paradoxal|sueno paradojico|sueno rem|sonno rem|sono rem|"
    "rem schlaf|rem slaap",
}
STAGE_WORDS = {word: stage for stage, words in _WORDS.items() for word in words.replace("|", " ").split()}
STAGE_WORDS |= {phrase: stage for stage, phrases in _PHRASES.items() for phrase in phrases.split("|")}
# Digits are stages of Rechtschaffen and Kales only after a word for "stage": "Sleep stage 4", "Stadium 4".
_DIGITS = {"0": "W", "1": "N1", "2": "N2", "3": "N3", "4": "N3"}

_BEFORE = re.compile(
    r"(sleep stages?|sleep|stage|non ?rapid ?eye ?movement( ?sleep)?|schlafstadium|schlafphase|stadium|"
    r"stade de sommeil|stade|"
    r"phase de sommeil|estadio del sueno|estadio|etapa|fase del sueno|fase del sonno|fase do sono|fase|stadio|"
    r"slaapstadium|slaapfase|estagio|non rem|nrem|nonrem)[ :_]*"
)
_AFTER = re.compile(r" (sleep|schlaf|sommeil|sueno|sonno|slaap|sono)$")

_LIGHTS = {
    "lights off": r"lights? (off|out)|l/? ?o(ff|ut)?|licht(er)? aus|lumieres? eteintes?|"
    r"extinction( des feux| des lumieres)?|"
    r"luces apagadas|apagar luces|luci spente|licht uit|luzes apagadas",
    "lights on": r"lights? on|l/? ?on|licht(er)? an|lumieres? allumees?|luces encendidas|luci accese|licht aan|"
    r"luzes acesas",
}
_LIGHTS_TEXT = {meaning: re.compile(pattern) for meaning, pattern in _LIGHTS.items()}
# Events that people and programs write between the stages, and that are surely no stages.
_EVENT = re.compile(
    r"arous|micro ?(eveil|desp|risv)|weckreaktion|apn(o?e|e)|hypopn|ipopn|hipopn|rera\b|desat|entsattig|spo2|"
    r"limb|plm|\blm\b|\bleg\b|jambe|beinbeweg|extremit|snor|ronfl|schnarch|ronqu|russa|snurk|respirat|atmung|"
    r"cheyne|paradox.* breath|periodic breath|flow lim|notif|avertiss|warn|hinweis|aviso|avviso|waarsch|"
    r"spindle|spindel|fuseau|slow (oscill|wave)|k ?(complex|komplex)|complexe k|mcap|brady|tachy|asyst|heart|"
    r"impedan|calibrat|position|supine|prone|cpap|bruxis|recording|aufzeichnung|"
    r"enregistrement|start of|end of|eye (mov|blink)|bad |edge |boundary|new segment"
)
# Stages within a phrase. "Non-REM" is no REM; N3 and N4, and stages 3 and 4, are one.
_IN_PHRASES = tuple(
    (re.compile(pattern), stage)
    for pattern, stage in (
        (r"\b(wake|awake|wakefulness|waking|wach|eveil|vigilia|veglia)\b", "W"),
        (r"\b(n|s|nrem|nonrem|non rem|stage|phase) ?1\b", "N1"),
        (r"\b(n|s|nrem|nonrem|non rem|stage|phase) ?2\b", "N2"),
        (r"\b(n|s|nrem|nonrem|non rem|stage|phase) ?[34]\b", "N3"),
        (r"(?<!non )(?<!n )\b(rem|rapid eye movements?)\b(?! ?[1-4])|\bparadoxical\b", "R"),
    )
)
_NAMES_DEEP = re.compile(r"\bslow wave sleep\b|\bsws\b")
_NO_STAGE = re.compile(
    r"\b(un|not )(scor|stag|known|defin|class|determin|available|interpret)|\bart[ei]fact|\bmovement( time)?$|"
    r"\bmissing\b|\binvalid\b|\bno (score|stage|data|signal)\b|\bn/a\b|\bexcluded\b|\bbad\b|\bdisconnect|"
    r"\blights? (on|off|out)\b"
)
# A label that looks like a stage is never taken for a note, even where no stage is called so.
_LIKE_STAGE = re.compile(
    r"(sleep|stage|stadium|schlafstadium|stade|estadio|stadio|fase|nrem|rem|non ?rem|[ns] ?\d|st ?\d|light sleep|deep|"
    r"drows\w*|tief\w*|leicht\w*|sommeil|sueno|sonno)(?![a-z])"
)
LIKE_INTEGER = re.compile(r"[-+]?\d{1,3}(\.0*)?")
# Letters beside which the digits 1 to 4 can only be stages, as in SLPDB's "W 1 2 3 4 R MT".
_LETTERS = {"W", "R"}


def read_labels(
    labels: Iterable[str], coding: str | None = None, *, events: bool = False, marked: bool = False
) -> dict[str, str]:
    """Return the meaning of each label of a file: a stage, `lights off`, `lights on`, or an empty text for an event.

    Parameters
    ----------
    labels : iterable of str
        Every different label of the file.
    coding : str, optional
        Name in `CODINGS` under which integers are read.
    events : bool
        Whether the file lists other events among the stages; known events are then accepted.
    marked : bool
        Whether its stages are named as stages ("Sleep stage W"), so that every other text is an event.

    Returns
    -------
    dict of str to str

    Raises
    ------
    TableError
        If the labels are integers and no coding is named or it does not have them, or if a label is unknown.
    """
    meanings, unknown = translate_labels(labels, coding, events=events, marked=marked)
    check_known(unknown)
    return meanings


def translate_labels(
    labels: Iterable[str], coding: str | None = None, *, events: bool = False, marked: bool = False
) -> tuple[dict[str, str], list[str]]:
    """Return the meaning of each label of a file, and the labels that are not known, which have no meaning.

    Parameters
    ----------
    labels, coding, events, marked
        As in `read_labels`.

    Returns
    -------
    meanings : dict of str to str
        An unknown label means an empty text, as an event does.
    unknown : list of str
        The caller must refuse them (`check_known`), or know that they are notes.

    Raises
    ------
    TableError
        If the labels are integers and no coding is named or it does not have them.
    """
    labels = list(dict.fromkeys(labels))
    check_coding(coding)
    integers = [label for label in labels if LIKE_INTEGER.fullmatch(label)]
    meanings: dict[str, str | None] = {
        label: "" if events and marked and not is_marked(label) else None for label in labels
    }
    for label in labels:
        known = name_stage(label)
        # Beside "Sleep stage W" a bare "R" or "Artifact" is a remark, but "Movement time" is a stage.
        if meanings[label] == "" and (known != "UNS" or _plain(label).startswith("art")):
            known = None
        if known is None and events:
            known = _name_event(label)
        meanings[label] = meanings[label] if known is None else known
    if integers:
        meanings |= _read_integers(integers, meanings, coding)
    unknown = [label for label, meaning in meanings.items() if meaning is None]
    return {label: meaning or "" for label, meaning in meanings.items()}, unknown


def looks_like_stage(label: str) -> bool:
    """Return whether a label that is no known stage begins as the name of one does."""
    return bool(_LIKE_STAGE.match(_plain(label)))


def check_known(unknown: Iterable[str]) -> None:
    """Raise `TableError` if there are labels that are not known.

    Parameters
    ----------
    unknown : iterable of str
        From `translate_labels`.
    """
    shown = sorted(repr(label[:40]) for label in unknown)
    if shown:
        raise TableError(
            "the hypnogram has words that are no known stages",
            found=", ".join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else ""),
            allowed="W, N1, N2, N3, R, UNS or ?, S1 to S4, MT, and their names in common languages; light and deep "
            "sleep are no AASM stages",
            remedy="write these as one of them",
        )


def check_coding(coding: str | None) -> None:
    """Raise `TableError` for a coding that does not exist.

    Parameters
    ----------
    coding : str or None
        None is accepted: the file may need no coding.
    """
    if coding is not None and coding not in CODINGS:
        raise TableError(f"there is no stage coding {coding!r}", allowed=", ".join(CODINGS))


def name_stage(label: str) -> str | None:
    """Return the AASM stage that a label names, as W, N1, N2, N3, R or UNS; None if it is no stage.

    Parameters
    ----------
    label : str

    Returns
    -------
    str or None
    """
    return _name_plain(_plain(label)) or _name_plain(_plain(_split_words(label)))


def _name_plain(text: str) -> str | None:
    if text in STAGE_WORDS:
        return STAGE_WORDS[text]
    bare = _AFTER.sub("", text)
    rest = _BEFORE.sub("", bare, count=1) if _BEFORE.match(bare) else ""
    joined = rest.replace(" ", "")
    return (
        STAGE_WORDS.get(bare)
        or STAGE_WORDS.get(bare.replace(" ", ""))
        or STAGE_WORDS.get(joined)
        or _DIGITS.get(joined)
    )


def read_level(text: str) -> str | None:
    """Return the stage that the explanation of a code names, as in a BIDS sidecar's `Levels`; None if it names none.

    Explanations are phrases ("N2 - light sleep", "REM sleep stage", "Awake, eyes closed"); one that names two
    stages names none.

    Parameters
    ----------
    text : str

    Returns
    -------
    str or None
    """
    whole = name_stage(text)
    if whole is not None:
        return whole
    plain = " ".join(re.sub(r"[^a-z0-9?/]+", " ", _plain(text)).split())
    if plain in {"a", "other", "noise"} or _NO_STAGE.search(plain):
        return "UNS"
    if re.search(r"[12] ?(/|or|and|to) ?[a-z]* ?[1-4]\b", plain):  # "N1 or N2", "stages 1/2"
        return None
    named = {stage for pattern, stage in _IN_PHRASES if pattern.search(plain)}
    if not named and _NAMES_DEEP.search(plain):
        return "N3"
    return named.pop() if len(named) == 1 else None


def is_marked(label: str) -> bool:
    """Return whether a text begins with the words for "sleep stage", whether the stage is known or not.

    Parameters
    ----------
    label : str

    Returns
    -------
    bool
    """
    return bool(re.match(r"sleep stage|schlafstadium|stade de sommeil|slaapstadium", _plain(label)))


def _name_event(label: str) -> str | None:
    """Return `lights off`, `lights on`, an empty text for another event that is surely no stage, or None."""
    text = _plain(label)
    for meaning, pattern in _LIGHTS_TEXT.items():
        if pattern.fullmatch(text) or pattern.fullmatch(_plain(_split_words(label))):
            return meaning
    return "" if _EVENT.search(text) else None


def _read_integers(integers: list[str], meanings: dict[str, str | None], coding: str | None) -> dict[str, str]:
    numbers = {label: int(float(label)) for label in integers}
    if coding is None and _LETTERS.issubset(meanings.values()) and set(numbers.values()) <= {1, 2, 3, 4}:
        return {label: _DIGITS[str(number)] for label, number in numbers.items()}
    found = ", ".join(map(str, sorted(set(numbers.values()))))
    fitting = [name for name, codes in CODINGS.items() if set(numbers.values()) <= set(codes)]
    if coding is None:
        raise TableError(
            "the stages are integers, and the file does not say what they mean",
            found=found,
            allowed="codings with these integers: " + (", ".join(fitting) or "none"),
            remedy="name the coding the scorer used with --coding NAME",
        )
    codes = CODINGS[coding]
    if coding not in fitting:
        raise TableError(
            f"the stages hold integers that coding {coding} does not have",
            found=found,
            allowed=", ".join(f"{code} {stage}" for code, stage in sorted(codes.items())),
            remedy="codings with these integers: " + (", ".join(fitting) or "none"),
        )
    return {label: codes[number] for label, number in numbers.items()}


def _plain(label: str) -> str:
    """Return a label without case, accents and hyphens, and without what programs add.

    Added are a channel (`@@`, EDF+), a code (`|`, NSRR), the list a name is from (`SDO:`, older NSRR), and whether a
    person or a program scored (`,Manual`).
    """
    text = unicodedata.normalize("NFKD", re.split(r"@@|\|", label, maxsplit=1)[0][:200]).casefold()
    text = re.sub(r"^s[dr]o:|\s*[,;(]\s*(manual|automatic|auto)(ly)?( scored)?\)?\s*$", "", text)
    text = "".join(c for c in text if not unicodedata.combining(c))
    return " ".join(re.sub(r"[-_]+", " ", text).split())


def _split_words(label: str) -> str:
    """Return a label such as `UnknownStage` or `Stage2Sleep` with spaces between its words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", label[:200])


def plain_name(name: str) -> str:
    """Return the name of a column without case, accents, unit and punctuation.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
    """
    return " ".join(re.sub(r"[^a-z0-9]+", " ", _plain(re.sub(r"[\[(].*?[\])]", " ", name[:200]))).split())
