# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole story on throwaway machines: a playbook, documents on the NAS, an answer that cites them."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from tars_provision.ansible.report import clock, summarise
from tars_provision.assistant import client
from tars_provision.commands.play import run
from tars_provision.controller import setup, site_folder
from tars_provision.errors import Failure
from tars_provision.spec.model import Desktop, Site

SAMPLES = Path(client.__file__).parent / "samples"
SHARE = "LLM_docs"
QUESTION = "What does error code E15 of the dishwasher mean?"
INDEXED_WITHIN_S = 180


class DemoError(Failure):
    """A step of the demonstration did not do what it should."""


def demo(question: str | None = None) -> int:
    """Run the demonstration and return the exit code. The lab stays up."""
    import tars_lab
    from tars_lab.commands import LabError

    inventory = site_folder.lab_site()
    console = Console()
    started = time.monotonic()
    headline(1, "Three bare machines: a desktop, a NAS, and a client")
    try:
        tars_lab.up(inventory, lambda line: click.echo(f"  {line}"))
    except LabError as error:
        raise DemoError(str(error)) from error
    site = setup.ready(inventory)
    headline(2, "The playbook that provisions a real household: playbooks/site.yml")
    result = run("site", inventory, console)
    summarise(result, console)
    if result.exit_code:
        return result.exit_code
    household_client = next(name for name in site.shares[SHARE].clients if name in site.machines)
    headline(3, f"Documents for the NAS, written from {household_client} over NFS")
    for sample in sorted(SAMPLES.iterdir()):
        put(site, household_client, sample)
        click.echo(f"  {SHARE}/{sample.name}")
    endpoint = client.endpoint(site, inventory)
    wait_until_indexed(endpoint, {sample.name for sample in SAMPLES.iterdir()}, lambda line: click.echo(f"  {line}"))
    headline(4, f"A question: {question or QUESTION}")
    client.show(client.ask(endpoint, question or QUESTION), lambda text: click.echo(text, nl=False))
    click.echo(epilogue(endpoint, time.monotonic() - started))
    return 0


def headline(number: int, text: str) -> None:
    """Print the heading of a step."""
    click.secho(f"\n{number}. {text}", bold=True)


def put(site: Site, machine: str, document: Path) -> None:
    """Write a document to the share from a machine of the household, with its user-space NFS tools."""
    # nfs-cp writes no file that exists; one that is already there as it should be is left alone.
    # That there is none yet is what nfs-cat would complain of.
    target = f"nfs://{site.hosts[site.nas].address}{site.shares[SHARE].volume}/{SHARE}/{document.name}"
    local = shlex.quote(f"/tmp/{document.name}")
    there = shlex.quote(target)
    script = f"cat > {local}; nfs-cat {there} 2>/dev/null | cmp -s - {local} || nfs-cp {local} {there} && rm {local}"
    written = subprocess.run([*ssh(site, machine), script], input=document.read_bytes(), capture_output=True)
    if written.returncode:
        error = written.stderr.decode().strip()
        raise DemoError(
            f"{document.name}: wanted to write it to {target} from {machine}, found: {error}. "
            f"`tars-provision lab logs {site.nas}` shows the NAS's side."
        )


def ssh(site: Site, machine: str) -> list[str]:
    """Return the command that runs one on a machine of the lab, which has the desktop's key."""
    desktop = site.hosts[site.desktop]
    assert isinstance(desktop, Desktop)
    connect = desktop.connect
    options = ["-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={connect.known_hosts}", "-i", str(connect.private_key)]
    return ["ssh", *options, f"{connect.user}@{site.machines[machine].address}"]


def wait_until_indexed(endpoint: client.Endpoint, wanted: set[str], say: Callable[[str], None]) -> None:
    """Wait until the application has read the documents; say where they stand whenever that changes."""
    started, last = time.monotonic(), ""
    while True:
        documents = {Path(entry["path"]).name: entry for entry in client.get(endpoint, "/api/documents")["documents"]}
        states = {name: documents.get(name, {}).get("state", "not seen yet") for name in sorted(wanted)}
        line = ", ".join(f"{name} {state}" for name, state in states.items())
        if line != last:
            say(line)
            last = line
        if set(states.values()) == {"indexed"}:
            return
        failed = [f"{name}: {documents[name].get('error')}" for name, state in states.items() if state == "failed"]
        if failed or time.monotonic() - started > INDEXED_WITHIN_S:
            found = "; ".join(failed) or f"after {INDEXED_WITHIN_S} s: {line}"
            raise DemoError(
                f"wanted every document indexed, found {found}. `tars-provision verify` looks at every part."
            )
        time.sleep(1)


def epilogue(endpoint: client.Endpoint, seconds: float) -> str:
    """Return what to try next and how to end it."""
    rows = {
        './tars ask -i inventories/lab "How do I refill the boiler?"': "another question",
        f"https://{endpoint.address}/": f"the page; {endpoint.authority} vouches for it",
        "./tars lab shell client": "a shell on a machine of the household",
        "./tars lab down": "removes everything, and says what",
    }
    lines = "\n".join(f"  {what:<58}  {meaning}" for what, meaning in rows.items())
    return f"\nAll of it took {clock(seconds)}. The lab is still up:\n{lines}"
