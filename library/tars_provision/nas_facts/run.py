# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the twelve checks on a NAS or on a recording of one."""

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
from tars_provision.nas_facts.look import Look, Verdict
from tars_provision.nas_facts.recorder import Exchange, Recorder
from tars_provision.spec.model import Nas, Site


@dataclass(frozen=True)
class Fact:
    """What came of a check: what the NAS said, what of it is not as assumed, and what it did not show."""

    name: str
    assumed: str
    verdict: Verdict
    said: list[str]
    differs: list[str]
    unseen: list[str]


Progress = Callable[[int, Check], None]


def of_site(inventory: Path, progress: Progress) -> tuple[list[Fact], list[Exchange]]:
    """Ask the NAS of a site."""
    site = setup.ready(inventory)
    have = vault.read(inventory)
    where = endpoint(site, inventory)
    login = {
        "password": have["dsm_password"],
        "otp_secret": have.get("dsm_otp_secret"),
        "device_file": str(vault.device_file(where["host"])),
    }
    return ask({**where, **login}, progress, live=True)


def endpoint(site: Site, inventory: Path) -> dict[str, Any]:
    """Return where the NAS of a site is, whom to log in as, and the two ways to know it."""
    nas = site.hosts[site.nas]
    assert isinstance(nas, Nas)
    return {
        "host": str(nas.address),
        "port": nas.dsm.port,
        "account": nas.dsm.account,
        "fingerprint": trust.recorded(inventory).get(site.nas),
        "ca_path": str(trust.authority_file(inventory)),
    }


def of_recording(path: Path, progress: Progress) -> list[Fact]:
    """Ask a recording."""
    with replay.served(recording.load(path)) as place:
        options = {"host": "127.0.0.1", "port": place.port, "fingerprint": place.fingerprint}
        return ask({**options, "account": "recorded", "password": "recorded"}, progress, live=False)[0]


def ask(options: dict[str, Any], progress: Progress, *, live: bool) -> tuple[list[Fact], list[Exchange]]:
    """Log in once, look twelve times, log out; return what came of it and every call that was made."""
    client = connected(**options)
    recorder = Recorder(client)
    try:
        with client:
            client.read(calls.SYSTEM_INFO)
            own = client.transport.addresses()[0] if live else None
            facts = list(_look(client, own, CHECKS, progress))
    except DsmError as error:
        raise ProvisionError(str(error)) from error
    return facts, recorder.calls


def _look(client: Client, own: str | None, checks: Iterable[Check], progress: Progress) -> Iterable[Fact]:
    for number, check in enumerate(checks, 1):
        progress(number, check)
        look = Look(client, own)
        try:
            check.see(look)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            look.differs.append(f"an answer has another shape than every known one: {type(error).__name__} {error}")
        yield Fact(check.name, check.assumed, look.verdict, look.said, unique(look.differs), unique(look.unseen))


def unique(lines: list[str]) -> list[str]:
    """Each line once, in order."""
    return list(dict.fromkeys(lines))
