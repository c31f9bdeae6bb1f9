# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate of the household's certificate authority, in the formats that devices accept."""

from __future__ import annotations

import hashlib
import plistlib
import ssl
import uuid
from dataclasses import dataclass
from pathlib import Path

NAME = "T.A.R.S. household authority"


@dataclass(frozen=True)
class Authority:
    """A root certificate: PEM for Linux, DER for all other systems."""

    pem: str
    der: bytes

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the DER format, which is the fingerprint that devices show."""
        return hashlib.sha256(self.der).digest()

    @property
    def fingerprint_groups(self) -> list[str]:
        """The fingerprint as devices show it, pairs of hexadecimal digits, in four groups."""
        return [self.fingerprint[start : start + 8].hex(":").upper() for start in range(0, 32, 8)]

    def profile(self) -> bytes:
        """Return a configuration profile for Apple devices (payload types Configuration and com.apple.security.root).

        The same certificate always gives the same identifiers, so that installing it again replaces it.
        """
        identifier = f"tars.authority.{self.fingerprint.hex()[:16]}"
        root = {
            "PayloadType": "com.apple.security.root",
            "PayloadVersion": 1,
            "PayloadIdentifier": f"{identifier}.root",
            "PayloadUUID": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{identifier}.root")).upper(),
            "PayloadDisplayName": NAME,
            "PayloadCertificateFileName": "tars-household.crt",
            "PayloadContent": self.der,
        }
        return plistlib.dumps(
            {
                "PayloadType": "Configuration",
                "PayloadVersion": 1,
                "PayloadIdentifier": identifier,
                "PayloadUUID": str(uuid.uuid5(uuid.NAMESPACE_OID, identifier)).upper(),
                "PayloadDisplayName": NAME,
                "PayloadDescription": "Lets this device trust the servers of the household, and no others.",
                "PayloadContent": [root],
            }
        )


def load(path: Path) -> Authority | None:
    """Return the authority whose certificate is at a path, None where there is none."""
    try:
        pem = path.read_text("ascii")
        return Authority(pem, ssl.PEM_cert_to_DER_cert(pem))
    except (OSError, ValueError):
        return None
