# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site needs beside its spec before a playbook can run: a spec to edit, secrets, the NAS's certificate."""

from __future__ import annotations

from pathlib import Path

from tars_provision.controller import trust, vault
from tars_provision.errors import Failure
from tars_provision.project import SPEC, collection
from tars_provision.spec.load import load
from tars_provision.spec.model import Nas, Site


class NotReady(Failure):
    """A site lacks something that a command needs."""


def certificate(site: Site, timeout_s: float = 10) -> str:
    """Return the fingerprint of the certificate that the NAS of a site presents now.

    Where it does not answer at its address yet, the one of the first contact is tried.
    """
    nas = site.hosts[site.nas]
    assert isinstance(nas, Nas)
    try:
        return trust.fingerprint(str(nas.address), nas.dsm.port, timeout_s)
    except trust.TrustError:
        if nas.connect is None:
            raise
        return trust.fingerprint(str(nas.connect.address), nas.dsm.port, timeout_s)


def vouched_for(site: Site, inventory_dir: Path) -> bool:
    """Return whether the NAS of a site presents a certificate of the household's authority."""
    nas = site.hosts[site.nas]
    assert isinstance(nas, Nas)
    return trust.vouched_for(inventory_dir, str(nas.address), nas.dsm.port)


def ready(inventory_dir: Path) -> Site:
    """Return the site's spec when a playbook can run over it; say what is missing otherwise."""
    site = load(inventory_dir / SPEC)
    collection()
    step = f"run `tars-provision init -i {inventory_dir}` (`tars-provision lab up` does it for the lab)"
    missing = sorted(set(vault.NAMES) - vault.read(inventory_dir).keys())
    if missing:
        raise NotReady(f"{vault.secrets_file(inventory_dir)}: wanted {', '.join(missing)}, found nothing; {step}")
    if site.nas not in trust.recorded(inventory_dir):
        path = trust.recorded_file(inventory_dir)
        raise NotReady(f"{path}: wanted the fingerprint of {site.nas}'s certificate, found none; {step}")
    return site


def fingerprint_lines(value: str) -> str:
    """Return a fingerprint as DSM and browsers show it: pairs of digits, in two lines."""
    pairs = [value[index : index + 2].upper() for index in range(0, len(value), 2)]
    half = len(pairs) // 2
    return ":".join(pairs[:half]) + "\n" + ":".join(pairs[half:])
