"""The verbs behind the commands, for Python too."""
