"""The declaration of a study: study.toml, read strictly or not at all."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegsleep.errors import SettingsError
from eegsleep.markers import CATALOGUE, FAMILIES, SPECTRUM_STAGES
from eegsleep.study.declared.expectations import expectations
from eegsleep.study.declared.leaks import is_telling
from eegsleep.study.schedules.mechanisms import Mechanism
from eegsleep.tables import STUDY_NIGHTS, empty_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

# Which mechanisms can have drawn which design.
DESIGNS = {
    "n-of-1": ("pairs", "max-run", "complete", "phases"),
    "crossover": ("crossover", "pairs", "max-run", "complete"),
    "parallel": ("parallel",),
    "observational": ("observational",),
}
_TESTED_FAMILIES = tuple(name for name in FAMILIES if name != "context")
_LIST, _NUMBER = (list,), (int, float)
_SCHEMA: dict[str, dict[str, tuple[type, ...]]] = {
    "study": {
        "title": (str,),
        "compound": (str,),
        "design": (str,),
        "conditions": _LIST,
        "active": (str,),
        "alpha": _NUMBER,
        "seed": (int,),
        "nights": (str,),
        "half_life_h": _NUMBER,
        "compound_class": (str,),
    },
    "allocation": {
        "mechanism": (str,),
        "wash_out_nights": (int,),
        "weekend_balance": (bool,),
        "max_run": (int,),
        "n_phases": (int,),
        "min_phase": (int,),
        "random_start": (bool,),
        "sequences": _LIST,
        "nights_per_period": (int,),
        "balanced": (bool,),
        "strata": (str,),
        "schedule": (str,),
        "key_sha256": (str,),
        "concealed_by": (str,),
    },
    "plan": {"start": (str,), "subjects": _LIST, "strata": _LIST, "nights": (int,), "adaptation_nights": (int,)},
    "endpoints": {"primary": _LIST, "families": _LIST},
    "exclusion": {"rules": _LIST},
    "smallest_effects": {},
}
_REQUIRED = (
    ("study", "title"),
    ("study", "compound"),
    ("study", "design"),
    ("study", "seed"),
    ("allocation", "mechanism"),
    ("endpoints", "primary"),
)
_NOT_OF_MECHANISM = ("mechanism", "schedule", "key_sha256", "concealed_by")


@dataclass(frozen=True)
class Planned:
    """What `plan` lays out: the evening of the first night, the sleepers, and how many nights each has."""

    start: str = "2026-01-05"
    subjects: tuple[str, ...] = ("S01",)
    nights: int = 28
    adaptation_nights: int = 2
    strata: tuple[str, ...] = ()  # of each sleeper, where sleepers are drawn within strata

    @property
    def first_drawn(self) -> str:
        """The evening after the adaptation nights; weekends, and so the possible schedules, count from it."""
        return (date.fromisoformat(self.start) + timedelta(days=self.adaptation_nights)).isoformat()

    def __post_init__(self) -> None:
        if not 1 <= self.nights <= 1000 or not 0 <= self.adaptation_nights <= 100:
            raise SettingsError(
                "the nights planned are out of range",
                found=f"{self.nights} and {self.adaptation_nights} for adaptation",
                allowed="1 to 1000, and 0 to 100",
            )
        if not self.subjects or any(not re.fullmatch(r"\w[\w.\-]*", name) for name in self.subjects):
            raise SettingsError(
                "the sleepers planned cannot name folders",
                found=repr(self.subjects),
                allowed="letters, digits, point, hyphen and underscore",
            )
        if any(not isinstance(value, str) or not re.fullmatch(r"\w[\w.\- ]*", value) for value in self.strata):
            raise SettingsError(
                "plan.strata is no list of words",
                found=repr(self.strata),
                allowed='one for each of subjects, like ["north", "south", "north"]',
            )


@dataclass(frozen=True)
class Study:
    """A study as declared.

    Attributes
    ----------
    title, compound, design : str
    mechanism : Mechanism
        How the conditions of the nights were drawn.
    conditions : tuple of str
        The two masked codes; effects are the second minus the first while masked.
    active : str or None
        The code of the compound; None while masked.
    primary : tuple of str
        One to three endpoints, `marker|stage|channel`.
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
        Entry of the expectations that is shown beside the result, or empty.
    planned : Planned
    nights_file, schedule : str
        File of the nights, and of the schedule or empty; relative to the study.
    key_sha256, concealed_by : str
        Hash of the sealed key, and who keeps the key; empty if there is none.
    """

    title: str
    compound: str
    design: str
    mechanism: Mechanism
    conditions: tuple[str, str]
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
    nights_file: str = "nights.csv"
    schedule: str = ""
    key_sha256: str = ""
    concealed_by: str = ""

    @property
    def usable(self) -> pd.Series:
        """Which nights enter: drawn, recorded, not excluded and no adaptation."""
        n = self.nights
        return (n["condition"] != "") & (n["file"] != "") & ~n["excluded"] & ~n["adaptation"]

    def smallest_effect(self, endpoint: str) -> tuple[float | None, str]:
        """Return the smallest effect of interest of an endpoint and its unit: declared, else the catalogue's."""
        marker = endpoint.split("|", maxsplit=1)[0]
        for name in (endpoint, marker):
            if name in self.smallest_effects:
                return self.smallest_effects[name]
        known = CATALOGUE.get(marker)
        return (known.smallest_effect, known.smallest_effect_unit) if known else (0.5, "SD")


def read_protocol(path: str | Path) -> Study:
    """Read study.toml alone, as a study without nights: what planning needs.

    Raises
    ------
    SettingsError
        If it is not TOML, or a key is missing, unknown, or holds what is not allowed.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"study file {path.name} cannot be read", found=str(error), remedy="`eegsleep study init` writes a template"
        ) from error
    _check_schema(path.name, content)
    study, allocation = content["study"], content["allocation"]
    codes = tuple(_texts(path.name, "study.conditions", study.get("conditions", ["A", "B"])))
    endpoints = content["endpoints"]
    primary = tuple(_texts(path.name, "endpoints.primary", endpoints["primary"]))
    families = tuple(_texts(path.name, "endpoints.families", endpoints.get("families", list(_TESTED_FAMILIES))))
    planned = dict(content.get("plan", {}))
    if "subjects" in planned:
        planned["subjects"] = tuple(_texts(path.name, "plan.subjects", planned["subjects"]))
    planned["strata"] = tuple(planned.get("strata", ()))
    made = Study(
        title=study["title"],
        compound=study["compound"],
        design=study["design"],
        mechanism=_read_mechanism(path.name, allocation, codes),
        conditions=codes,
        active=study.get("active") or None,
        primary=primary,
        smallest_effects=_read_effects(path.name, content.get("smallest_effects", {})),
        families=families,
        alpha=float(study.get("alpha", 0.05)),
        seed=study["seed"],
        nights=empty_table(STUDY_NIGHTS),
        path=path,
        exclusion_rules=tuple(_texts(path.name, "exclusion.rules", content.get("exclusion", {}).get("rules", []))),
        half_life_h=float(study.get("half_life_h", 0.0)),
        compound_class=study.get("compound_class", ""),
        planned=Planned(**planned),
        nights_file=study.get("nights", "nights.csv"),
        schedule=allocation.get("schedule", ""),
        key_sha256=allocation.get("key_sha256", ""),
        concealed_by=allocation.get("concealed_by", ""),
    )
    _check_protocol(made)
    return made


def _check_schema(file: str, content: dict[str, Any]) -> None:
    for section, values in content.items():
        if section not in _SCHEMA or not isinstance(values, dict):
            raise SettingsError(f"{file} has an unknown section", found=section, allowed=", ".join(_SCHEMA))
        known = _SCHEMA[section]
        for key, value in values.items() if known else ():
            if key not in known:
                raise SettingsError(f"{file}, [{section}] has no such key", found=key, allowed=", ".join(known))
            kinds = known[key]
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                raise SettingsError(
                    f"{file}, {section}.{key} has a value of the wrong kind",
                    found=repr(value),
                    allowed=" or ".join(kind.__name__ for kind in kinds),
                )
    for section, key in _REQUIRED:
        if key not in content.get(section, {}):
            raise SettingsError(
                f"{file}, [{section}] lacks {key}",
                allowed=", ".join(_SCHEMA[section]),
                remedy=f"add {key}; `eegsleep study init` writes a template",
            )


def _texts(file: str, key: str, values: list) -> list[str]:
    wrong = [value for value in values if not isinstance(value, str) or not value]
    if wrong or len(set(values)) < len(values):
        raise SettingsError(f"{file}, {key} is no list of different texts", found=repr(values))
    return values


def _read_mechanism(file: str, allocation: dict[str, Any], codes: tuple[str, ...]) -> Mechanism:
    values = {key: value for key, value in allocation.items() if key not in _NOT_OF_MECHANISM}
    if "sequences" in values:
        if not all(isinstance(order, list) for order in values["sequences"]):
            raise SettingsError(
                f"{file}, allocation.sequences is no list of lists",
                found=repr(values["sequences"]),
                allowed='like [["A", "B"], ["B", "A"]]',
            )
        values["sequences"] = tuple(tuple(order) for order in values["sequences"])
    try:
        return Mechanism(allocation["mechanism"], codes, **values)
    except SettingsError as error:
        raise SettingsError(
            f"{file}, [allocation]: {error.problem}", found=error.found, allowed=error.allowed, remedy=error.remedy
        ) from error


def _read_effects(file: str, effects: dict[str, Any]) -> dict[str, tuple[float, str]]:
    read = {}
    for name, value in effects.items():
        marker = name.split("|", maxsplit=1)[0]
        units = {CATALOGUE[marker].unit, CATALOGUE[marker].smallest_effect_unit, "SD"} if marker in CATALOGUE else None
        if units is None and not marker.startswith("day_"):
            raise SettingsError(
                f"{file}, [smallest_effects] names an unknown marker",
                found=name,
                allowed="a marker of the catalogue, or a day_ column",
            )
        pair = value if isinstance(value, list) and len(value) == 2 else [None, None]
        fits = isinstance(pair[0], int | float) and not isinstance(pair[0], bool) and pair[0] > 0
        if not fits or not isinstance(pair[1], str) or (units is not None and pair[1] not in units):
            raise SettingsError(
                f"{file}, smallest_effects.{name} is no effect with a unit",
                found=repr(value),
                allowed=f"[number above 0, {' or '.join(sorted(units or {'any unit'}))}]",
            )
        read[name] = (float(pair[0]), pair[1])
    return read


def _check_protocol(study: Study) -> None:
    file = study.path.name
    _check_design(study, file)
    if study.active is not None and study.active not in study.conditions:
        raise SettingsError(
            f"{file}, study.active is no code of the study",
            found=study.active,
            allowed=f"{' or '.join(study.conditions)}, or empty while masked",
        )
    telling = [code for code in study.conditions if is_telling(code, study.compound)]
    if study.active is None and telling and study.mechanism.kind != "observational":
        raise SettingsError(
            f"{file}, study.conditions tell which is the compound, and masking is lost",
            found=", ".join(telling),
            allowed='codes without a meaning, such as ["A", "B"]',
            remedy="rename the codes; a study whose label is open names the compound as study.active",
        )
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
    if not 0 < study.alpha < 0.5:
        raise SettingsError(
            f"{file}, study.alpha is out of range", found=str(study.alpha), allowed="above 0, below 0.5"
        )
    if not 1 <= len(study.primary) <= 3:
        raise SettingsError(
            f"{file}: primary endpoints",
            found=str(len(study.primary)),
            allowed="one to three",
            remedy="name those that the study is for; the others are exploratory",
        )
    for endpoint in study.primary:
        _check_endpoint(file, endpoint)
    unknown = [name for name in study.families if name not in _TESTED_FAMILIES]
    if unknown:
        raise SettingsError(
            f"{file}, endpoints.families is unknown", found=", ".join(unknown), allowed=", ".join(_TESTED_FAMILIES)
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
            f"{file}, allocation.strata is no covariate",
            found=study.mechanism.strata,
            allowed="a column of nights.csv that begins with cov_",
        )


def _check_endpoint(file: str, endpoint: str) -> None:
    parts = endpoint.split("|")
    fits = len(parts) == 3 and (parts[0] in CATALOGUE or parts[0].startswith("day_"))
    if not fits or parts[1] not in {"", *SPECTRUM_STAGES}:
        raise SettingsError(
            f"{file}, endpoints.primary names no endpoint",
            found=endpoint,
            allowed="marker|stage|channel with a marker of the catalogue or a day_ column, and the "
            f"stage {', '.join(SPECTRUM_STAGES)} or none",
        )
