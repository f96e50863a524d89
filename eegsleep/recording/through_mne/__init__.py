"""Formats that MNE reads for us."""
