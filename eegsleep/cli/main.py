"""The command `eegsleep`: reads its arguments, calls a workflow, and prints one clear message when that fails.

Exit 0: done. Exit 1: some files failed. Exit 2: wrong usage or input. Exit 130 or 143: interrupted.
Nothing heavy is imported before a command runs.
"""

from __future__ import annotations

import sys

import cyclopts
from cyclopts import App, Group

from eegsleep.cli import batch, fetch, night, reference, simulate, study
from eegsleep.cli.console import print_note, with_steps
from eegsleep.cli.interrupts import end_interrupted, signals_raise
from eegsleep.cli.usage import describe_usage
from eegsleep.errors import EegSleepError, SettingsError, describe_error

app = App(
    name="eegsleep",
    help="Overnight EEG: stages, spindles and slow oscillations that can be compared between nights. "
    "Not a medical device.",
    suppress_keyboard_interrupt=False,  # `main` prints the message
)
# The help shows the groups, and the commands of each, in the order of work.
_try, _one, _many, _study_group, _files, _lists = (
    Group.create_ordered(title) for title in ("Try it", "One night", "Many nights", "A study", "Files", "Lists")
)
_study = App(name="study", help="Begin a study, add nights to it, look at it.", group=_study_group, sort_key=0)
for _lines in (study.init, study.add_table, study.look, study.key):
    _study.command(with_steps(_lines))
app.command(simulate.demo, group=_try, sort_key=0)
app.command(simulate.simulate, group=_try, sort_key=1)
app.command(night.inspect, group=_one, sort_key=0)
app.command(night.score, group=_one, sort_key=1)
app.command(night.init, group=_one, sort_key=2)
app.command(night.settings, group=_one, sort_key=3)
app.command(batch.batch, group=_many, sort_key=0)
app.command(with_steps(fetch.fetch), group=_many, sort_key=1)
app.command(night.calibrate, group=_many, sort_key=2)
app.command(night.agree, group=_many, sort_key=3)
app.command(_study)
app.command(with_steps(study.plan), group=_study_group, sort_key=1)
app.command(with_steps(study.lock), group=_study_group, sort_key=2)
app.command(with_steps(study.compare), group=_study_group, sort_key=3)
app.command(night.anonymize, group=_files, sort_key=0)
app.command(night.convert_hypnogram, group=_files, sort_key=1)
for _list in (reference.markers, reference.devices, reference.codings, reference.faults, reference.tables):
    app.command(with_steps(_list), group=_lists)
app.register_install_completion_command()


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; an error that eegsleep raises becomes one message and exit code 2."""
    import logging

    # messages are printed below; without a handler, logging would print warnings once more
    logging.getLogger("eegsleep").addHandler(logging.NullHandler())
    try:
        _check_arguments(sys.argv[1:] if arguments is None else arguments)
        with signals_raise():
            sys.exit(app(arguments, exit_on_error=False, print_error=False) or 0)
    except EegSleepError as error:
        print_note(f"eegsleep: {error}")
        sys.exit(2)
    except cyclopts.CycloptsError as error:
        print_note(f"eegsleep: {describe_usage(error)}")
        sys.exit(2)
    except BrokenPipeError:  # the program that reads the output has closed the pipe, as `head` does
        sys.stdout = None  # or the interpreter would try to write the rest at its end
        sys.exit(0)
    except OSError as error:  # a full disk, a folder that cannot be written: no file is left half-written
        where = f"{error.filename}: " if error.filename else ""
        print_note(f"eegsleep: {where}{describe_error(error)}; check the path and the room on the disk.")
        sys.exit(2)
    except ValueError as error:
        if "null" not in str(error):  # what Python says of a NUL in a path, which no system takes
            raise
        print_note("eegsleep: a path holds a NUL character; check the paths.")
        sys.exit(2)
    except KeyboardInterrupt as error:
        end_interrupted(error)


def _check_arguments(arguments: list[str]) -> None:
    """Refuse an empty argument: it would stand for the folder here, or for a default, without a word."""
    if "" in arguments:
        at = arguments.index("")
        after = f" after {arguments[at - 1]}" if at else ""
        raise SettingsError(
            f"an argument{after} is empty",
            remedy="if it comes from a variable of the shell, that has no value; leave an option out for its default",
        )
