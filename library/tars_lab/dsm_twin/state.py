# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the NAS: one JSON document, replaced atomically."""

from __future__ import annotations

import copy
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FRESH: dict[str, Any] = {
    "shares": {},
    "rules": {},
    "next_export_id": 1,
    "nfs": {"enable_nfs": False, "enable_nfs_v4": False, "enabled_minor_ver": 0},
    "users": {},
    "groups": {},
    "permissions": {},
    "snapshots": {},
    "schedules": {},
    "retention": {},
    "browsing": {},
    "devices": {},
    "tasks": {},
    "next_task": 1,
    "packages": {},
    "network": {},
    "time": {
        "timezone": "Amsterdam",
        "enable_ntp": "ntp",
        "server": "time.google.com",
        "date_format": "Y-m-d",
        "time_format": "H:i",
    },
    "terminal": {"enable_ssh": False, "enable_telnet": False, "forbid_console": False, "ssh_port": 22},
    "sftp": {"enable": False, "portnum": 22},
    "certificates": {},
    "default_certificate": "",
    "bindings": {"system/default": "", "smbftpd/ftpd": ""},
    "firewall": {
        "profile_name": "default",
        "profiles": {"default": {"name": "default", "global": {"policy": "none", "rules": []}}},
        "applied": None,
    },
    "blocked": [],
}


def replace(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace the content of a file atomically: after a crash it has either the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class State:
    """The state document. Readers use `data`; writers use `change()`, which commits all changes or none."""

    def __init__(self, path: Path | None, data: dict[str, Any] | None = None) -> None:
        self.path = path
        if data is None:
            data = json.loads(path.read_text(encoding="utf-8")) if path is not None and path.exists() else {}
        self.data: dict[str, Any] = copy.deepcopy(FRESH) | data
        self._changing = threading.RLock()

    @contextmanager
    def change(self) -> Iterator[dict[str, Any]]:
        """Yield a copy to edit; it becomes the state, on disk and in memory, if the block ends without an exception."""
        with self._changing:
            draft = copy.deepcopy(self.data)
            yield draft
            if self.path is not None:
                replace(self.path, json.dumps(draft, indent=1, sort_keys=True))
            self.data = draft

    def scratch(self) -> State:
        """Return a copy whose changes are written neither to this state nor to the disk."""
        return State(None, copy.deepcopy(self.data))
