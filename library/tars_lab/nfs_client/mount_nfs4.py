#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""mount.nfs4 SPEC DIR [-sfnv] [-o OPTIONS]: exit with 0 when mounted, and leave a daemon that ends at umount.

Otherwise print the reason as mount.nfs does, and exit with 32 (1 for wrong usage).
"""

from __future__ import annotations

import errno
import os
import sys
import syslog
import time
from typing import Any, NoReturn

import mfusepy

from tars_lab.nfs_client.files import Files
from tars_lab.nfs_client.options import parse
from tars_lab.nfs_client.server import Server, UnreachableError


def _connect(server: Server) -> None:
    """Connect, with retries for the time that the option `retry` sets. Raises SystemExit with mount.nfs's status 32."""
    deadline = time.monotonic() + server.mount.retry_s
    while True:
        try:
            return server.connect()
        except OSError as error:
            reason = {errno.EACCES: "access denied by server", errno.EPERM: "access denied by server"}.get(
                error.errno or 0, f"{os.strerror(error.errno or 0)} on the server"
            )
            _fail(f"{reason} while mounting {server.mount.spec}")
        except UnreachableError as error:
            if time.monotonic() > deadline:
                _fail(f"{server.mount.spec}: {error}")
            time.sleep(1)


def _fail(message: str, status: int = 32) -> NoReturn:
    print(f"mount.nfs: {message}", file=sys.stderr)
    raise SystemExit(status)


def main() -> None:
    """Mount, and stay as a daemon until umount."""
    try:
        mount = parse(sys.argv[1:])
    except ValueError as error:
        _fail(str(error), 1)
    server = Server(mount)
    _connect(server)
    syslog.openlog("mount.nfs4", syslog.LOG_PID, syslog.LOG_DAEMON)
    options: dict[str, Any] = dict.fromkeys(mount.flags, True)
    mfusepy.FUSE(
        Files(server),
        mount.mount_point,
        nothreads=True,
        allow_other=True,
        fsname=mount.spec,
        subtype="nfs4",
        attr_timeout=mount.cache_s / 2,  # `Files` keeps those of a listing for the other half
        entry_timeout=mount.cache_s,
        use_ino=True,
        **options,
    )


if __name__ == "__main__":
    main()
