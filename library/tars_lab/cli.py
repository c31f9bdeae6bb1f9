# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands `lab up`, `down`, `status`, `start`, `stop`, `destroy`, `shell` and `logs`."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from tars_lab import lifecycle, machine
from tars_lab.commands import LabError, Progress
from tars_lab.layout import recorded
from tars_provision import next_step
from tars_provision.controller import site_folder
from tars_provision.errors import ProvisionError
from tars_provision.options import Group, NamedPath

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")


class _Lab(Group):
    """Reports the errors of the lab as one message with exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (LabError, ProvisionError) as error:
            raise click.ClickException(str(error)) from error
        except PermissionError as error:
            raise click.ClickException(
                f"{error.filename}: permission denied; the lab needs root: run the command with sudo"
            ) from error
        except OSError as error:
            raise click.ClickException(f"{error.filename or 'lab'}: {error.strerror or error}") from error


@click.group(cls=_Lab)
def lab() -> None:
    """Manage the throwaway lab: a desktop, a NAS and a client on a private bridge of this computer."""


@lab.command()
@click.option(
    "-i",
    "--inventory",
    type=NamedPath(path_type=Path),
    default=None,
    help="Folder with the tars.yml that describes the lab.  [default: inventories/lab of the checkout]",
)
@click.option("--keep", is_flag=True, help="Boot machines that are off from their present disks instead of new ones.")
@_json
def up(inventory: Path | None, keep: bool, as_json: bool) -> None:
    """Start the lab, or repair one that runs partly."""
    started = lifecycle.up(inventory or site_folder.lab_site(), _progress(as_json), keep=keep)
    if as_json:
        click.echo(json.dumps(lifecycle.status(started)))


@lab.command()
@click.option("--cache", is_flag=True, help="Remove the cached root file systems and images as well.")
@click.option("--keep", is_flag=True, help="Keep the disks of the machines for `lab up --keep`.")
@_json
def down(cache: bool, keep: bool, as_json: bool) -> None:
    """Remove the lab and list what was removed."""
    removed = lifecycle.down(_progress(as_json), cache=cache, keep=keep)
    if as_json:
        click.echo(json.dumps({"removed": removed}))
    elif not removed:
        click.echo("there was nothing to remove")


@lab.command()
@_json
def status(as_json: bool) -> None:
    """Show the state of every part of the lab; exit with 1 unless all of it is up."""
    state = lifecycle.status()
    if as_json:
        click.echo(json.dumps(state))
    else:
        for name, part in state["machines"].items():
            click.echo(f"{name:12} {part['address']:15} {part['state']}")
        for reference, digest in state["images"].items():
            click.echo(f"{reference:28} {digest or 'not served'}")
        repair = next_step.command("lab", "up", "-i", state.get("inventory", ""))
        incomplete = state.get("detail", f"the lab is not complete; repair it with {repair}")
        click.echo("the lab is up" if state["up"] else incomplete)
    sys.exit(0 if state["up"] else 1)


@lab.command()
@click.argument("name")
@_json
def start(name: str, as_json: bool) -> None:
    """Switch the machine NAME on and wait until it has booted."""
    _switch(name, "booting", machine.start, as_json)


@lab.command()
@click.argument("name")
@_json
def stop(name: str, as_json: bool) -> None:
    """Shut the machine NAME down; its disk stays."""
    _switch(name, "shutting down", machine.stop, as_json)


@lab.command()
@click.argument("name")
@_json
def destroy(name: str, as_json: bool) -> None:
    """Switch the machine NAME off at once and delete its disk; `lab up` makes a new, bare one."""
    _switch(name, "destroying", machine.destroy, as_json)


def _switch(name: str, activity: str, switch: Callable[[str], None], as_json: bool) -> None:
    """Switch a machine on or off, and report its state."""
    progress = _progress(as_json)
    progress(f"{activity} {name}")
    switch(name)
    running = recorded()
    state = machine.system_state(running, running.machine(name))
    progress(f"{name} is {state}")
    if as_json:
        click.echo(json.dumps({"machine": name, "state": state}))


@lab.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("name")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shell(name: str, command: tuple[str, ...]) -> None:
    """Open a root shell on the machine NAME, or run COMMAND there."""
    running = recorded()
    _replace_process(machine.enter(running, running.machine(name), command or ("/bin/bash", "-l")))


@lab.command()
@click.argument("name")
@click.option(
    "-n", "--lines", type=click.IntRange(min=1), default=100, show_default=True, help="Number of lines to show."
)
def logs(name: str, lines: int) -> None:
    """Show the journal of the machine NAME, or the log of another part of the lab (registry, dhcp, image-...)."""
    running = recorded()
    names = [member.name for member in running.machines]
    if name in names and machine.system_state(running, running.machine(name)) != "off":
        command = ["journalctl", "--no-pager", f"--lines={lines}"]
        _replace_process(machine.enter(running, running.machine(name), command))
    files = {path.stem: path for path in sorted(running.log("").parent.glob("*.log"))}
    if name not in files:
        raise LabError(f"log {name}: not found; use one of {', '.join(sorted({*names, *files}))}")
    _replace_process(["tail", f"--lines={lines}", str(files[name])])


def _replace_process(words: list[str]) -> NoReturn:
    """Run a program in place of this one, so that it has the terminal and its exit status is the result."""
    # No shell is involved, and the arguments are the user's own.
    os.execvp(words[0], words)  # noqa: S606


def _progress(as_json: bool) -> Progress:
    """Return a function that prints lines with the seconds since the start.

    It prints to standard error when standard output is reserved for JSON.
    """
    began = time.monotonic()

    def report(text: str) -> None:
        click.echo(f"[{time.monotonic() - began:4.0f} s] {text}", err=as_json)

    return report


main: Callable[[], Any] = lab

if __name__ == "__main__":
    lab()
