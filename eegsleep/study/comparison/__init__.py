"""Compound against control: differences, verdicts, and relations to the next day."""
