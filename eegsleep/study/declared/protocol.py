"""The declaration of a study, study.toml: read strictly and checked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from eegsleep.errors import SettingsError
from eegsleep.file_names import NIGHTS_FILE, STUDY_FILE
from eegsleep.markers import CATALOGUE, FAMILIES, SPECTRUM_STAGES
from eegsleep.study.declared.expectations import expectations
from eegsleep.study.declared.leaks import reveals_compound
from eegsleep.study.schedules.mechanisms import Mechanism
from eegsleep.tables import STUDY_NIGHTS, empty_table
from eegsleep.toml_files import ANY_KEY, Kinds, read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

# The mechanisms that can have drawn each design.
DESIGNS = {
    "n-of-1": ("pairs", "blocks", "max-run", "complete", "phases"),
    "crossover": ("crossover", "pairs", "max-run", "complete"),
    "parallel": ("parallel",),
    "observational": ("observational",),
}
_LARGEST_ALPHA = 0.1
_N_WITH_DOSES = 3  # conditions: control and two doses
_TESTED_FAMILIES = tuple(name for name in FAMILIES if name != "context")


@dataclass(frozen=True)
class Planned:
    """The nights to plan.

    Attributes
    ----------
    start : str
        Evening of the first night, YYYY-MM-DD.
    subjects : tuple of str
        The sleepers.
    nights, adaptation_nights : int
        Nights of each sleeper with a condition, and before them without.
    strata : tuple of str
        The stratum of each sleeper, where sleepers are drawn within strata; else empty.
    looks : tuple of int
        Nights of each sleeper with a condition after which an interim look may stop the study.
    """

    start: str = "2026-01-05"
    subjects: tuple[str, ...] = ("S01",)
    nights: int = 28
    adaptation_nights: int = 2
    strata: tuple[str, ...] = ()
    looks: tuple[int, ...] = ()

    @property
    def first_drawn(self) -> str:
        """The evening after the adaptation nights; which nights are weekend nights is counted from it."""
        return (date.fromisoformat(self.start) + timedelta(days=self.adaptation_nights)).isoformat()

    def __post_init__(self) -> None:
        if not 1 <= self.nights <= 1000 or not 0 <= self.adaptation_nights <= 100:
            raise SettingsError(
                "the nights planned are out of range",
                found=f"{self.nights} and {self.adaptation_nights} for adaptation",
                allowed="1 to 1000, and 0 to 100",
            )
        if list(self.looks) != sorted(set(self.looks)) or any(not 0 < look < self.nights for look in self.looks):
            raise SettingsError(
                "the interim looks do not fit the nights planned",
                found=", ".join(map(str, self.looks)),
                allowed=f"rising numbers of nights below {self.nights}",
            )
        if not self.subjects or any(not re.fullmatch(r"\w[\w.\-]*", name) for name in self.subjects):
            raise SettingsError(
                "the names of the sleepers cannot be names of folders",
                found=repr(self.subjects),
                allowed="letters, digits, point, hyphen and underscore",
            )
        if any(not re.fullmatch(r"\w[\w.\- ]*", value) for value in self.strata):
            raise SettingsError(
                "plan.strata has a value that is not a word",
                found=repr(self.strata),
                allowed='one for each of subjects, like ["north", "south", "north"]',
            )


@dataclass(frozen=True)
class Study:
    """A study as declared.

    Attributes
    ----------
    title, compound, design : str
    question : str
        What the study is to answer, in a sentence; may be empty.
    mechanism : Mechanism
        How the conditions of the nights were drawn.
    conditions : tuple of str
        The two masked codes; effects are the second minus the first while masked. Three in a study of two doses.
    active : str or None
        The code of the compound, of the highest dose where there are several; None while masked.
    primary : tuple of str
        One to three endpoints, `marker|stage|channel`.
    one_sided : bool
        Whether only a change for the better of a primary endpoint counts; valid only if it was registered.
    smallest_effects : mapping of str to (float, str)
        Smallest effect of interest and its unit, by marker or by endpoint.
    families : tuple of str
        Families in the order in which they are tested.
    alpha, seed
    nights : pandas.DataFrame
        Table `STUDY_NIGHTS`, then `cov_*` and `day_*`; empty if only planned.
    path : Path
        The study file.
    exclusion_rules : tuple of str
    half_life_h : float
        Of the compound; 0 if not known.
    compound_class : str
        The entry of expectations.toml that is shown beside the result, or empty.
    planned : Planned
    nights_file, schedule : str
        File of the nights, and of the schedule or empty; relative to the study.
    key_sha256, concealed_by : str
        Hash of the sealed key, and the person who keeps it; empty if there is none.
    doses_mg : tuple of float
        In a study of control and two doses: 0 and the doses, rising. The sealed key holds which code has which.
    dose_of : mapping of str to float
        The dose of each code in mg; empty while masked, and in a study of one dose.
    """

    title: str
    compound: str
    design: str
    mechanism: Mechanism
    conditions: tuple[str, ...]
    active: str | None
    primary: tuple[str, ...]
    smallest_effects: Mapping[str, tuple[float, str]]
    families: tuple[str, ...]
    alpha: float
    seed: int
    nights: pd.DataFrame
    path: Path
    exclusion_rules: tuple[str, ...] = ()
    half_life_h: float = 0.0
    compound_class: str = ""
    planned: Planned = field(default_factory=Planned)
    nights_file: str = NIGHTS_FILE
    schedule: str = ""
    key_sha256: str = ""
    concealed_by: str = ""
    question: str = ""
    one_sided: bool = False
    doses_mg: tuple[float, ...] = ()
    dose_of: Mapping[str, float] = field(default_factory=dict)

    @property
    def usable(self) -> pd.Series:
        """Whether each night enters the comparison: given a condition, recorded, not excluded, no adaptation."""
        n = self.nights
        return (n["condition"] != "") & (n["file"] != "") & ~n["excluded"] & ~n["adaptation"]

    def smallest_effect(self, endpoint: str) -> tuple[float | None, str]:
        """Return the smallest effect of interest of an endpoint, and its unit.

        Parameters
        ----------
        endpoint : str
            `marker|stage|channel`.

        Returns
        -------
        effect : float or None
            As declared for the endpoint or its marker, else the catalogue's (0.5 SD for a next-day score); None for
            a marker without one.
        unit : str
            The unit of the marker, `%` or `SD`: standard deviations between nights.
        """
        marker = endpoint.split("|", maxsplit=1)[0]
        for name in (endpoint, marker):
            if name in self.smallest_effects:
                return self.smallest_effects[name]
        if marker in CATALOGUE:
            return CATALOGUE[marker].smallest_effect, CATALOGUE[marker].smallest_effect_unit
        return (0.5, "SD") if marker.startswith("day_") else (None, "")


# What study.toml may hold, with the kinds of the values.
_SECTIONS: dict[str, Kinds] = {
    "study": {
        "title": str,
        "question": str,
        "compound": str,
        "design": str,
        "conditions": tuple[str, ...],
        "doses_mg": tuple[float, ...],
        "active": str,
        "alpha": float,
        "seed": int,
        "nights": str,
        "half_life_h": float,
        "compound_class": str,
    },
    "allocation": {
        "mechanism": str,
        **{name: kind for name, kind in get_type_hints(Mechanism).items() if name not in {"kind", "conditions"}},
        "schedule": str,
        "key_sha256": str,
        "concealed_by": str,
    },
    "plan": get_type_hints(Planned),
    "endpoints": {"primary": tuple[str, ...], "families": tuple[str, ...], "one_sided": bool},
    "exclusion": {"rules": tuple[str, ...]},
    "smallest_effects": {ANY_KEY: tuple[float, str]},
}
_REQUIRED = {
    "study": ("title", "compound", "design", "seed"),
    "allocation": ("mechanism",),
    "endpoints": ("primary",),
}
_NOT_OF_MECHANISM = ("schedule", "key_sha256", "concealed_by")


def read_protocol(path: str | Path) -> Study:
    """Read study.toml alone, as a study without nights: what planning needs.

    Parameters
    ----------
    path : path
        study.toml, or its folder.

    Returns
    -------
    Study
        Its table `nights` has no row.

    Raises
    ------
    SettingsError
        If it is not TOML, or a key is missing, unknown, or has a value that is not allowed.

    Examples
    --------
    >>> es.read_protocol("trial/study.toml").compound
    'glycine'
    """
    path = Path(path)
    path = path / STUDY_FILE if path.is_dir() else path
    content = read_toml(path, _SECTIONS, _REQUIRED, remedy="`eegsleep study init` writes a template")
    declared: dict[str, Any] = {"conditions": ("A", "B"), "alpha": 0.05, "nights": NIGHTS_FILE} | content["study"]
    allocation = content["allocation"]
    apart = {name: allocation.pop(name) for name in _NOT_OF_MECHANISM if name in allocation}
    study = Study(
        nights_file=declared.pop("nights"),
        **declared | {"active": declared.get("active") or None},
        **apart,
        mechanism=_make_mechanism(path.name, allocation, declared["conditions"]),
        primary=content["endpoints"]["primary"],
        families=content["endpoints"].get("families", _TESTED_FAMILIES),
        one_sided=content["endpoints"].get("one_sided", False),
        smallest_effects=content.get("smallest_effects", {}),
        nights=empty_table(STUDY_NIGHTS),
        path=path,
        exclusion_rules=content.get("exclusion", {}).get("rules", ()),
        planned=Planned(**content.get("plan", {})),
    )
    _check_protocol(study)
    return study


def _make_mechanism(file: str, allocation: dict[str, Any], codes: tuple[str, ...]) -> Mechanism:
    try:
        return Mechanism(allocation.pop("mechanism"), codes, **allocation)
    except SettingsError as error:
        raise SettingsError(
            f"{file}, [allocation]: {error.problem}", found=error.found, allowed=error.allowed, remedy=error.remedy
        ) from error


def _check_effect(file: str, name: str, effect: tuple[float, str]) -> None:
    marker = name.split("|", maxsplit=1)[0]
    if marker not in CATALOGUE and not marker.startswith("day_"):
        raise SettingsError(
            f"{file}, [smallest_effects] names an unknown marker",
            found=name,
            allowed="a marker of the catalogue, or a day_ column",
        )
    known = CATALOGUE.get(marker)
    units = {known.unit, known.smallest_effect_unit, "SD"} if known else {effect[1]}
    if not effect[0] > 0 or effect[1] not in units:
        raise SettingsError(
            f"{file}, smallest_effects.{name} is not a size with a unit of the marker",
            found=repr(list(effect)),
            allowed=f"[number above 0, {' or '.join(sorted(units))}]",
        )


def _check_protocol(study: Study) -> None:
    file = study.path.name
    _check_design(study, file)
    _check_texts(study, file)
    for name, effect in study.smallest_effects.items():
        _check_effect(file, name, effect)
    _check_codes(study, file)
    _check_doses(study, file)
    if not study.half_life_h >= 0:
        raise SettingsError(
            f"{file}, study.half_life_h is out of range", found=str(study.half_life_h), allowed="hours, 0 if not known"
        )
    if study.compound_class and study.compound_class not in expectations():
        raise SettingsError(
            f"{file}, study.compound_class is unknown",
            found=study.compound_class,
            allowed=f"{', '.join(expectations())}, or empty",
        )
    if study.seed < 0:
        raise SettingsError(f"{file}, study.seed is negative", found=str(study.seed), allowed="0 or more")
    if not 0 < study.alpha <= _LARGEST_ALPHA:
        raise SettingsError(
            f"{file}, study.alpha is out of range",
            found=str(study.alpha),
            allowed=f"above 0, at most {_LARGEST_ALPHA:g}",
            remedy="use 0.05; a larger one calls chance a finding",
        )
    if not 1 <= len(study.primary) <= 3:
        raise SettingsError(
            f"{file}, endpoints.primary has too few or too many endpoints",
            found=str(len(study.primary)),
            allowed="one to three",
            remedy="name the endpoints that the study is to decide; the others are exploratory",
        )
    for endpoint in study.primary:
        _check_endpoint(file, endpoint)
    unknown = [name for name in study.families if name not in _TESTED_FAMILIES]
    if unknown:
        raise SettingsError(
            f"{file}, endpoints.families is unknown", found=", ".join(unknown), allowed=", ".join(_TESTED_FAMILIES)
        )


def _check_texts(study: Study, file: str) -> None:
    for name, texts in (
        ("study.conditions", study.conditions),
        ("endpoints.primary", study.primary),
        ("endpoints.families", study.families),
        ("exclusion.rules", study.exclusion_rules),
        ("plan.subjects", study.planned.subjects),
    ):
        if any(not text.isprintable() for text in texts):
            raise SettingsError(f"{file}, {name} has a control character", found=repr(list(texts)))
        if "" in texts or len(set(texts)) < len(texts):
            raise SettingsError(f"{file}, {name} has an empty text or one twice", found=repr(list(texts)))


def _check_codes(study: Study, file: str) -> None:
    if study.active is not None and study.active not in study.conditions:
        raise SettingsError(
            f"{file}, study.active is not one of the codes",
            found=study.active,
            allowed=f"{' or '.join(study.conditions)}, or empty while masked",
        )
    telling = [code for code in study.conditions if reveals_compound(code, study.compound)]
    if study.active is None and telling and study.mechanism.kind != "observational":
        raise SettingsError(
            f"{file}, study.conditions reveal which is the compound, and masking is lost",
            found=", ".join(telling),
            allowed='codes without a meaning, such as ["A", "B"]',
            remedy="rename the codes; an open-label study names the code of the compound as study.active",
        )


def _check_doses(study: Study, file: str) -> None:
    """Check what a study of two doses declares, and that no other declares doses."""
    if len(study.conditions) < _N_WITH_DOSES:
        if study.doses_mg:
            raise SettingsError(
                f"{file}, study.doses_mg belongs to a study of control and two doses",
                found=f"{len(study.conditions)} conditions",
                remedy='name three codes as conditions, like ["A", "B", "C"], or remove doses_mg',
            )
        return
    doses = study.doses_mg
    if len(doses) != _N_WITH_DOSES or doses[0] != 0 or not doses[0] < doses[1] < doses[2]:
        raise SettingsError(
            f"{file}, study.doses_mg does not fit the three conditions",
            found=", ".join(f"{dose:g}" for dose in doses) or "none",
            allowed="0 for control, then two rising doses in mg, like [0, 1500, 3000]",
            remedy="which code has which dose is sealed in the key",
        )
    for fits, what, found, remedy in (
        (len(study.planned.subjects) == 1, "several sleepers", ", ".join(study.planned.subjects), "plan one sleeper"),
        (study.active is None, "an open label", str(study.active), "leave study.active empty and plan with a key"),
        (not study.planned.looks, "interim looks", str(study.planned.looks), "remove looks from [plan]"),
        (not study.one_sided, "a test on one side", "one_sided = true", "remove one_sided from [endpoints]"),
    ):
        if not fits:
            raise SettingsError(f"{file}: three conditions do not go with {what} yet", found=found, remedy=remedy)
    if study.planned.nights % _N_WITH_DOSES:
        raise SettingsError(
            f"{file}, plan.nights does not hold each of three conditions equally often",
            found=str(study.planned.nights),
            allowed=f"a multiple of {_N_WITH_DOSES}",
        )


def _check_design(study: Study, file: str) -> None:
    if study.design not in DESIGNS:
        raise SettingsError(f"{file}, study.design is unknown", found=study.design, allowed=", ".join(DESIGNS))
    if study.mechanism.kind not in DESIGNS[study.design]:
        raise SettingsError(
            f"{file}: the mechanism does not make a {study.design} study",
            found=study.mechanism.kind,
            allowed=", ".join(DESIGNS[study.design]),
        )
    if not study.mechanism.strata.startswith("cov_") and study.mechanism.strata:
        raise SettingsError(
            f"{file}, allocation.strata is not a covariate",
            found=study.mechanism.strata,
            allowed="a column of nights.csv that begins with cov_",
        )


def _check_endpoint(file: str, endpoint: str) -> None:
    parts = endpoint.split("|")
    fits = len(parts) == 3 and (parts[0] in CATALOGUE or parts[0].startswith("day_"))
    if not fits or parts[1] not in {"", *SPECTRUM_STAGES}:
        raise SettingsError(
            f"{file}, endpoints.primary has an unknown endpoint",
            found=endpoint,
            allowed="marker|stage|channel with a marker of the catalogue or a day_ column, and the "
            f"stage {', '.join(SPECTRUM_STAGES)} or none",
        )
