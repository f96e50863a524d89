"""One night: from signals to markers, and the folder it is kept in."""
