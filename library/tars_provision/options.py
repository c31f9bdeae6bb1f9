# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and arguments that several commands have, and how groups of commands show their help."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from tars_provision import project

Command = TypeVar("Command", bound=Callable[..., Any])


class Group(click.Group):
    """Shows the whole first sentence of each command's help, on two lines where it is long."""

    group_class: type[click.Group] | type[type] | None = type  # that of the group itself

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names of the commands and what they do."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.get_short_help_str(limit=1000)) for name, command in commands if command]
            )


class NamedPath(click.Path):
    """A path that is not empty: an empty one, as from an unset variable of a shell, would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path of an argument."""
        if value == "":
            self.fail("found an empty path; expected the path of a file or folder", param, ctx)
        return super().convert(value, param, ctx)


def inventory_option(command: Command) -> Command:
    """Add --inventory, which selects the site."""
    return click.option(
        "-i",
        "--inventory",
        type=NamedPath(path_type=Path),
        default=lambda: project.default_inventory(),
        callback=lambda _context, _option, value: project.inventory_dir(value),
        help=f"The site: its folder, or the tars.yml in it.  [default: $TARS_INVENTORY, {project.DEFAULT_SITE}]",
    )(command)


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object; progress goes to standard error."
)


def _limit(_context: click.Context, _option: click.Parameter, value: str | None) -> str:
    """Return the value of --limit. An empty one, as from an unset variable of a shell, would select all machines."""
    if value == "":
        raise click.BadParameter("found an empty name; expected the name of a machine")
    return value or ""


def question_of(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Return a question, which is not empty."""
    if value is not None and not value.strip():
        raise click.BadParameter("found an empty text; expected a question")
    return value


def document_of(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Return the name of a document, which is not empty."""
    if value is not None and not value.strip():
        raise click.BadParameter("found an empty text; expected the path or name of a document")
    return value


def documents_of(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of documents, none of which is empty."""
    for value in values:
        document_of(context, option, value)
    return values


TIME = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?\Z", re.ASCII)


def time_of(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Return a day, month, year or time as the application takes it; it has the household's time zone."""
    if value is not None and not TIME.match(value):
        expected = "a day (2023-05-04), a month (2023-05), a year (2023), or a time (2023-05-04T18:00)"
        raise click.BadParameter(f"found {value!r}; expected {expected}")
    return value


SINCE = re.compile(r"(\d+)([smhd])\Z")


def since_of(_context: click.Context, _option: click.Parameter, value: str | None) -> str:
    """Return a duration or a time in the form that docker takes; times without a zone are this computer's."""
    if not value:
        return ""
    if match := SINCE.match(value):
        return f"{24 * int(match[1])}h" if match[2] == "d" else value
    try:
        return datetime.fromisoformat(value).astimezone().isoformat()
    except ValueError as error:
        expected = "a duration such as 10m, 2h or 3d, or a time such as 2026-11-29T20:00"
        raise click.BadParameter(f"found {value!r}; expected {expected}") from error


limit_option = click.option("--limit", metavar="HOST", callback=_limit, help="Only this machine.")
verbose_option = click.option(
    "-v", "--verbose", "verbosity", count=True, help="Show Ansible's own output; repeat for more."
)
