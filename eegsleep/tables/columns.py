"""Columns that tables of several kinds share."""

from __future__ import annotations

from eegsleep.tables.declared import Column

NIGHT = Column("night", "str", "Name of the night.")
SUBJECT = Column("subject", "str", "Name of the sleeper.")
N_NIGHTS = Column("n_nights", "int", "Nights that have a value and enter.")
N_SUBJECTS = Column("n_subjects", "int", "Sleepers of those nights.")
NOTE = Column("reason", "str", "Why something is missing or left out, or empty.")
