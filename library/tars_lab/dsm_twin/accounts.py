# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of the NAS: password hashes, one-time codes, and the automatic block after failed logins."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

REFUSED = {
    "disabled": 401,
    "otp_not_enrolled": 406,
    "password_expired_fixed": 408,
    "password_expired": 409,
    "password_must_change": 410,
    "locked": 411,
}
"""Error code of a login with the right password, by the account's status."""

SCRYPT_COST = 2**13


@dataclass(frozen=True)
class Account:
    """An account of the factory file. `applications` limits the session names that it can log in to (else 402)."""

    name: str
    password_hash: str
    administrator: bool = True
    status: str = "normal"
    applications: tuple[str, ...] | None = None
    otp_secret: str = ""

    @classmethod
    def from_factory(cls, entry: dict[str, Any]) -> Account:
        """Return the account of an entry in the factory file."""
        applications = entry.get("applications")
        return cls(
            name=entry["account"],
            password_hash=entry["password_hash"],
            administrator=entry.get("administrator", True),
            status=entry.get("status", "normal"),
            applications=None if applications is None else tuple(applications),
            otp_secret=entry.get("otp_secret", ""),
        )


def hash_password(password: str) -> str:
    """Return salt and scrypt hash of a password, in hexadecimal, separated by `$`."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, n=SCRYPT_COST, r=8, p=1).hex()}"


def password_matches(password: str, password_hash: str) -> bool:
    """Return whether a password has this hash of `hash_password`."""
    salt, _, expected = password_hash.partition("$")
    actual = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=SCRYPT_COST, r=8, p=1)
    return hmac.compare_digest(actual.hex(), expected)


def one_time_code(secret: str, at: float) -> str:
    """Return the six digits of RFC 6238 (SHA-1, 30 s) for a base32 `secret` at Unix time `at`."""
    key = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(at) // 30), "sha1")
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


@dataclass
class OneTimeCodes:
    """Checks one-time codes. Each is valid once; the codes of the 30 s before and after are accepted as well."""

    clock: Callable[[], float] = time.time
    _spent: dict[str, int] = field(default_factory=dict)

    def accept(self, account: Account, code: str) -> bool:
        """Return whether the code is valid now for the account, and mark it as used."""
        step = int(self.clock()) // 30
        for candidate in (step - 1, step, step + 1):
            if candidate > self._spent.get(account.name, -1) and hmac.compare_digest(
                one_time_code(account.otp_secret, candidate * 30).encode(), code.encode()
            ):
                self._spent[account.name] = candidate
                return True
        return False


@dataclass
class AutoBlock:
    """Counts failed logins of an address; `attempts` of them within `within_mins` minutes block it permanently."""

    enable: bool = True
    attempts: int = 10
    within_mins: int = 5
    clock: Callable[[], float] = time.monotonic
    _failures: dict[str, list[float]] = field(default_factory=dict)

    def failed(self, address: str) -> bool:
        """Record a failed login; return whether the address must be blocked now."""
        now = self.clock()
        recent = [when for when in self._failures.get(address, []) if now - when < self.within_mins * 60]
        self._failures[address] = [*recent, now]
        return self.enable and len(recent) + 1 >= self.attempts

    def forget(self) -> None:
        """Forget all failed logins."""
        self._failures.clear()
