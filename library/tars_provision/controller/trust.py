# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that this computer trusts: the NAS's, recorded at first contact, and the certificate authority's."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tars_provision import next_step
from tars_provision.errors import ProvisionError, message, unusable
from tars_provision.files import write_atomic

FINGERPRINT = re.compile(r"^[0-9a-f]{64}\Z")


class TrustError(ProvisionError):
    """A certificate cannot be read, or differs from the recorded one."""


def fingerprint(host: str, port: int = 5001, timeout_s: float = 10) -> str:
    """Return the SHA-256 (hex, lower case) of the certificate that `host` presents on `port`.

    The certificate is not verified: this is the first contact, whose result a person compares. Raises TrustError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    expected = "the certificate of the NAS"
    try:
        with socket.create_connection((host, port), timeout_s) as plain, context.wrap_socket(plain) as secure:
            certificate = secure.getpeercert(binary_form=True)
    except OSError as error:
        step = (
            "Check that the NAS is on, that its address in the spec is right, and that HTTPS is enabled in DSM "
            "(Control Panel > Login Portal)"
        )
        actual = f"no HTTPS ({error})"
        raise TrustError(message(f"{host}:{port}", found=actual, expected=expected, next_step=step)) from error
    if not certificate:
        raise TrustError(message(f"{host}:{port}", found="HTTPS without a certificate", expected=expected))
    return hashlib.sha256(certificate).hexdigest()


def authority_file(inventory_dir: Path) -> Path:
    """Return the file of the certificate authority's root certificate, which `site` creates."""
    return inventory_dir / "authority" / "root.pem"


def no_authority(inventory_dir: Path, error: Exception) -> str:
    """Return the message for a root certificate that cannot be read."""
    return message(
        authority_file(inventory_dir),
        found=(error.strerror if isinstance(error, OSError) else None) or error,
        expected="the root certificate of the site's certificate authority",
        next_step=f"{next_step.command('site', '-i', inventory_dir)} creates it before it configures the machines",
    )


def authority_fingerprint(inventory_dir: Path) -> str:
    """Return the SHA-256 (hex, lower case) of the root certificate, as devices show it. Raises TrustError."""
    try:
        certificate = ssl.PEM_cert_to_DER_cert(authority_file(inventory_dir).read_text("ascii"))
    except (OSError, ValueError) as error:
        raise TrustError(no_authority(inventory_dir, error)) from error
    return hashlib.sha256(certificate).hexdigest()


def signed_by_authority(inventory_dir: Path, host: str, port: int, timeout_s: float = 10) -> bool:
    """Return whether the site's authority signed the certificate that `host`, an address, presents."""
    try:
        context = ssl.create_default_context(cafile=str(authority_file(inventory_dir)))
        with (
            socket.create_connection((host, port), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except OSError:  # no authority yet, no server, or a certificate of another authority
        return False


def recorded_file(inventory_dir: Path) -> Path:
    """Return the file with the recorded fingerprints of a site."""
    return inventory_dir / "recorded" / "dsm.yml"


def recorded(inventory_dir: Path) -> dict[str, str]:
    """Return the recorded fingerprints of a site by host name; empty before the first contact. Raises TrustError."""
    path = recorded_file(inventory_dir)
    expected = "`HOST: {fingerprint: SHA-256 in 64 hex digits}`"
    step = f"Remove the file and run {next_step.command('init', '-i', inventory_dir)} to record it again"
    try:
        data = YAML(typ="safe").load(path.read_text()) or {}
        known = {str(name): str(entry["fingerprint"]) for name, entry in data.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise TrustError(unusable(path, error, expected=expected)) from error
    except (YAMLError, AttributeError, LookupError, TypeError, ValueError) as error:
        actual = f"other content ({' '.join(str(error).split())[:200]})"
        raise TrustError(message(path, found=actual, expected=expected, next_step=step)) from error
    for name, value in known.items():
        if not FINGERPRINT.match(value):
            raise TrustError(message(f"{path}: {name}", found=repr(value), expected=expected, next_step=step))
    return known


def record(inventory_dir: Path, host: str, value: str, *, replace: bool = False) -> None:
    """Record the fingerprint of `host`.

    Raises :class:`TrustError` if another one is recorded already, unless `replace` is set.
    """
    known = recorded(inventory_dir)
    if not replace and known.get(host, value) != value:
        raise TrustError(
            message(
                host,
                found=f"the certificate {value}",
                expected=f"{known[host]}, recorded in {recorded_file(inventory_dir)}",
                next_step="If it was renewed, compare the fingerprint with the one in DSM (Control Panel > Security > "
                f"Certificate) and run {next_step.command('init', '--trust-again', '-i', inventory_dir)}; if not, "
                "another machine answers at this address",
            )
        )
    known[host] = value
    lines = "".join(f'{name}: {{fingerprint: "{entry}"}}\n' for name, entry in sorted(known.items()))
    header = (
        "# Certificates recorded at first contact by `tars-provision init`: the SHA-256 of each NAS's certificate.\n"
    )
    write_atomic(recorded_file(inventory_dir), (header + lines).encode())
