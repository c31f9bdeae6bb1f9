# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands `lab up`, `down`, `status`, `start`, `stop`, `shell` and `logs`."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tars_lab import lab as whole
from tars_lab import machine as machines
from tars_lab.commands import LabError, Progress
from tars_lab.layout import recorded

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")


class _Lab(click.Group):
    """Turns what the lab reports into a sentence and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LabError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Lab)
def lab() -> None:
    """The throwaway lab: a desktop, a NAS and a client on one private bridge of this computer."""


@lab.command()
@click.option("-i", "--inventory", type=click.Path(path_type=Path), default=Path("inventories/lab"), show_default=True)
@click.option(
    "--keep", is_flag=True, help="Boot machines that are off from the disks they have instead of making them bare."
)
@_json
def up(inventory: Path, keep: bool, as_json: bool) -> None:
    """Bring the lab up, or repair what is there."""
    made = whole.up(inventory, _progress(as_json), keep=keep)
    if as_json:
        click.echo(json.dumps(whole.status(made)))


@lab.command()
@click.option("--cache", is_flag=True, help="Drop the root file systems and images as well.")
@click.option("--keep", is_flag=True, help="Leave the machines' disks for `lab up --keep`.")
@_json
def down(cache: bool, keep: bool, as_json: bool) -> None:
    """Remove the lab and say what was removed."""
    removed = whole.down(_progress(as_json), cache=cache, keep=keep)
    if as_json:
        click.echo(json.dumps({"removed": removed}))
    elif not removed:
        click.echo("there was nothing to remove")


@lab.command()
@_json
def status(as_json: bool) -> None:
    """Show every part of the lab; exit status 1 unless all of it is up."""
    found = whole.status()
    if as_json:
        click.echo(json.dumps(found))
    else:
        for name, part in found["machines"].items():
            click.echo(f"{name:12} {part['address']:15} {part['state']}")
        for reference, digest in found["images"].items():
            click.echo(f"{reference:28} {digest or 'not served'}")
        click.echo(
            "the lab is up" if found["up"] else found.get("detail", "the lab is not complete; `lab up` repairs it")
        )
    sys.exit(0 if found["up"] else 1)


@lab.command()
@click.argument("name")
def start(name: str) -> None:
    """Switch a machine on and wait until it has booted."""
    machines.start(name)


@lab.command()
@click.argument("name")
def stop(name: str) -> None:
    """Switch a machine off; its disk stays."""
    machines.stop(name)


@lab.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("name")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shell(name: str, command: tuple[str, ...]) -> None:
    """Open a shell on a machine, or run a command there."""
    lab = recorded()
    words = machines.enter(lab, lab.machine(name), command or ("/bin/bash", "-l"))
    os.execvp(words[0], words)


@lab.command()
@click.argument("name")
@click.option("-n", "--lines", default=100, show_default=True, help="How many lines to show.")
def logs(name: str, lines: int) -> None:
    """Show the journal of a machine, or what another part of the lab (registry, image-NAME) has written."""
    lab = recorded()
    if any(m.name == name for m in lab.machines) and machines.system_state(lab, lab.machine(name)) != "off":
        words = machines.enter(lab, lab.machine(name), ["journalctl", "--no-pager", f"--lines={lines}"])
    else:
        path = lab.log(name)
        if not path.exists():
            known = ", ".join(sorted(p.stem for p in path.parent.glob("*.log")))
            raise LabError(f"logs of {name}: nothing was written under that name; there is {known}")
        words = ["tail", f"--lines={lines}", str(path)]
    os.execvp(words[0], words)


def _progress(quiet: bool) -> Progress:
    """Lines with the seconds since the start; on standard error when standard output carries JSON."""
    began = time.monotonic()

    def line(text: str) -> None:
        click.echo(f"[{time.monotonic() - began:4.0f} s] {text}", err=quiet)

    return line


main: Callable[[], Any] = lab

if __name__ == "__main__":
    lab()
