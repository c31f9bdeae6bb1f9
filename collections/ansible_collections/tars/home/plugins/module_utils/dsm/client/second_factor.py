# SPDX-License-Identifier: GPL-3.0-or-later
"""The second factor of a login: one-time codes, each sent once, and the device token that DSM takes in their place."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import socket
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from ..errors import ApiError, DsmError
from .private_file import PrivateFile

# Seconds that a code is good for. DSM refuses (404) one that it has seen, so the next login needs the next one.
STEP_S = 30
_NEEDS_CODE = frozenset({403, 404})


def one_time_code(secret: str, step: int) -> str:
    """Return the six digits of RFC 6238 (SHA-1) for a base32 `secret` in the 30 s from Unix time `step` x 30."""
    plain = "".join(secret.split()).replace("-", "").rstrip("=").upper()
    try:
        key = base64.b32decode(plain + "=" * (-len(plain) % 8))
    except binascii.Error:
        key = b""
    if not key:
        raise DsmError(
            "invalid otp_secret: expected a base32 secret (letters and the digits 2 to 7). Use the one that DSM showed "
            "when 2-factor authentication was set up for the account, not a code."
        )
    digest = hmac.digest(key, struct.pack(">Q", step), "sha1")
    (number,) = struct.unpack_from(">I", digest, digest[-1] & 15)
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06d}"


class SecondFactor:
    """The second factor of an account's logins. `report` is called with the reason when a login has to wait.

    `device_file` keeps, by account, the token (`id`, `name`) by which DSM knows this machine, and in `spent` the 30 s
    whose code was sent last: without it the next login could not know.
    """

    def __init__(
        self,
        account: str,
        secret: str | None = None,
        device_file: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        report: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.account = account
        self.secret = secret
        self.file = PrivateFile(device_file, "device_file") if device_file else None
        self.sleep = sleep
        self.report = report
        self.clock = clock
        if secret:
            one_time_code(secret, 0)
            if self.file is None:
                raise DsmError(
                    "otp_secret needs device_file, which remembers the code that was sent last and the device token "
                    "that makes further codes unnecessary. Set device_file to a path in a folder of your own."
                )

    def exclusive(self) -> AbstractContextManager[None]:
        """Allow one login at a time among all that share the file: two would send the same code."""
        return self.file.exclusive() if self.file else contextlib.nullcontext()

    def fields(self) -> dict[str, str]:
        """Return the fields to add to a login: the device token if there is one, else a code that was never sent."""
        known = self._known()
        if "id" in known:
            return {"device_id": known["id"], "device_name": known["name"]}
        if not self.secret:
            return {}
        now = self.clock()
        step, spent = int(now) // STEP_S, known.get("spent", -1)
        if spent in (step, step + 1):
            pause = (spent + 1) * STEP_S - now
            self.report(f"waited {pause:.0f} s for the next 2-factor code, since DSM accepts each of them once")
            self.sleep(pause)
            step = spent + 1
        # Stored before it is sent: if the answer is lost, DSM may have used the code.
        self._remember({"spent": step})
        name = f"T.A.R.S. on {socket.gethostname()}"
        return {"otp_code": one_time_code(self.secret, step), "enable_device_token": "yes", "device_name": name}

    def accepted(self, sent: Mapping[str, str], answer: Mapping[str, Any]) -> None:
        """Keep the token that DSM gave for a code: `device_id` of login 7, `did` of login 6."""
        token = answer.get("device_id") or answer.get("did")
        if "otp_code" in sent and token:
            self._remember({**self._known(), "id": token, "name": sent["device_name"]})

    def refused(self, sent: Mapping[str, str], error: ApiError) -> DsmError:
        """Return the error to raise. A token that DSM rejects is deleted, so that the next run sends a code."""
        if "device_id" not in sent or error.code not in _NEEDS_CODE:
            return error
        self._remember({key: value for key, value in self._known().items() if key == "spent"})
        following = "run again, and a code is sent instead" if self.secret else "set otp_secret and run again"
        return DsmError(f"{error} DSM rejected the token in {self.file}, so it was deleted: {following}.")

    def _known(self) -> dict[str, Any]:
        document = self.file.read() if self.file else None
        known = document.get(self.account) if isinstance(document, dict) else None
        return dict(known) if isinstance(known, dict) else {}

    def _remember(self, known: Mapping[str, Any]) -> None:
        if self.file is not None:
            document = self.file.read()
            self.file.write({**(document if isinstance(document, dict) else {}), self.account: known})
