"""Public sleep recordings, and simulated nights whose truth is known."""
