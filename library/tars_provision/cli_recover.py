# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `recover`: its options and help. `group` adds it to the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tars_provision import project
from tars_provision.options import NamedPath, json_option, verbose_option


@click.command()
@click.option(
    "-i",
    "--inventory",
    type=NamedPath(path_type=Path),
    default=lambda: project.home_inventory(),
    help=f"Folder for the site, which is created.  [default: {project.DEFAULT_HOME}]",
)
@click.option(
    "--sheet",
    type=NamedPath(path_type=Path, dir_okay=False, exists=True),
    help="File with the text of the recovery sheet's QR code. Default: ask for what is printed on the sheet.",
)
@click.option(
    "--desktop", metavar="USER@ADDRESS", help="The new desktop as ssh reaches it now, through which the NAS is read."
)
@click.option("--private-key", type=NamedPath(path_type=Path, exists=True), help="Key for ssh to the desktop.")
@click.option("--known-hosts", type=NamedPath(path_type=Path, exists=True), help="File with the desktop's host key.")
@click.option(
    "--repository",
    type=NamedPath(path_type=Path, exists=True, file_okay=False),
    help="Read this folder, on a mounted share or a disk with a copy, instead of the NAS.",
)
@click.option(
    "--backup", "identifier", metavar="ID|TIME", default="latest", help="Not the newest backup, but this one."
)
@click.option("--only-folder", is_flag=True, help="Only bring back the site's folder; change no machine.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before the site's folder is written.")
@verbose_option
@json_option
@click.pass_context
def recover(
    context: click.Context,
    /,
    inventory: Path,
    sheet: Path | None,
    desktop: str | None,
    private_key: Path | None,
    known_hosts: Path | None,
    repository: Path | None,
    identifier: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Bring everything back with the recovery sheet and a new desktop, on a computer that has nothing else.

    Reads the site's folder (spec, vault, records, certificate authority) out of a backup, sets the machines up, and
    restores the data. Run again after a failure, it continues with the step that failed.
    """
    from tars_provision.commands import recover as command
    from tars_provision.commands.outcome import console_of, finish

    if not desktop and not repository:
        raise click.UsageError("--desktop USER@ADDRESS or --repository PATH is required: where the backups are read")
    given = command.of_sheet(sheet) if sheet else command.ask(local=repository is not None, err=as_json)
    login = command.login(desktop, private_key, known_hosts) if desktop else []
    opened = command.reader(given, login, repository)
    console = console_of(as_json)
    recovered = command.recover(project.inventory_dir(inventory), given, opened, console, backup=identifier, **options)
    context.exit(finish(recovered, as_json=as_json))
