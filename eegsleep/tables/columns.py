"""Columns that tables of several kinds share."""

from __future__ import annotations

from eegsleep.tables.declared import Column

NIGHT = Column("night", "str", "Name of the night.")
SUBJECT = Column("subject", "str", "Name of the sleeper.")
N_NIGHTS = Column("n_nights", "int", "Nights that have a value and enter.")
N_SUBJECTS = Column("n_subjects", "int", "Sleepers of those nights.")
STAGE_LEVELS = {"W": "wake", "N1": "N1", "N2": "N2", "N3": "N3", "R": "REM", "UNS": "not scored"}
SPINDLE_CLASS_LEVELS = {"slow": "below the border of slow and fast spindles", "fast": "from that border on"}
MARKER = Column("marker", "str", "Name of the marker; the catalogue gives its meaning.")
FAMILY = Column(
    "family",
    "str",
    "Family of the marker.",
    levels={
        "A": "Onset and maintenance",
        "B": "Slow-wave restoration (proxy)",
        "C": "REM",
        "D": "Memory consolidation",
        "E": "Next day",
        "context": "Context",
    },
)
MARKER_STAGE = Column("stage", "str", "Stage it was measured in; empty for the whole night.")
MARKER_CHANNEL = Column("channel", "str", "Derivation it was measured on; empty if it belongs to none.")
NOTE = Column("reason", "str", "Why something is missing or left out, or empty.")
