# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of a NAS: read them as the planner's values, and import one without losing the connection."""

from __future__ import annotations

import hashlib
import re
import ssl
from dataclasses import dataclass

from .. import calls
from ..client.client import Client
from ..client.transport import shown_fingerprint
from ..errors import ConnectionLostError, DsmError, UnreachableError
from ..plans import certificate as certificate_plan

# Seconds between two connections that check which certificate the NAS shows after a restart; about 90 in all.
PAUSES_S = (0.5, 0.5, 1.0, *([2.0] * 44))
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)


@dataclass(frozen=True)
class Files:
    """The PEM texts to import: one certificate, its key, and the intermediate certificates."""

    certificate: str
    key: str
    chain: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate in hexadecimal."""
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.certificate)).hexdigest()


def load(certificate_path: str, key_path: str, chain_path: str | None) -> Files:
    """Read the files and check that the key belongs to the certificate, which its chain may follow in the same file.

    Raises:
        DsmError: a file cannot be read, or the key does not fit.
    """
    try:
        with open(certificate_path, encoding="ascii") as file:
            blocks = _BLOCK.findall(file.read())
        with open(key_path, encoding="ascii") as file:
            key = file.read()
        chain = "".join(blocks[1:])
        if chain_path:
            with open(chain_path, encoding="ascii") as file:
                chain = file.read()
    except (OSError, UnicodeError) as error:
        raise DsmError(
            f"the certificate's files cannot be read as PEM ({error}). Set the paths to PEM files that "
            "this user can read."
        ) from error
    if not blocks:
        raise DsmError(
            f"{certificate_path}: expected a PEM certificate, found none. Set certificate_path to the certificate."
        )
    try:
        # The empty password keeps OpenSSL from asking for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate_path, key_path, password="")
    except (ssl.SSLError, ValueError) as error:
        raise DsmError(
            f"{key_path}: expected the unencrypted key of {certificate_path} ({error}). Set private_key_path to the "
            "key that the certificate was issued for, without a passphrase."
        ) from error
    return Files(blocks[0], key, chain)


def certificates(client: Client) -> certificate_plan.Certificates:
    """Return the stored certificates and the fingerprint of the one that the NAS shows."""
    rows = client.read(calls.CERTIFICATE_LIST)
    return certificate_plan.from_api(rows, shown_fingerprint(client.transport.endpoint))


def trust_if_shown(client: Client, fingerprint: str) -> bool:
    """Tell whether the NAS shows this certificate; if so, expect it instead of another pinned one from now on."""
    shown = shown_fingerprint(client.transport.endpoint) == fingerprint
    if shown and client.transport.endpoint.fingerprint is not None:
        client.transport.repin(fingerprint)
    return shown


def change_certificate(client: Client, files: Files, change: certificate_plan.Change) -> None:
    """Import the certificate or bind it to DSM's web server, and wait until the NAS shows it."""
    subject = f"certificate {change.description!r}"
    if change.action == "bind":
        _bind(client, files, change, subject)
        return
    parts = {"key": files.key.encode(), "cert": files.certificate.encode()}
    if files.chain:
        parts["inter_cert"] = files.chain.encode()
    fields = {"id": change.id, "desc": change.description, "as_default": "true"}
    try:
        answer = client.upload(calls.CERTIFICATE_IMPORT, parts, fields, subject)
    except ConnectionLostError:
        # DSM may restart its web server before it answers.
        if not _wait(client, files.fingerprint):
            raise
        return
    if answer.get("restart_httpd"):
        _wait(client, files.fingerprint)


def _bind(client: Client, files: Files, change: certificate_plan.Change, subject: str) -> None:
    rows = client.read(calls.CERTIFICATE_LIST)["certificates"]
    matching = [row["id"] for row in rows if row["desc"] == change.description]
    settings = [
        {"service": service, "old_id": row["id"], "id": matching[0]}
        for row in rows
        for service in row.get("services") or []
        if matching and certificate_plan.is_desktop(service)
    ]
    try:
        client.write(calls.CERTIFICATE_BIND, {"settings": settings}, subject)
    except ConnectionLostError:
        if not _wait(client, files.fingerprint):
            raise
        return
    _wait(client, files.fingerprint)


def _wait(client: Client, fingerprint: str) -> bool:
    """Wait until the NAS shows the certificate. Returns False if it does not in time; reading back reports that."""
    for pause in PAUSES_S:
        client.sleep(pause)
        try:
            if trust_if_shown(client, fingerprint):
                return True
        except UnreachableError:
            continue
    return False
