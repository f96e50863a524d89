"""Signals in epochs and bands, before anything is known of sleep."""
