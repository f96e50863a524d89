"""How well two scorings of a night agree."""
