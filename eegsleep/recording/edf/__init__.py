"""Reading EDF, EDF+ and BDF files, and anonymizing them."""
