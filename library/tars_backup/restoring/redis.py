# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the data folder of Redis from a saved RDB file, and prove that a server starts on it."""

from __future__ import annotations

import time
from pathlib import Path

from ..components.redis import write_append_only
from ..context import Context
from ..deadline import Deadline
from ..errors import BackupError
from ..services import Scratch
from . import folders

_START_S = 900.0
_STOP_S = 300.0


def build(context: Context, saved: Path, target: Path) -> None:
    """Put the saved RDB file into a new data folder, and start a server on it that nothing else can reach.

    Raises:
        BackupError: the server does not start on it.
    """
    service = str(context.contract.queue["service"])
    folders.make(context.contract, service, target)
    write_append_only(saved / "dump.rdb", target)
    folders.own(context.contract, service, target)
    mount = context.contract.services[service].volumes[0][1]
    command = ("redis-server", "--dir", mount, "--appendonly", "yes", "--bind", "127.0.0.1")
    context.progress("starting a queue on the saved file")
    services = context.services.start_scratch(service, Scratch(target, command=command))
    deadline = Deadline(_START_S)
    while services.exec(service, ["redis-cli", "ping"], deadline_s=30).output.strip() != b"PONG":
        health = services.health(service)
        if not health.running:
            raise BackupError("redis/dump.rdb", found=health.detail, expected="a file that Redis loads")
        deadline.remaining_s("start of the queue")
        time.sleep(0.5)
    context.services.stop_scratch(service, deadline_s=_STOP_S)
