# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line `tars-backup`: parse the options, call one action, print its result."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from . import output
from .configuration import DEFAULT_PATH
from .errors import BackupError, InterruptionError, UsageError

EXIT_CODES = """\
exit codes:
  0 done; 1 failed; 2 invalid command line; 3 changes pending (--dry-run, --preview)
  10 no such repository; 11 locked; 12 wrong key; 20 destination unusable
  30 verification failed; 31 no such backup; 130 interrupted
"""

Action = Callable[[argparse.Namespace], output.Result]


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are raised, so that they are printed as JSON too."""

    def error(self, message: str) -> NoReturn:
        """Raise the error of an invalid command line."""
        raise UsageError("command line", found=message, expected="valid options", next_step=f"Run {self.prog} --help")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = _Parser(
        prog="tars-backup",
        description="Back up the services of this desktop, verify the backups and restore them.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    return top


def add_verb(verbs: Any, name: str, action: Action, summary: str) -> argparse.ArgumentParser:
    """Add a verb with the options that all have to the subparsers, and return its parser for more options.

    `action` imports what it needs when it is called, so that --help stays fast.
    """
    verb: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=summary,
        description=f"{summary}.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument("--json", action="store_true", help="print one JSON object, also if the command fails")
    verb.add_argument("--configuration", type=Path, default=DEFAULT_PATH, help="default: %(default)s")
    verb.set_defaults(action=action)
    return verb


def progress(line: str) -> None:
    """Print a line about the current step to the error output."""
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in words if not word.startswith("-")), "")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        options = parser().parse_args(words)
        result: output.Result = options.action(options)
    except BackupError as error:
        if "--json" in words:
            print(output.to_json(output.failure(command, error)), flush=True)
        else:
            print(f"tars-backup: {error}", file=sys.stderr, flush=True)
        return error.code
    if options.json:
        print(output.to_json(output.success(command, result)), flush=True)
    else:
        print("\n".join(result.lines()), flush=True)
    return result.code


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    """Raise an error where the program is, so that it ends what it started."""
    raise InterruptionError("run", found=f"signal {signal.Signals(number).name}", expected="no interruption")
