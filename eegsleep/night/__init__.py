"""One night: from signals to markers, and the folder it is kept in."""

from eegsleep.night.analyze import Night, analyze_night
from eegsleep.night.folder import encode_events, load_night, save_night

__all__ = ["Night", "analyze_night", "encode_events", "load_night", "save_night"]
