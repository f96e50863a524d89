"""`python -m eegsleep` is the command `eegsleep`."""

from eegsleep.cli.main import main

if __name__ == "__main__":
    main()
