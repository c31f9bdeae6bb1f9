# SPDX-License-Identifier: GPL-3.0-or-later
"""The group of all commands: every way in which a command can end has its exit code and its form of message.

An error is a message on standard error; with `--json` it is one JSON object on standard output.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

import click

from tars_provision.errors import ProvisionError, unusable
from tars_provision.options import Group

_BACKUPS = ("backup", "drill", "recover", "restore")
_DOCUMENTS = ("diff", "forget", "history", "library", "original")


class Commands(Group):
    """Gives every way to end its exit code, and imports the commands of other files only when they are used."""

    group_class = Group

    def main(self, args: Sequence[str] | None = None, *others: Any, **extra: Any) -> Any:
        """Run a command and exit with its code. Errors are one message."""
        arguments = list(sys.argv[1:] if args is None else args)
        with _terminated_as_cancelled(), _any_text():
            code = self._run(arguments, *others, **{**extra, "standalone_mode": False})
        sys.exit(code)

    def _run(self, arguments: list[str], *others: Any, **extra: Any) -> int:
        from tars_provision.ansible.environment import project_settings

        try:
            with project_settings():
                code = super().main(list(arguments), *others, **extra)
        except ProvisionError as error:
            return self._report(arguments, error)
        except click.ClickException as error:
            if not self._wants_json(arguments):
                error.show()
                return error.exit_code
            return _print_json({"error": error.format_message()}, error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            if self._wants_json(arguments):
                return _print_json({"error": "cancelled"}, 130)
            click.echo("cancelled", err=True)
            return 130
        except BrokenPipeError:
            # The reader of a pipe, such as head, has ended. Nothing can be written any more, also not at exit.
            sys.stdout = None
            return 1
        except OSError as error:
            return self._report(arguments, ProvisionError(unusable(error.filename or "this computer", error)))
        return code if isinstance(code, int) else 0

    def _report(self, arguments: list[str], error: ProvisionError) -> int:
        if self._wants_json(arguments):
            return _print_json(error.as_data(), error.exit_code)
        click.echo(f"Error: {error}", err=True)
        return error.exit_code

    def _wants_json(self, arguments: Sequence[str]) -> bool:
        """Return whether a command was called with --json, also if its other arguments are wrong."""
        words = arguments[: arguments.index("--")] if "--" in arguments else arguments
        command: click.Command | None = self
        for word in words:
            if not isinstance(command, click.Group):
                break
            command = command.get_command(click.Context(command), word)
        # `lab shell` passes its arguments on to another program.
        own = command is None or not command.context_settings.get("ignore_unknown_options")
        return own and "--json" in words

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted([*super().list_commands(context), *_DOCUMENTS, *_BACKUPS, "lab"])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a command by its name, or None."""
        if name == "lab":
            from tars_lab.cli import lab

            return lab
        if name in _DOCUMENTS:
            from tars_provision import cli_documents, cli_library

            of_documents: dict[str, click.Command] = {
                "diff": cli_documents.diff,
                "forget": cli_documents.forget,
                "history": cli_documents.history,
                "library": cli_library.library,
                "original": cli_documents.original,
            }
            return of_documents[name]
        if name in _BACKUPS:
            from tars_provision import cli_backup, cli_recover

            commands: dict[str, click.Command] = {
                "backup": cli_backup.backup,
                "drill": cli_backup.drill,
                "recover": cli_recover.recover,
                "restore": cli_backup.restore,
            }
            return commands[name]
        return super().get_command(context, name)


def _print_json(data: dict[str, Any], exit_code: int) -> int:
    click.echo(json.dumps({**data, "exit_code": exit_code}, ensure_ascii=False))
    return exit_code


def _cancel(*_: object) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _terminated_as_cancelled() -> Iterator[None]:
    """Handle SIGTERM like Ctrl-C."""
    before = signal.signal(signal.SIGTERM, _cancel)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _any_text() -> Iterator[None]:
    """Write characters that the terminal's encoding lacks as escapes instead of failing."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if hasattr(stream, "reconfigure")]
    errors: list[tuple[TextIO, Any]] = [(stream, stream.errors) for stream in streams]
    for stream, _ in errors:
        stream.reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]  # checked above
    try:
        yield
    finally:
        for stream, before in errors:
            stream.reconfigure(errors=before)  # type: ignore[attr-defined]  # checked above
