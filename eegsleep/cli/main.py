"""The command `eegsleep`: words in, files out, one clear sentence when it cannot be done.

Exit 0: done. Exit 1: some files failed. Exit 2: wrong usage or input. Nothing heavy is imported before a command runs.
"""

from __future__ import annotations

import sys

import cyclopts
from cyclopts import App

from eegsleep.cli import batch, fetch, night, simulate, study
from eegsleep.cli.console import say, with_steps
from eegsleep.errors import EegSleepError

app = App(
    name="eegsleep",
    help="Overnight EEG: stages, spindles and slow oscillations that can be compared between nights. "
    "Not a medical device.",
    suppress_keyboard_interrupt=False,  # `main` says what became of the work
)
for _command in (night.score, night.calibrate, night.agree, night.inspect, night.anonymize, batch.batch):
    app.command(_command)
for _command in (simulate.simulate, simulate.demo):
    app.command(_command)
for _lines in (fetch.fetch, study.plan, study.lock, study.compare):
    app.command(with_steps(_lines))
_study = App(name="study", help="A study of many nights, compound against control.")
for _lines in (study.init, study.look, study.key):
    _study.command(with_steps(_lines))
app.command(_study)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; errors of ours become one sentence and exit code 2."""
    import logging

    # messages are printed below; without a handler, logging would print warnings once more
    logging.getLogger("eegsleep").addHandler(logging.NullHandler())
    try:
        sys.exit(app(arguments, exit_on_error=False, print_error=False) or 0)
    except EegSleepError as error:
        say(f"eegsleep: {error}")
        sys.exit(2)
    except cyclopts.CycloptsError as error:
        say(f"eegsleep: {error} See eegsleep --help.")
        sys.exit(2)
    except BrokenPipeError:  # the reader of our lines has closed the pipe, as `head` does
        sys.stdout = None  # type: ignore[assignment] - or the interpreter would try to write the rest at its end
        sys.exit(0)
    except OSError as error:  # a full disk, a folder that cannot be written: files are whole or absent all the same
        where = f"{error.filename}: " if error.filename else ""
        say(f"eegsleep: {where}{error.strerror or error}; check the path and the room on the disk.")
        sys.exit(2)
    except KeyboardInterrupt:
        say("eegsleep: interrupted; nothing half-written was left.")
        sys.exit(130)
