# SPDX-License-Identifier: GPL-3.0-or-later
"""Start Chromium so that it does not notice when the network interfaces of this computer change.

It breaks off its requests then, also those to loopback (net::ERR_NETWORK_CHANGED), and the interfaces of the lab come
and go beside the page's tests. Without a netlink socket it takes the network for one that stays as it is.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shlex
import shutil
import struct
import sys
from pathlib import Path

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
AF_NETLINK, EACCES = 16, 13
SOCKET = {"x86_64": 41, "aarch64": 198}
"""The number of the system call `socket`."""
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def refuse_netlink(number: int) -> None:
    """Let socket(AF_NETLINK, …) fail with EACCES in this process and what it runs.

    Raises:
        OSError: the kernel does not accept the filter.
    """
    instructions = [
        (LOAD, 0, 0, 0),  # the number of the system call
        (JUMP_IF_EQUAL, 0, 3, number),
        (LOAD, 0, 0, 16),  # its first argument
        (JUMP_IF_EQUAL, 0, 1, AF_NETLINK),
        (RETURN, 0, 0, FAIL | EACCES),
        (RETURN, 0, 0, ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in instructions))
    program = _Program(len(instructions), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl failed")


def launcher(folder: Path) -> Path:
    """Return a program in the folder that runs this file, as Playwright starts one program without words of its own."""
    program = folder / "chromium.sh"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(__file__)} "$@"\n')
    program.chmod(0o755)
    return program


def main() -> None:
    """Become Chromium, with the arguments of this process."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        sys.exit("the page's tests need a browser. Next step: apt-get install chromium")
    if number := SOCKET.get(platform.machine()):
        refuse_netlink(number)
    os.execv(path, [path, *sys.argv[1:]])  # noqa: S606  # no shell is needed


if __name__ == "__main__":
    main()
