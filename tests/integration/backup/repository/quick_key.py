# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a repository of the tests a key file that opens in milliseconds.

restic chooses scrypt parameters that cost half a second per command. The key file has its parameters in it, so one with
small ones is valid (restic's doc/design.rst, "Keys, Encryption and MAC"): AES-256-CTR and Poly1305-AES over the master
key, with keys that scrypt derives from the password.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305


def replace_key(repository: Path, password: str, master_key: bytes) -> None:
    """Replace the key files of a repository by one that wraps the same master key."""
    for path in (repository / "keys").iterdir():
        path.unlink()
    add_key(repository, password, master_key)


def add_key(repository: Path, password: str, master_key: bytes) -> None:
    """Add a key file with which another password opens a repository."""
    salt = os.urandom(64)
    derived = hashlib.scrypt(password.encode(), salt=salt, n=2, r=1, p=1, dklen=64)
    encryption, mac_key, mac_secret = derived[:32], derived[32:48], derived[48:]
    nonce = os.urandom(16)
    sealed = Cipher(algorithms.AES(encryption), modes.CTR(nonce)).encryptor().update(master_key)
    one_time = Cipher(algorithms.AES(mac_key), modes.ECB()).encryptor().update(nonce)  # noqa: S305  part of the format
    tag = Poly1305.generate_tag(mac_secret + one_time, sealed)
    document = {
        "created": "2026-01-01T00:00:00Z",
        "username": "root",
        "hostname": "tests",
        "kdf": "scrypt",
        "N": 2,
        "r": 1,
        "p": 1,
        "salt": base64.b64encode(salt).decode(),
        "data": base64.b64encode(nonce + sealed + tag).decode(),
    }
    content = json.dumps(document).encode()
    (repository / "keys" / hashlib.sha256(content).hexdigest()).write_bytes(content)
