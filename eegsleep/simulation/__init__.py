"""Simulated nights whose stages and events are known."""
