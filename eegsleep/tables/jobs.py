"""The table of a batch."""

from __future__ import annotations

from eegsleep.tables.columns import NIGHT
from eegsleep.tables.declared import Column, Table

JOBS = Table(
    "jobs",
    "one night of a batch, as the last run that included it left it",
    (
        NIGHT,
        Column("subject", "str", "Sleeper; empty where it is not known."),
        Column("file", "str", "The recording, from the folder of this table."),
        Column(
            "status",
            "str",
            "What became of the night.",
            levels={
                "done": "worked out in that run",
                "fresh": "worked out before, and nothing has changed since",
                "failed": "not worked out",
            },
        ),
        Column(
            "seconds", "float", "Wall-clock time of working it out; missing where it never began or never ended.", "s"
        ),
        Column("memory_mb", "float", "Memory of the process right after it; missing likewise.", "MB"),
        Column("error", "str", "Kind of the error; empty if there was none."),
        Column("reason", "str", "What went wrong, in a sentence; empty if nothing did."),
    ),
)
