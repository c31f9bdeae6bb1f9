# SPDX-License-Identifier: GPL-3.0-or-later
"""A NAS's certificates as the planner's values: reading them, and importing one while the connection survives it."""

from __future__ import annotations

import hashlib
import re
import ssl
from dataclasses import dataclass
from typing import Optional

from ..client.client import Client
from ..client.transport import shown_fingerprint
from ..errors import ConnectionLost, DsmError, Unreachable
from ..plans import certificate as certificate_plan

CERTIFICATE = "SYNO.Core.Certificate"
CRT = "SYNO.Core.Certificate.CRT"
SERVICE = "SYNO.Core.Certificate.Service"
# Seconds between two looks at what the NAS shows after it announced a restart; about 90 in all.
PAUSES_S = (0.5, 0.5, 1.0, *([2.0] * 44))
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)


@dataclass(frozen=True)
class Files:
    """The PEM texts to import: one certificate, its key, and the certificates between it and its authority."""

    certificate: str
    key: str
    chain: str

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.certificate)).hexdigest()


def load(certificate_path: str, key_path: str, chain_path: Optional[str]) -> Files:
    """Read the files and prove that key and certificate belong together. A chain may follow the certificate."""
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
        raise DsmError(f"a file of the certificate cannot be read as PEM ({error}). Correct its path.") from error
    if not blocks:
        raise DsmError(f"{certificate_path} holds no PEM certificate. Correct certificate_path.")
    try:
        # The empty password keeps OpenSSL from asking for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate_path, key_path, password="")
    except (ssl.SSLError, ValueError) as error:
        raise DsmError(
            f"{certificate_path} and {key_path} are no certificate with its key ({error}). Give the key that the "
            "certificate was made for, without a passphrase."
        ) from error
    return Files(blocks[0], key, chain)


def certificates(client: Client) -> certificate_plan.Certificates:
    rows = client.read(CRT, "list", 1)
    return certificate_plan.from_api(rows, shown_fingerprint(client.transport.endpoint))


def trust_if_shown(client: Client, fingerprint: str) -> bool:
    """Go on with the certificate whose key is ours, where a pinned other one was expected; whether it is shown."""
    shown = shown_fingerprint(client.transport.endpoint) == fingerprint
    if shown and client.transport.endpoint.fingerprint is not None:
        client.transport.repin(fingerprint)
    return shown


def change_certificate(client: Client, files: Files, change: certificate_plan.Change) -> None:
    subject = f"certificate {change.description!r}"
    if change.action == "bind":
        _bind(client, files, change, subject)
        return
    parts = {"key": files.key.encode(), "cert": files.certificate.encode()}
    if files.chain:
        parts["inter_cert"] = files.chain.encode()
    fields = {"id": change.id, "desc": change.description, "as_default": "true"}
    try:
        answer = client.upload(CERTIFICATE, "import", 1, parts, fields, subject)
    except ConnectionLost:
        # The restart may have been faster than the answer.
        if not _wait(client, files.fingerprint):
            raise
        return
    if answer.get("restart_httpd"):
        _wait(client, files.fingerprint)


def _bind(client: Client, files: Files, change: certificate_plan.Change, subject: str) -> None:
    rows = client.read(CRT, "list", 1)["certificates"]
    wanted = [row["id"] for row in rows if row["desc"] == change.description]
    settings = [
        {"service": service, "old_id": row["id"], "id": wanted[0]}
        for row in rows
        for service in row.get("services") or []
        if wanted and certificate_plan.is_desktop(service)
    ]
    try:
        client.write(SERVICE, "set", 1, {"settings": settings}, subject)
    except ConnectionLost:
        if not _wait(client, files.fingerprint):
            raise
        return
    _wait(client, files.fingerprint)


def _wait(client: Client, fingerprint: str) -> bool:
    """Until the NAS shows the certificate; False when it does not in time, which reading back will tell."""
    for pause in PAUSES_S:
        client.sleep(pause)
        try:
            if trust_if_shown(client, fingerprint):
                return True
        except Unreachable:
            continue
    return False
