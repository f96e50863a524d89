"""The command `eegsleep`, also as `python -m eegsleep`: an interrupt is understood before anything else is imported."""

from eegsleep.cli.interrupts import end_interrupted, signals_raise


def main() -> None:
    """Run the command line and exit."""
    try:
        with signals_raise():
            from eegsleep.cli.main import main as run

            run()
    except KeyboardInterrupt as error:
        end_interrupted(error)


if __name__ == "__main__":
    main()
