"""Records of PhysioNet's own format."""
