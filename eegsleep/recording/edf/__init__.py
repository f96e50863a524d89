"""EDF, EDF+ and BDF, checked before they are believed."""
