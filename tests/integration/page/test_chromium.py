# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts the browser keeps from it that network interfaces change."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from . import chromium

pytestmark = pytest.mark.integration

PROBE = """#!{python}
import socket
socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
try:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()
except PermissionError:
    print("refused")
"""


@pytest.mark.skipif(platform.machine() not in chromium.SOCKET, reason="the system call's number is not known here")
def test_the_browser_gets_no_netlink_socket(tmp_path: Path) -> None:
    browser = tmp_path / "chromium"
    browser.write_text(PROBE.format(python=sys.executable))
    browser.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, chromium.__file__], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "refused\n"
