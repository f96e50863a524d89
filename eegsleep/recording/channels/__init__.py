"""Which channels are used, and as what."""
