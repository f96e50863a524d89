"""A small study on disk: twelve nights in pairs, with recordings that are only names."""

import csv
import io

import pytest

TOML = """
[study]
title = "Glycine and spindles"
compound = "glycine"
design = "n-of-1"
conditions = ["A", "B"]
seed = 7

[allocation]
mechanism = "pairs"

[plan]
start = "2026-01-05"
nights = 12

[endpoints]
primary = ["fast_spindle_density_per_min|NREM|C3", "tst_min||"]

[smallest_effects]
tst_min = [15, "min"]

[exclusion]
rules = ["the night is judged unusable"]
"""
ORDER = "AB BA BA AB BA AB".replace(" ", "")


def night_rows():
    """Return two adaptation nights and twelve in pairs as dictionaries of cells."""
    rows = []
    for i, code in enumerate(["", "", *ORDER], start=1):
        rows.append(
            {
                "subject": "S01",
                "night": f"S01-{i:03d}",
                "date": f"2026-01-{i + 4:02d}",
                "file": f"S01-{i:03d}.edf",
                "condition": code,
                "block": str((i - 1) // 2) if code else "",
                "adaptation": "true" if not code else "",
                "device": "Z1",
                "lights_off": "23:10",
                "lights_on": "07:00",
                "guess": "?" if code else "",
                "excluded": "false",
                "exclusion_reason": "",
                "decided_masked": "",
                "day_kss": "4",
                "cov_alcohol_units": "0",
            }
        )
    return rows


class StudyFolder:
    """A study folder that a test may change before it is read."""

    def __init__(self, folder):
        self.folder, self.path, self.toml, self.rows = folder, folder / "study.toml", TOML, night_rows()

    def write(self, *, recordings=True):
        """Write study.toml, nights.csv and, if asked, an empty file for every recording."""
        self.path.write_text(self.toml)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]) if self.rows else ["subject"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        (self.folder / "nights.csv").write_text(text.getvalue())
        for row in self.rows if recordings else ():
            if row.get("file"):
                file = self.folder / row["file"]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
        return self.path

    def read(self):
        """Write and read the study."""
        from eegsleep.study.declared.manifest import read_study

        return read_study(self.write())


@pytest.fixture
def folder(tmp_path):
    return StudyFolder(tmp_path)


@pytest.fixture
def study(folder):
    return folder.read()
