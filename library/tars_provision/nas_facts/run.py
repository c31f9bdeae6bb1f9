# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the twelve checks on a NAS or on a recording of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tars_provision.controller import setup, trust, vault
from tars_provision.errors import ProvisionError
from tars_provision.nas_facts import recording, replay
from tars_provision.nas_facts.bridge import Client, DsmError, calls, connected
from tars_provision.nas_facts.checks import CHECKS, Check
from tars_provision.nas_facts.observation import Observation, Verdict
from tars_provision.nas_facts.recorder import Exchange, Recorder
from tars_provision.spec.model import Site


@dataclass(frozen=True)
class Fact:
    """Result of a check: what was seen, what differs from the assumption, and what could not be seen."""

    name: str
    assumed: str
    verdict: Verdict
    seen: list[str]
    differs: list[str]
    unseen: list[str]


Progress = Callable[[int, Check], None]


def of_site(inventory: Path, progress: Progress) -> tuple[list[Fact], list[Exchange]]:
    """Run the checks on the NAS of a site; return the results and all calls. Raises ProvisionError."""
    return ask(login(setup.ready(inventory), inventory), progress, live=True)


def login(site: Site, inventory: Path) -> dict[str, Any]:
    """Return the options with which the client logs in to the NAS of a site."""
    secrets = vault.read(inventory)
    where = endpoint(site, inventory)
    return {
        **where,
        "password": secrets["dsm_password"],
        "otp_secret": secrets.get("dsm_otp_secret"),
        "device_file": str(vault.device_file(where["host"])),
    }


def endpoint(site: Site, inventory: Path) -> dict[str, Any]:
    """Return the NAS's address, account, recorded fingerprint and certificate authority, as options of the client."""
    nas = site.nas_host
    return {
        "host": str(nas.address),
        "port": nas.dsm.port,
        "account": nas.dsm.account,
        "fingerprint": trust.recorded(inventory).get(site.nas),
        "ca_path": str(trust.authority_file(inventory)),
    }


def of_recording(path: Path, progress: Progress) -> list[Fact]:
    """Run the checks on a recording. Raises ProvisionError."""
    with replay.served(recording.load(path)) as place:
        options = {"host": "127.0.0.1", "port": place.port, "fingerprint": place.fingerprint}
        return ask({**options, "account": "recorded", "password": "recorded"}, progress, live=False)[0]


def ask(options: dict[str, Any], progress: Progress, *, live: bool) -> tuple[list[Fact], list[Exchange]]:
    """Log in once, run all checks, log out; return the results and every call that was made."""
    client = connected(**options)
    recorder = Recorder(client)
    try:
        with client:
            client.read(calls.SYSTEM_INFO)
            own = client.transport.addresses()[0] if live else None
            facts = list(_run(client, own, CHECKS, progress))
    except DsmError as error:
        raise ProvisionError(str(error)) from error
    return facts, recorder.calls


def _run(client: Client, own: str | None, checks: Iterable[Check], progress: Progress) -> Iterable[Fact]:
    for number, check in enumerate(checks, 1):
        progress(number, check)
        nas = Observation(client, own)
        try:
            check.see(nas)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            nas.differs.append(f"an answer has another shape than every known one: {type(error).__name__} {error}")
        yield Fact(check.name, check.assumed, nas.verdict, nas.seen, unique(nas.differs), unique(nas.unseen))


def unique(lines: list[str]) -> list[str]:
    """Return each line once, in order."""
    return list(dict.fromkeys(lines))
