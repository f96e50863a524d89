"""What the literature reports of classes of compounds, to show beside a result."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources

# Classes that act at GABA receptors: they make spindles without memory being better for it (eszopiclone, Mylonas
# 2020), so that more of them has no direction.
GABAERGIC = frozenset(
    {
        "benzodiazepines",
        "zolpidem/zopiclone",
        "eszopiclone 3 mg",
        "gaboxadol 15 mg",
        "tiagabine 5 mg",
        "sodium oxybate",
    }
)


def find_expectation(name: str) -> dict[str, str]:
    """Return the entry of the class with this name, or of the class whose name contains it as a word; else empty."""
    wanted = name.casefold().strip()
    for key, entry in expectations().items():
        if wanted and wanted in {key.casefold(), *re.split(r"[\s/()]+", key.casefold())}:
            return entry
    return {}


@cache
def expectations() -> dict[str, dict[str, str]]:
    """Return what is reported of each class of compounds, by family; it is shown and never used in a test."""
    return tomllib.loads(
        resources.files("eegsleep.study.declared").joinpath("expectations.toml").read_text(encoding="utf-8")
    )
