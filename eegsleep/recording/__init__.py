"""From a file to a `Recording`: channels with known roles, units and times."""
