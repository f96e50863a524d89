"""All broken files, each with its truth and with what a careful sleep scientist would want of it."""

from __future__ import annotations

from faults import broken_header, broken_text, broken_times, broken_units

CASES = [*broken_header.CASES, *broken_units.CASES, *broken_times.CASES, *broken_text.CASES]
