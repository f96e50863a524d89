"""`python -m eegsleep` is the command `eegsleep`."""

from eegsleep.cli import main

if __name__ == "__main__":
    main()
