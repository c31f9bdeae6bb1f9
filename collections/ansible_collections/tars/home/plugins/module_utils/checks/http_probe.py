# SPDX-License-Identifier: GPL-3.0-or-later
"""Request a page of this machine or of the household as a client would, but never through a proxy."""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request


def read(address: str, ca: str | None, timeout_s: float) -> tuple[bool, str]:
    """Return whether a page answers with a status below 400, and the start of its text.

    A given CA file is the only certificate authority trusted.
    """
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    try:
        if address.startswith("https:"):
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
        with urllib.request.build_opener(*handlers).open(address, timeout=timeout_s) as response:
            return True, response.read(2000).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            return False, f"{error.code} {error.read(2000).decode('utf-8', 'replace')}"
    except OSError as error:
        return False, str(getattr(error, "reason", error))


def settled(
    address: str, ca: str | None, times: int = 5, pause_s: float = 2, timeout_s: float = 30
) -> tuple[bool, str]:
    """Request a page that may still be starting until it answers, at most `times` times. Return what `read` returns."""
    ok, text = read(address, ca, timeout_s)
    while not ok and times > 1:
        time.sleep(pause_s)
        times -= 1
        ok, text = read(address, ca, timeout_s)
    return ok, text
