"""Sleep stages: scoring, reading and writing hypnograms, and what follows from them alone."""
