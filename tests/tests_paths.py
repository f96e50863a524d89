"""Where the sample recording lies, for tests that need its path."""

from pathlib import Path

SAMPLE = Path(__file__).parents[1] / "sample_data" / "sample-night.edf"
