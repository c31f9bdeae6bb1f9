# SPDX-License-Identifier: GPL-3.0-or-later
"""Trust: a NAS's certificate, recorded at first contact and kept to from then on, and the household's own authority."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tars_provision.errors import Failure
from tars_provision.files import write_atomic

FINGERPRINT = re.compile(r"^[0-9a-f]{64}$")


class TrustError(Failure):
    """A certificate could not be read, or is not the one that was recorded."""


def fingerprint(host: str, port: int = 5001, timeout_s: float = 10) -> str:
    """Return the SHA-256 (hex, lower case) of the certificate that `host` presents on `port`.

    Nothing is verified here: this is the first contact, whose result a person compares.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), timeout_s) as plain, context.wrap_socket(plain) as secure:
            certificate = secure.getpeercert(binary_form=True)
    except OSError as error:
        raise TrustError(
            f"{host}:{port}: wanted the certificate of the NAS, found no HTTPS there ({error}). "
            "Is it on, is hosts.<name>.address right, is HTTPS enabled in DSM (Control Panel > Login Portal)?"
        ) from error
    if not certificate:
        raise TrustError(f"{host}:{port}: wanted the certificate of the NAS, found that it presents none")
    return hashlib.sha256(certificate).hexdigest()


def authority_file(inventory_dir: Path) -> Path:
    """Return the file of the root certificate of the household's authority, which `site` makes."""
    return inventory_dir / "authority" / "root.pem"


def authority_fingerprint(inventory_dir: Path) -> str:
    """Return the SHA-256 (hex, lower case) of the authority's certificate, as devices show it."""
    path = authority_file(inventory_dir)
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(path.read_text("ascii"))).hexdigest()
    except (OSError, ValueError) as error:
        raise TrustError(
            f"{path}: wanted the certificate of the household's authority, found none ({error}). "
            "`tars-provision site` makes it before it sets up the machines."
        ) from error


def vouched_for(inventory_dir: Path, host: str, port: int, timeout_s: float = 10) -> bool:
    """Return whether the household's authority vouches for the certificate that `host`, an address, presents."""
    try:
        context = ssl.create_default_context(cafile=str(authority_file(inventory_dir)))
        with (
            socket.create_connection((host, port), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except OSError:  # no authority yet, nothing there, or a certificate of somebody else
        return False


def recorded_file(inventory_dir: Path) -> Path:
    """Return the file that keeps the fingerprints of a site."""
    return inventory_dir / "recorded" / "dsm.yml"


def recorded(inventory_dir: Path) -> dict[str, str]:
    """Return the recorded fingerprints of a site by host name; empty before the first contact."""
    path = recorded_file(inventory_dir)
    try:
        data = YAML(typ="safe").load(path.read_text()) or {}
        found = {str(name): str(entry["fingerprint"]) for name, entry in data.items()}
    except FileNotFoundError:
        return {}
    except (YAMLError, AttributeError, KeyError, TypeError) as error:
        raise TrustError(f"{path}: wanted `host: {{fingerprint: sha256}}`, found something else ({error})") from error
    for name, value in found.items():
        if not FINGERPRINT.match(value):
            raise TrustError(f"{path}: {name}: wanted a fingerprint of 64 hex digits, found {value!r}")
    return found


def record(inventory_dir: Path, host: str, value: str, *, replace: bool = False) -> None:
    """Record the fingerprint of `host`.

    Raises :class:`TrustError` when another one is recorded already, unless `replace` says that the change is meant.
    """
    known = recorded(inventory_dir)
    if not replace and known.get(host, value) != value:
        raise TrustError(
            f"{host}: wanted the certificate {known[host]} ({recorded_file(inventory_dir)}), found {value}. "
            "If it was renewed, compare the fingerprint with DSM's (Control Panel > Security > Certificate) and run "
            "`tars-provision init --trust-again`; if not, something else answers at this address."
        )
    known[host] = value
    lines = "".join(f'{name}: {{fingerprint: "{entry}"}}\n' for name, entry in sorted(known.items()))
    header = "# Certificates met at first contact, by `tars-provision init`: SHA-256 of each NAS's certificate.\n"
    write_atomic(recorded_file(inventory_dir), (header + lines).encode())
