# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands `backup`, `restore` and `drill`: their options and help. `group` adds them to the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tars_provision.options import Group, NamedPath, inventory_option, json_option, verbose_option


@click.group(cls=Group)
def backup() -> None:
    """Backups of the desktop on the NAS: make, list, verify, copy, export."""


def _backup(context: click.Context, arguments: list[str], *, inventory: Path, as_json: bool, **options: Any) -> None:
    from tars_provision.commands.backup import on_desktop
    from tars_provision.commands.outcome import console_of, finish

    context.exit(finish(on_desktop(inventory, console_of(as_json), arguments, **options), as_json=as_json))


def _copy_words(copy: str | None) -> list[str]:
    return ["--copy", copy] if copy else []


copy_option = click.option("--copy", metavar="NAME", help="Use this copy instead of the repository on the NAS.")
check_option = click.option("--check", is_flag=True, help="Change nothing; exit code 3 if something would change.")


@backup.command("run")
@inventory_option
@check_option
@verbose_option
@json_option
@click.pass_context
def backup_run(context: click.Context, /, check: bool, **options: Any) -> None:
    """Make a backup now, if something has changed since the newest one."""
    _backup(context, ["run"], check="--dry-run" if check else "", **options)


@backup.command("list")
@inventory_option
@copy_option
@verbose_option
@json_option
@click.pass_context
def backup_list(context: click.Context, /, copy: str | None, **options: Any) -> None:
    """List the backups, and when they were last verified."""
    _backup(context, ["list", *_copy_words(copy)], **options)


@backup.command("status")
@inventory_option
@verbose_option
@json_option
@click.pass_context
def backup_status(context: click.Context, /, **options: Any) -> None:
    """Show the ages of the last backup and its proofs, and what needs attention (exit code 1)."""
    _backup(context, ["status"], **options)


@backup.command("test-alarms")
@inventory_option
@verbose_option
@json_option
@click.pass_context
def backup_test_alarms(context: click.Context, /, **options: Any) -> None:
    """Send a test message to everyone who gets the alarms of the backups."""
    _backup(context, ["watch", "--test"], **options)


@backup.command("show")
@inventory_option
@copy_option
@verbose_option
@json_option
@click.argument("identifier", metavar="ID", default="latest")
@click.pass_context
def backup_show(context: click.Context, /, copy: str | None, identifier: str, **options: Any) -> None:
    """Show what a backup contains.  [default: the newest]"""
    _backup(context, ["show", identifier, *_copy_words(copy)], **options)


@backup.command("verify")
@inventory_option
@copy_option
@verbose_option
@json_option
@click.argument("identifier", metavar="ID", default="latest")
@click.pass_context
def backup_verify(context: click.Context, /, copy: str | None, identifier: str, **options: Any) -> None:
    """Read a backup back and compare it with its checksums.  [default: the newest]"""
    _backup(context, ["verify", identifier, *_copy_words(copy)], **options)


@backup.command("export")
@inventory_option
@copy_option
@verbose_option
@json_option
@click.argument("identifier", metavar="ID")
@click.argument("file", type=NamedPath())
@click.pass_context
def backup_export(context: click.Context, /, copy: str | None, identifier: str, file: str, **options: Any) -> None:
    """Write a backup (an ID, or latest) to a FILE on the desktop, as an archive that stock tools read.

    The archive is not encrypted.
    """
    _backup(context, ["export", identifier, "--output", file, *_copy_words(copy)], **options)


@backup.command("prune")
@inventory_option
@copy_option
@check_option
@verbose_option
@json_option
@click.pass_context
def backup_prune(context: click.Context, /, copy: str | None, check: bool, **options: Any) -> None:
    """Remove the backups that the retention does not keep, and free their disk space. `run` does so once a week."""
    _backup(context, ["prune", *_copy_words(copy)], check="--dry-run" if check else "", **options)


@backup.command("copy")
@inventory_option
@check_option
@click.option("--from", "source", metavar="NAME", help="Copy from there to the share of the NAS, which was lost.")
@verbose_option
@json_option
@click.argument("name", required=False)
@click.pass_context
def backup_copy(context: click.Context, /, name: str | None, source: str | None, check: bool, **options: Any) -> None:
    """Copy the backups to the copy NAME.  [default: to all copies that are connected]"""
    if name and source:
        raise click.UsageError("--from copies to the NAS; it takes no other copy")
    words = ["copy", *([name] if name else []), *(["--from", source] if source else [])]
    _backup(context, words, check="--dry-run" if check else "", **options)


@backup.group("key")
def backup_key() -> None:
    """The key of the backups: print it for safekeeping, check a kept copy."""


@backup_key.command("print")
@inventory_option
@json_option
@click.pass_context
def backup_key_print(context: click.Context, inventory: Path, as_json: bool) -> None:
    """Print the key of the backups. Keep it on paper, outside the house: without it, no backup can be read."""
    from tars_provision.commands import backup_key as command
    from tars_provision.commands.outcome import finish

    context.exit(finish(command.print_key(inventory), as_json=as_json))


@backup_key.command("verify")
@inventory_option
@click.option("--key-file", type=click.File(), help="File with the kept key; - is standard input. Default: ask.")
@click.option(
    "--sheet",
    type=NamedPath(path_type=Path, dir_okay=False, exists=True),
    help="File with the text of the recovery sheet's QR code, or the sheet's HTML file.",
)
@click.option(
    "--repair", is_flag=True, help="With --sheet: replace damaged key files of the repository by the sheet's."
)
@verbose_option
@json_option
@click.pass_context
def backup_key_verify(
    context: click.Context,
    /,
    inventory: Path,
    key_file: Any,
    sheet: Path | None,
    repair: bool,
    verbosity: int,
    as_json: bool,
) -> None:
    """Check that a kept key, or the recovery sheet, opens the repository by itself.

    The key can be typed with the check words of the sheet, which reveal mistakes.
    """
    from tars_provision.commands import backup_key as command
    from tars_provision.commands.outcome import console_of, finish

    if sheet and key_file:
        raise click.UsageError("--sheet and --key-file exclude each other")
    if repair and not sheet:
        raise click.UsageError("--repair needs --sheet, whose files it writes")
    console = console_of(as_json)
    if sheet:
        answer = command.verify_sheet(inventory, sheet, console, repair=repair, verbosity=verbosity)
    else:
        kept = key_file.readline() if key_file else command.ask(inventory, err=as_json)
        answer = command.verify(inventory, kept, console, verbosity=verbosity)
    context.exit(finish(answer, as_json=as_json))


output_option = click.option(
    "-o",
    "--output",
    type=NamedPath(path_type=Path, dir_okay=False),
    help="File of the sheet.  [default: recovery-sheet-DATE.html]",
)
pdf_option = click.option("--pdf", is_flag=True, help="Write a PDF instead of HTML.")


@backup_key.command("rotate")
@inventory_option
@output_option
@pdf_option
@verbose_option
@json_option
@click.pass_context
def backup_key_rotate(
    context: click.Context, /, inventory: Path, output: Path | None, pdf: bool, verbosity: int, as_json: bool
) -> None:
    """Exchange the key of the backups in all places, and write a new recovery sheet. The old key opens nothing then.

    Repeat the command if it fails, or when a disk is connected that was not: it goes on where it ended.
    """
    from tars_provision.commands import backup_rotate as command
    from tars_provision.commands.outcome import console_of, finish

    rotated = command.rotate(inventory, console_of(as_json), output, as_pdf=pdf, verbosity=verbosity)
    context.exit(finish(rotated, as_json=as_json))


@backup.command("sheet")
@inventory_option
@output_option
@pdf_option
@verbose_option
@json_option
@click.pass_context
def backup_sheet(
    context: click.Context, /, inventory: Path, output: Path | None, pdf: bool, verbosity: int, as_json: bool
) -> None:
    """Write the recovery sheet: all that a recovery needs, to be printed and kept outside the house."""
    from tars_provision.commands import backup_sheet as command
    from tars_provision.commands.outcome import console_of, finish

    written = command.write(inventory, console_of(as_json), output, as_pdf=pdf, verbosity=verbosity)
    context.exit(finish(written, as_json=as_json))


@click.command()
@inventory_option
@click.option("--preview", is_flag=True, help="Show what would be restored, and what newer would be lost; exit code 3.")
@click.option("--rollback", is_flag=True, help="Return to the data before the last restore.")
@click.option("--component", "components", multiple=True, metavar="NAME", help="Only this part; can be repeated.")
@click.option("--with-redis", is_flag=True, help="Also restore the task queue, which is empty otherwise.")
@copy_option
@verbose_option
@json_option
@click.argument("identifier", metavar="[ID|TIME]", default="latest")
@click.pass_context
def restore(
    context: click.Context,
    /,
    copy: str | None,
    identifier: str,
    preview: bool,
    rollback: bool,
    components: tuple[str, ...],
    with_redis: bool,
    **options: Any,
) -> None:
    """Restore a backup on the desktop: the newest, one by its ID, or the newest one not later than TIME."""
    if rollback and (components or with_redis or copy or identifier != "latest"):
        raise click.UsageError("--rollback returns to the data before the last restore; it takes no backup or part")
    words = ["restore", "--rollback"] if rollback else ["restore", identifier]
    words += [f"--component={name}" for name in components] + (["--with-redis"] if with_redis else [])
    words += _copy_words(copy)
    _backup(context, words, playbook="restore", check="--preview" if preview else "", **options)


@click.command()
@inventory_option
@click.option("--copy", metavar="NAME", help="Restore from this copy; by default, every third drill uses one.")
@click.option("--clean", is_flag=True, help="Only remove what a drill that was killed has left.")
@verbose_option
@json_option
@click.pass_context
def drill(context: click.Context, /, copy: str | None, clean: bool, **options: Any) -> None:
    """Rehearse a recovery: restore the newest backup to services of its own, ask them, and write a report on the NAS.

    The living services are only read. The desktop does it by itself every month.
    """
    words = ["drill", *([f"--copy={copy}"] if copy else []), *(["--clean"] if clean else [])]
    _backup(context, words, playbook="drill", **options)
