# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site needs beside its spec before a playbook can run: secrets, and the NAS's recorded certificate."""

from __future__ import annotations

from pathlib import Path

from tars_provision import next_step
from tars_provision.controller import trust, vault
from tars_provision.errors import ProvisionError, message
from tars_provision.project import SPEC, collection
from tars_provision.spec.load import load
from tars_provision.spec.model import Site


class NotReadyError(ProvisionError):
    """A site lacks something that a command needs."""


def certificate(site: Site, timeout_s: float = 10) -> str:
    """Return the fingerprint of the certificate that the NAS of a site presents now. Raises TrustError."""
    return contact(site, timeout_s)[1]


def contact(site: Site, timeout_s: float = 10) -> tuple[str, str]:
    """Return the address at which the NAS of a site answers, and the fingerprint of its certificate.

    If it does not answer at its address yet, its address before the first run is tried. Raises TrustError.
    """
    nas = site.nas_host
    try:
        return str(nas.address), trust.fingerprint(str(nas.address), nas.dsm.port, timeout_s)
    except trust.TrustError:
        if nas.connect is None:
            raise
        return str(nas.connect.address), trust.fingerprint(str(nas.connect.address), nas.dsm.port, timeout_s)


def signed_by_authority(site: Site, inventory_dir: Path) -> bool:
    """Return whether the NAS of a site presents a certificate that the site's authority signed."""
    return trust.signed_by_authority(inventory_dir, str(site.nas_host.address), site.nas_host.dsm.port)


def ready(inventory_dir: Path) -> Site:
    """Return the site's spec if a playbook can run over it; raise NotReadyError with what is missing otherwise."""
    site = load(inventory_dir / SPEC)
    collection()
    step = f"Run {next_step.command('init', '-i', inventory_dir)}"
    missing = missing_secrets(inventory_dir)
    if missing:
        path = vault.secrets_file(inventory_dir)
        raise NotReadyError(message(path, found="no value", expected=", ".join(missing), next_step=step))
    if site.nas not in trust.recorded(inventory_dir):
        path = trust.recorded_file(inventory_dir)
        expected = f"the fingerprint of {site.nas}'s certificate"
        raise NotReadyError(message(path, found="none", expected=expected, next_step=step))
    return site


def missing_secrets(inventory_dir: Path) -> list[str]:
    """Return the names of the secrets that a site's vault does not contain yet."""
    return sorted(set(vault.NAMES) - vault.read(inventory_dir).keys())


def fingerprint_lines(value: str) -> str:
    """Return a fingerprint in the form of DSM and browsers: pairs of digits, in two lines."""
    pairs = [value[index : index + 2].upper() for index in range(0, len(value), 2)]
    half = len(pairs) // 2
    return ":".join(pairs[:half]) + "\n" + ":".join(pairs[half:])
