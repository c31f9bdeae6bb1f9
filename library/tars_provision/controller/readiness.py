# SPDX-License-Identifier: GPL-3.0-or-later
"""Readiness checks: whether the controller and a site are ready for a run."""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tars_provision import inventory
from tars_provision.controller import setup, trust, vault
from tars_provision.errors import Failure
from tars_provision.project import SPEC
from tars_provision.spec.load import load
from tars_provision.spec.model import Desktop, Site

SSH_TIMEOUT_S = 10


@dataclass(frozen=True)
class Finding:
    """One check: what was found, and what to do where it is not in order."""

    name: str
    ok: bool
    found: str
    fix: str = ""


def site_findings(folder: Path) -> Iterator[Finding]:
    """Check the controller, the site's spec and secrets, and whether its machines answer. Nothing is changed."""
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("Python", fits, platform.python_version(), "run `./tars`, which finds one from 3.11 to 3.13")
    yield Finding("Ansible", True, f"ansible-core {importlib.metadata.version('ansible-core')}")
    try:
        site = load(folder / SPEC)
    except Failure as error:
        yield Finding("spec", False, str(error), "correct it; docs/spec.md explains every key")
        return
    yield Finding("spec", True, f"{folder / SPEC} has no mistakes")
    step = f"`tars-provision init -i {folder}`"
    yield _tried("vault", lambda: _vault(folder), f"{step} makes what is missing")
    yield _tried("NAS", lambda: _certificate(site, folder), f"{step} records its certificate on first contact")
    yield _tried("desktop", lambda: _ssh(site), "see `hosts` in the spec; does `ssh` get there by hand?")


def _tried(name: str, look: Callable[[], str], fix: str) -> Finding:
    try:
        return Finding(name, True, look())
    except Failure as error:
        return Finding(name, False, str(error), fix)


def _vault(folder: Path) -> str:
    missing = sorted(set(vault.NAMES) - vault.read(folder).keys())
    if missing:
        raise Failure(f"{vault.secrets_file(folder)}: wanted {', '.join(missing)}, found nothing")
    return f"{vault.secrets_file(folder)} opens and is complete"


def _certificate(site: Site, folder: Path) -> str:
    found, recorded = setup.certificate(site), trust.recorded(folder).get(site.nas)
    if found == recorded:
        return f"{site.nas} answers with the recorded certificate"
    if setup.vouched_for(site, folder):
        return f"{site.nas} answers with a certificate of the household's authority"
    raise Failure(f"{site.nas}: wanted the recorded certificate ({recorded or 'none yet'}), found {found}")


def _ssh(site: Site) -> str:
    """Log in as Ansible does, without a question to anybody."""
    host = site.hosts[site.desktop]
    assert isinstance(host, Desktop)
    told = inventory.desktop_connection(host)
    key = ["-i", told["ansible_ssh_private_key_file"]] if "ansible_ssh_private_key_file" in told else []
    known = shlex.split(told.get("ansible_ssh_common_args", ""))
    quiet = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={SSH_TIMEOUT_S}"]
    where = f"{told['ansible_user']}@{inventory.answering(site).get(site.desktop, told['ansible_host'])}"
    command = ["ssh", *quiet, *key, *known, "-p", str(told["ansible_port"]), where, "uname -sr"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=3 * SSH_TIMEOUT_S)
    except FileNotFoundError as error:
        raise Failure("wanted the program ssh on this computer, found none; install OpenSSH's client") from error
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{where}: wanted an answer over ssh, found none in {3 * SSH_TIMEOUT_S} s") from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise Failure(f"{where}: wanted to log in over ssh, found: {said}")
    return f"{where} answers over ssh ({done.stdout.strip()})"
