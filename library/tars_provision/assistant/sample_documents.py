# SPDX-License-Identifier: GPL-3.0-or-later
"""Sample documents for the demonstration: written to the NAS, changed there, and awaited in the index."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tars_provision import next_step
from tars_provision.assistant import client
from tars_provision.errors import ProvisionError, message
from tars_provision.spec.model import Site

SAMPLES = Path(__file__).parent / "samples"
SHARE = "LLM_docs"
INDEX_TIMEOUT_S = 180
CHANGING = "insurance.txt"
"""The sample that is changed on the NAS."""
BEFORE, AFTER = "Excess: 150 for each claim.", "Excess: 250 for each claim."
"""What is changed in it, and what it is changed to."""


class DemoError(ProvisionError):
    """A step of the demonstration failed."""


def put(site: Site, machine: str, document: Path) -> None:
    """Write a document to the share from a machine of the lab, with its user-space NFS tools. Raises DemoError."""
    # nfs-cp does not overwrite, so a file that is as it was written or changed before is left alone; nfs-cat reports
    # that there is none yet.
    target = f"nfs://{site.nas_host.address}{site.shares[SHARE].volume}/{SHARE}/{document.name}"
    local, remote = shlex.quote(f"/root/{document.name}"), shlex.quote(target)
    undo = f"sed 's/{AFTER}/{BEFORE}/'" if document.name == CHANGING else "cat"
    same = f"nfs-cat {remote} 2>/dev/null | {undo} | cmp -s - {local}"
    script = f"cat > {local}; {same} || nfs-cp {local} {remote} && rm {local}"
    to_machine = ssh(site, str(site.machines[machine].address))
    done = subprocess.run([*to_machine, script], input=document.read_bytes(), capture_output=True)
    if done.returncode:
        step = f"{next_step.command('lab', 'logs', site.nas)} shows the log of the NAS"
        actual = done.stderr.decode(errors="replace").strip()
        raise DemoError(
            message(f"{machine}: {document.name}", found=actual, expected=f"{target} written", next_step=step)
        )


def change(site: Site) -> None:
    """Change the sample `CHANGING` on the NAS itself, as its file manager would. Raises DemoError."""
    path = f"{site.shares[SHARE].volume}/{SHARE}/{CHANGING}"
    command = shlex.join(["sed", "--in-place", f"s/{BEFORE}/{AFTER}/", path])
    done = subprocess.run([*ssh(site, str(site.nas_host.address)), command], capture_output=True, text=True)
    if done.returncode:
        step = f"{next_step.command('lab', 'logs', site.nas)} shows the log of the NAS"
        raise DemoError(message(site.nas, found=done.stderr.strip(), expected=f"{path} changed", next_step=step))


def wait_until_changed(endpoint: client.Endpoint) -> str:
    """Wait until both versions of the changed sample are indexed; return when the first one was observed.

    Raises DemoError.
    """
    deadline = time.monotonic() + INDEX_TIMEOUT_S
    while True:
        versions = client.query(endpoint, "/api/history", document=f"{SHARE}/{CHANGING}")["versions"]
        if len(versions) > 1 and versions[-1]["kept"] and versions[-2]["kept"]:
            return str(versions[-2]["observed"])
        if time.monotonic() > deadline:
            actual = f"{len(versions)} versions after {INDEX_TIMEOUT_S} s"
            raise DemoError(message(f"{SHARE}/{CHANGING}", found=actual, expected="two indexed versions"))
        time.sleep(1)


def ssh(site: Site, address: str) -> list[str]:
    """Return the start of a command that runs on a machine of the lab, which accepts the same key as the desktop."""
    connect = site.desktop_host.connect
    options = [
        "-o",
        "BatchMode=yes",
        "-o",
        f'UserKnownHostsFile="{connect.known_hosts}"',
        "-i",
        str(connect.private_key),
    ]
    return ["ssh", *options, f"{connect.user}@{address}"]


def wait_until_indexed(endpoint: client.Endpoint, documents: set[str], report: Callable[[str], None]) -> None:
    """Wait until the application has indexed the documents; report their states when they change. Raises DemoError."""
    started, last = time.monotonic(), ""
    while True:
        entries = {Path(entry["path"]).name: entry for entry in client.get(endpoint, "/api/documents")["documents"]}
        states = {name: entries.get(name, {}).get("state", "not listed yet") for name in sorted(documents)}
        line = ", ".join(f"{name} {state}" for name, state in states.items())
        if line != last:
            report(line)
            last = line
        if set(states.values()) == {"indexed"}:
            return
        failed = [f"{name}: {entries[name].get('error')}" for name, state in states.items() if state == "failed"]
        if failed or time.monotonic() - started > INDEX_TIMEOUT_S:
            actual = "; ".join(failed) or f"after {INDEX_TIMEOUT_S} s: {line}"
            step = f"{next_step.command('verify', '-i', endpoint.inventory)} checks every part"
            raise DemoError(message(endpoint.url, found=actual, expected="every document indexed", next_step=step))
        time.sleep(1)
