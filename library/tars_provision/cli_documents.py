# SPDX-License-Identifier: GPL-3.0-or-later
"""`original`, `history`, `diff` and `forget`: the files of documents, their past, and their end."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import click

from tars_provision.options import (
    NamedPath,
    document_of,
    documents_of,
    inventory_option,
    json_option,
    question_of,
    time_of,
)


@click.command()
@inventory_option
@json_option
@click.option("--as-of", metavar="TIME", callback=time_of, help="The version of this time.  [default: the last one]")
@click.option(
    "-o",
    "--output",
    type=NamedPath(path_type=Path, dir_okay=False),
    help="Where to write it.  [default: its own name, in the current folder]",
)
@click.argument("document", callback=document_of)
@click.pass_context
def original(
    context: click.Context, inventory: Path, document: str, as_of: str | None, output: Path | None, as_json: bool
) -> None:
    """Download the file of a document, as it was when it was read.

    DOCUMENT is a path below a share, now or in the past, or the name of a file. A file that was changed or deleted
    since then is not replaced by another one: the command states when that was.
    """
    from tars_provision.commands import library as command
    from tars_provision.commands.outcome import finish

    context.exit(finish(command.original(inventory, document, as_of, output), as_json=as_json))


@click.command()
@inventory_option
@json_option
@click.option(
    "--kept", is_flag=True, help="Instead of a document: how long versions are kept, and what is removed next."
)
@click.argument("document", required=False, callback=document_of)
@click.pass_context
def history(context: click.Context, inventory: Path, document: str | None, kept: bool, as_json: bool) -> None:
    """List the versions of a document: when each was observed, its dates, and whether its text is on record.

    DOCUMENT is a path below a share, now or in the past, or the name of a file.
    """
    from tars_provision.commands import history as command
    from tars_provision.commands.outcome import finish

    if (document is None) != kept:
        raise click.UsageError("expected either DOCUMENT or --kept")
    if document is None:
        context.exit(finish(command.retention(inventory), as_json=as_json))
    context.exit(finish(command.history(inventory, document), as_json=as_json))


@click.command()
@inventory_option
@json_option
@click.option("--since", metavar="TIME", required=True, callback=time_of, help="The earlier time, at its end.")
@click.option("--until", metavar="TIME", callback=time_of, help="The later time, at its end.  [default: now]")
@click.option("--topic", metavar="WORDS", callback=question_of, help="Instead of a document: a topic, in all of them.")
@click.argument("document", required=False, callback=document_of)
@click.pass_context
def diff(
    context: click.Context,
    inventory: Path,
    document: str | None,
    since: str,
    until: str | None,
    topic: str | None,
    as_json: bool,
) -> None:
    """Show what changed in a document, or about a topic, between two times, with the sentences of both versions.

    TIME is a day (2023-05-04), a month (2023-05), a year (2023), or a time (2023-05-04T18:00).
    """
    from tars_provision.commands import history as command
    from tars_provision.commands.outcome import finish

    if (document is None) == (topic is None):
        raise click.UsageError("expected either DOCUMENT or --topic WORDS")
    if topic:
        context.exit(finish(command.topic(inventory, topic, since, until), as_json=as_json))
    context.exit(finish(command.diff(inventory, str(document), since, until), as_json=as_json))


@click.command()
@inventory_option
@json_option
@click.option("--dry-run", is_flag=True, help="Only show what would be removed. Exit code 3 if there is anything.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before a document is forgotten.")
@click.option(
    "--list", "listed", is_flag=True, help="List when documents were forgotten; their names are not on record."
)
@click.option("--undo", type=click.UUID, metavar="ID", help="Read the contents of this entry of the list again.")
@click.argument("documents", nargs=-1, callback=documents_of)
@click.pass_context
def forget(
    context: click.Context,
    inventory: Path,
    documents: tuple[str, ...],
    as_json: bool,
    dry_run: bool,
    yes: bool,
    listed: bool,
    undo: UUID | None,
) -> None:
    """Remove DOCUMENTS with all their versions for good, and name the backups that still hold them.

    A document is a path below a share, now or in the past, or the name of a file. The file on the share stays, and is
    not read again while its content is the same. If one document cannot be forgotten, the others are. Exit code 3 if
    the files of the database still hold something after three minutes; --list shows when that is erased.
    """
    from tars_provision.commands import forget as command
    from tars_provision.commands.outcome import console_of, finish

    if [bool(documents), listed, undo is not None].count(True) != 1:
        raise click.UsageError("expected one of DOCUMENTS, --list and --undo ID")
    if listed:
        context.exit(finish(command.listed(inventory), as_json=as_json))
    if undo:
        context.exit(finish(command.undo(inventory, undo), as_json=as_json))
    console = console_of(as_json)
    context.exit(finish(command.forget(inventory, documents, console, dry_run=dry_run, yes=yes), as_json=as_json))
