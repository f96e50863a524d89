"""Statistics on arrays; a study is not known here."""
