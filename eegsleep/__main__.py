"""The command `eegsleep`, also as `python -m eegsleep`: an interrupt is understood before anything else is imported."""

from eegsleep.cli.early_signals import end_on_signals


def main() -> None:
    """Run the command line and exit."""
    end_on_signals()
    from eegsleep.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
