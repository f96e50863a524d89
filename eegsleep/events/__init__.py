"""Spindles, slow oscillations, and how the one rides on the other."""
