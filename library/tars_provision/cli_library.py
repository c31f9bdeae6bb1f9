# SPDX-License-Identifier: GPL-3.0-or-later
"""`library`: which files were read, which were not and why, and reading them again."""

from __future__ import annotations

from pathlib import Path

import click

from tars_provision.options import Group, NamedPath, document_of, documents_of, inventory_option, json_option

STATES = ("found", "waiting", "reading", "read", "failed", "ignored")


class LibraryGroup(Group):
    """Takes `library FOLDER` for `library list FOLDER`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert the name of the command that lists, unless another one or help is named first."""
        named = bool(args) and args[0] in {*self.commands, *ctx.help_option_names}
        return super().parse_args(ctx, args if named else ["list", *args])


@click.group(cls=LibraryGroup)
def library() -> None:
    """Show which files of the shares were read, which were not and why; `library FOLDER` shows one folder.

    Without another command, it is `library list`.
    """


@library.command("list")
@inventory_option
@json_option
@click.option("--state", type=click.Choice(STATES), help="List the files in this state, each with the reason.")
@click.option("--text", metavar="TEXT", callback=document_of, help="List the files with TEXT in their path.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Most files to list.")
@click.option(
    "--export",
    type=NamedPath(path_type=Path, dir_okay=False),
    help="Write all of these files to a table instead, CSV or, if its name ends so, .json.",
)
@click.argument("folder", required=False, callback=document_of)
@click.pass_context
def list_files(
    context: click.Context,
    inventory: Path,
    folder: str | None,
    state: str | None,
    text: str | None,
    limit: int,
    export: Path | None,
    as_json: bool,
) -> None:
    """Show how many files of the shares, or of FOLDER, are read, and list them with --state or --text.

    FOLDER begins with its share, as LLM_docs/house.
    """
    from tars_provision.commands import library as command
    from tars_provision.commands.outcome import finish

    if export:
        context.exit(finish(command.export(inventory, folder, state, text, export), as_json=as_json))
    context.exit(finish(command.overview(inventory, folder, state, text, limit), as_json=as_json))


@library.command("file")
@inventory_option
@json_option
@click.argument("file", callback=document_of)
@click.pass_context
def show_file(context: click.Context, inventory: Path, file: str, as_json: bool) -> None:
    """Show whether FILE was read, and if not, why and what to do.

    FILE is a path, with or without its share, or the name of a file. Exit code 1 if it was not read.
    """
    from tars_provision.commands import library as command
    from tars_provision.commands.outcome import finish

    context.exit(finish(command.file(inventory, str(file)), as_json=as_json))


@library.command("retry")
@inventory_option
@json_option
@click.option("--failed", is_flag=True, help="Instead of PATHS: every file that could not be read.")
@click.argument("paths", nargs=-1, callback=documents_of)
@click.pass_context
def retry(context: click.Context, inventory: Path, paths: tuple[str, ...], failed: bool, as_json: bool) -> None:
    """Read PATHS again, before all others: files, or folders with their share, of which the failed files are read.

    A file that changes is read again by itself; this is for files that an update, or more memory, may make readable.
    """
    from tars_provision.commands import library as command
    from tars_provision.commands.outcome import finish

    if bool(paths) == failed:
        raise click.UsageError("expected either PATHS or --failed")
    context.exit(finish(command.retry(inventory, paths), as_json=as_json))
