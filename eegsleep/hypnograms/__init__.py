"""Hypnograms: as tables, and in the files that other programs write."""
