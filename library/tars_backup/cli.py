# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line `tars-backup`: parse the options, call one action, print its result."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from . import output
from .configuration import DEFAULT_PATH, Configuration, load
from .errors import BackupError, InterruptionError, UsageError

EXIT_CODES = """\
exit codes:
  0 done; 1 failed; 2 invalid command line; 3 changes pending (--dry-run, --preview); 4 attention needed (status)
  10 no such repository; 11 locked; 12 wrong key; 20 destination unusable
  30 verification failed; 31 no such backup; 130 interrupted
"""

WAIT_FOR_OTHERS_S = 120.0
"""How long `run` waits for another command: one by hand and that of the timer often meet, and take seconds."""

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
    verbs = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    verb = add_verb(verbs, "run", _run, "Make a backup if something has changed, and read it back")
    verb.add_argument("--dry-run", action="store_true", help="only report whether a backup is needed")
    verb.add_argument(
        "--wait",
        type=int,
        default=0,
        metavar="SECONDS",
        help="first wait so long for the share (default: 0)",
    )
    verb = add_verb(verbs, "list", _list, "List the backups and the age of their proof")
    _add_copy(verb)
    _add_sheet(verb)
    verb = add_verb(verbs, "show", _show, "Show what a backup contains")
    _add_backup(verb)
    verb = add_verb(verbs, "verify", _verify, "Read a backup back and compare every file with its manifest")
    _add_backup(verb)
    verb.add_argument("--all", action="store_true", dest="every", help="all backups")
    verb.add_argument("--data", action="store_true", help="also read every file of the repository")
    verb = add_verb(verbs, "restore", _restore, "Restore the database and the page's issuer, or return to those before")
    _add_backup(verb)
    verb.add_argument(
        "--component",
        action="append",
        dest="parts",
        metavar="NAME",
        help="postgres, redis or configuration (the issuer of the page's certificates); can be repeated "
        "(default: postgres with an empty redis, and configuration)",
    )
    verb.add_argument("--with-redis", action="store_true", help="also restore the queue, which is empty otherwise")
    verb.add_argument("--preview", action="store_true", help="only show what would change (exit code 3)")
    verb.add_argument("--rollback", action="store_true", help="return to the data before the last restore")
    verb = add_verb(verbs, "drill", _drill, "Restore the newest backup to services of its own, ask them, and report")
    _add_copy(verb)
    verb.add_argument("--clean", action="store_true", help="only remove what a drill that was killed has left")
    verb = add_verb(verbs, "copy", _copy, "Copy the backups to a disk, a second NAS or a server, and read them back")
    verb.add_argument("name", nargs="?", metavar="NAME", help="only this copy (default: all that are connected)")
    verb.add_argument("--from", dest="source", metavar="NAME", help="copy from there to the emptied share of the NAS")
    verb.add_argument("--dry-run", action="store_true", help="only report which backups would be copied")
    verb = add_verb(verbs, "prune", _prune, "Remove the backups that the retention rules do not keep")
    verb.add_argument("--dry-run", action="store_true", help="only show what stays, and why")
    verb.add_argument(
        "--accept-missing", action="store_true", help="forget backups whose snapshots someone else has deleted"
    )
    _add_copy(verb)
    verb = add_verb(verbs, "unlock", _unlock, "Remove locks that killed runs left in the repository")
    verb.add_argument(
        "--all", action="store_true", dest="every", help="all locks; no other computer may be using the repository"
    )
    _add_copy(verb)
    verb = add_verb(verbs, "export", _export, "Write a backup to an archive that stock tools read, without encryption")
    _add_backup(verb)
    verb.add_argument("--output", type=Path, default=Path(), help="file or folder (default: the current folder)")
    add_verb(verbs, "status", _status, "Show the ages of the last backup and its proofs, and what needs attention")
    verb = add_verb(verbs, "key", _key, "Read the repository's key files for the recovery sheet, or try a sheet")
    verb.add_argument("--sheet", metavar="FILE", help="prove that this sheet opens the repository; - is standard input")
    verb.add_argument(
        "--repair", action="store_true", help="with --sheet: write its files where the repository's differ"
    )
    verb.add_argument("--new", metavar="FILE", help="let the password of this file open the repository too")
    verb.add_argument("--alone", action="store_true", help="with --new: use that password, and remove all other keys")
    verb = add_verb(verbs, "site", _site, "Write the site folder of the controller out of a backup, as a tar archive")
    _add_backup(verb)
    verb.add_argument("--output", type=Path, default=Path("site.tar"), help="file (default: %(default)s)")
    _add_sheet(verb)
    verb = add_verb(verbs, "watch", _watch, "Send alarms about what needs attention, and about what is in order again")
    verb.add_argument("--test", action="store_true", help="only send a test message to everyone who gets alarms")
    verb = add_verb(verbs, "init", _init, "Create the repository in an empty folder, and print its id")
    _add_copy(verb)
    return top


def _add_sheet(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--sheet", metavar="FILE", help="open the repository with this recovery sheet alone")


def _add_backup(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "backup",
        nargs="?",
        default="latest",
        help="id, latest, or a time such as 2026-11-29T10:00:00Z (default: latest)",
    )
    _add_copy(verb)


def _add_copy(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--copy", metavar="NAME", help="use this copy instead of the repository on the NAS")


@contextlib.contextmanager
def _opened(options: argparse.Namespace) -> Iterator[Configuration]:
    """Yield the configuration of the repository that the options name."""
    from . import media

    with media.opened(load(options.configuration), options.copy) as configuration:
        yield configuration


def _run(options: argparse.Namespace) -> output.Result:
    from . import context, destination
    from .actions.run import run
    from .components import all_components

    configuration = load(options.configuration)
    destination.wait(configuration, options.wait)
    return run(
        configuration,
        all_components(),
        lambda: context.opened(configuration, progress),
        dry_run=options.dry_run,
        wait_s=WAIT_FOR_OTHERS_S,
    )


def _list(options: argparse.Namespace) -> output.Result:
    from .actions.list import list_backups

    with _opened(options) as configuration, _with_sheet(options, configuration) as readable:
        return list_backups(readable)


def _show(options: argparse.Namespace) -> output.Result:
    from .actions.show import show

    with _opened(options) as configuration:
        return show(configuration, options.backup)


def _verify(options: argparse.Namespace) -> output.Result:
    from .actions.verify import verify

    with _opened(options) as configuration:
        return verify(configuration, options.backup, every=options.every, data=options.data, progress=progress)


def _restore(options: argparse.Namespace) -> output.Result:
    from . import context
    from .actions.restore import restore, roll_back
    from .components import all_components

    configuration = load(options.configuration)

    def opened() -> context.Context:
        return context.opened(configuration, progress)

    if options.rollback:
        if options.parts or options.with_redis or options.copy or options.backup != "latest":
            raise UsageError("--rollback", found="a backup or a part", expected="no other option than --preview")
        return roll_back(configuration, opened, preview=options.preview)
    with _opened(options) as source:
        return restore(
            configuration,
            all_components(),
            opened,
            name=options.backup,
            parts=options.parts,
            preview=options.preview,
            with_redis=options.with_redis,
            source=source,
        )


def _copy(options: argparse.Namespace) -> output.Result:
    from .actions.bring_back import bring_back
    from .actions.copies import copy

    configuration = load(options.configuration)
    if options.source is None:
        return copy(configuration, options.name, dry_run=options.dry_run, progress=progress)
    if options.name:
        raise UsageError(
            "--from", found="a copy to copy to", expected="no other name", next_step="Leave one of them out"
        )
    return bring_back(configuration, options.source, dry_run=options.dry_run, progress=progress)


def _drill(options: argparse.Namespace) -> output.Result:
    from . import context
    from .actions import drill
    from .components import all_components
    from .drilling.fence import DockerFence

    configuration = load(options.configuration)

    def opened() -> context.Context:
        return context.opened(configuration, progress)

    if options.clean:
        return drill.clean(configuration, opened, DockerFence)
    return drill.drill(configuration, all_components(), opened, DockerFence, copy=options.copy)


def _prune(options: argparse.Namespace) -> output.Result:
    from .actions.prune import prune

    with _opened(options) as configuration:
        return prune(configuration, dry_run=options.dry_run, accept_missing=options.accept_missing, progress=progress)


def _unlock(options: argparse.Namespace) -> output.Result:
    from .actions.unlock import unlock

    with _opened(options) as configuration:
        return unlock(configuration, everything=options.every)


def _export(options: argparse.Namespace) -> output.Result:
    from .actions.export import export

    with _opened(options) as configuration:
        return export(configuration, options.backup, options.output, progress=progress)


def _status(options: argparse.Namespace) -> output.Result:
    from .actions.status import status

    return status(load(options.configuration))


def _key(options: argparse.Namespace) -> output.Result:
    from .actions import rotate
    from .actions.key import read_key, try_sheet
    from .repository import sheet

    configuration = load(options.configuration)
    if options.repair and not options.sheet:
        raise UsageError("--repair", found="no --sheet", expected="the sheet whose files are written")
    if options.alone and not options.new:
        raise UsageError("--alone", found="no --new", expected="the new password")
    if options.new and options.sheet:
        raise UsageError("--new", found="a sheet", expected="no other option than --alone")
    if options.new:
        return rotate.rotate(configuration, rotate.parse(_read_input(options.new)), alone=options.alone)
    if options.sheet:
        return try_sheet(configuration, sheet.parse(_read_input(options.sheet)), repair=options.repair)
    return read_key(configuration)


def _read_input(name: str) -> str:
    """Return the text of a file; - is the standard input."""
    return sys.stdin.read() if name == "-" else Path(name).read_text()


@contextlib.contextmanager
def _with_sheet(options: argparse.Namespace, configuration: Configuration) -> Iterator[Configuration]:
    """Yield the configuration of a command, that of its recovery sheet if it has one."""
    from .repository import sheet

    if options.sheet:
        with sheet.opened(configuration, sheet.parse(_read_input(options.sheet))) as readable:
            yield readable
    else:
        yield configuration


def _site(options: argparse.Namespace) -> output.Result:
    from .actions.site_folder import write_site

    with _opened(options) as configuration, _with_sheet(options, configuration) as readable:
        return write_site(readable, options.backup, options.output)


def _watch(options: argparse.Namespace) -> output.Result:
    from .actions.watch import watch

    return watch(load(options.configuration), test=options.test)


def _init(options: argparse.Namespace) -> output.Result:
    from .actions.init import init

    first = load(options.configuration)
    with _opened(options) as configuration:
        return init(configuration, like=first if options.copy else None)


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
        try:
            result: output.Result = options.action(options)
        finally:
            _publish(options.configuration)
    except Exception as raised:  # noqa: BLE001  each failure has an exit code and, with --json, an object
        error = raised if isinstance(raised, BackupError) else _described(raised)
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


def _publish(path: Path) -> None:
    """Write the state of the backups for the page, also after a failure; the command's own outcome stays."""
    from .watching import condition

    try:
        condition.publish(load(path))
    except BackupError:
        pass  # an invalid configuration, which the command has reported
    except (OSError, LookupError, TypeError, ValueError) as error:
        progress(f"the state of the backups was not written: {type(error).__name__}: {error}")


def _described(error: Exception) -> BackupError:
    """Return an error of the desktop's file systems, or a defect of this program, in the form of the others."""
    if isinstance(error, OSError):
        return BackupError(error.filename or "desktop", found=error.strerror or error, expected="a call that succeeds")
    traceback.print_exception(type(error), error, error.__traceback__)
    return BackupError(
        "tars-backup",
        found=f"{type(error).__name__}: {error}",
        expected="no such error",
        next_step="Report it with the lines above",
    )


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    """Raise an error where the program is, so that it ends what it started."""
    raise InterruptionError("run", found=f"signal {signal.Signals(number).name}", expected="no interruption")
