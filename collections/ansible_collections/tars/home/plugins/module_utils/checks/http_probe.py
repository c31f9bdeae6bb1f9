# SPDX-License-Identifier: GPL-3.0-or-later
"""A page of this machine or of the household, asked for as a client would, but never through a proxy."""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from typing import List, Optional, Tuple


def read(address: str, ca: Optional[str], timeout_s: float) -> Tuple[bool, str]:
    """Whether a page answers with a status below 400, and what it says.

    A given CA file is the only authority trusted.
    """
    handlers: List[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
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
    address: str, ca: Optional[str], times: int = 5, pause_s: float = 2, timeout_s: float = 30
) -> Tuple[bool, str]:
    """The same of a page that may need some moments yet: asked for again until it answers, so many times at most."""
    ok, found = read(address, ca, timeout_s)
    while not ok and times > 1:
        time.sleep(pause_s)
        times -= 1
        ok, found = read(address, ca, timeout_s)
    return ok, found
