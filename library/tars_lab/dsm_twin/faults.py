# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults asked for by name: a file that only the machine's administrator can write, and the command that writes it."""

from __future__ import annotations

import argparse
import fcntl
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = {
    "crash_502": "calls end the program behind them, which did nothing: HTTP 502",
    "drop_before": "calls are dropped without an answer, and nothing is done",
    "drop_after_write": "writes are carried out, then the connection is dropped without an answer",
    "hang_up": "calls are answered, then the connection that the caller would keep is closed",
    "silent_noop": "writes answer success and change nothing",
    "half_list": "writes of a list of several answer success and take its first half",
    "missing_102": "calls answer 102 (no such API), and SYNO.API.Info leaves the API out",
    "refused_104": "calls answer 104 (version not supported)",
    "busy_117": "calls with a session answer 117 (system busy)",
    "locked_3328": "changes of a share answer 3328 (locked by another process)",
    "not_permitted_105": "calls with a session end it and answer 105, as after a restart",
    "expire_session": "calls with a session end it and answer 106 (timed out)",
    "duplicate_login": "calls with a session end it and answer 107 (interrupted by a duplicate login)",
    "unknown_session_119": "calls with a session end it and answer 119 (no such session)",
    "moved_150": "calls with a session end it and answer 150 (the login came from another address)",
    "nfs_2370_after_create": "saving NFS rules of a share younger than a minute answers 2370 (no such share)",
    "slow_apply": "tasks behind an answer finish at the twentieth look",
    "failed_apply": "tasks behind an answer finish without success, and what was in force stays",
    "otp_required": "logins without a one-time code answer 403",
    "otp_enforced": "logins of accounts without a second factor answer 406 (enforced, enrol first)",
    "password_expired": "logins answer 409 (the password has expired)",
    "password_must_change": "logins answer 410 (the password must be changed)",
    "autoblock": "logins answer 407 (address blocked)",
    "unblock": "the next login first lifts every automatic block",
}
DEFAULT_PATH = Path("/var/lib/dsm-twin/faults.json")


class Faults:
    """Pending faults: each lets `after` occasions go by, is used `count` times and then gone.

    `on` limits it to an API or to one of its methods.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def add(self, name: str, count: int = 1, on: str = "", after: int = 0) -> None:
        with self._pending() as pending:
            pending.append({"name": name, "count": count, "on": on, "after": after})

    def clear(self) -> None:
        with self._pending() as pending:
            pending.clear()

    def listed(self) -> list[dict[str, Any]]:
        with self._pending() as pending:
            return list(pending)

    def take(self, name: str, call: str) -> bool:
        """Use up one `name` if one is due at `call` (`API.method`)."""
        return self.take_one_of((name,), call) == name

    def take_one_of(self, names: Collection[str], call: str) -> str:
        """Use up the first of `names` that is due at `call`: its name, empty where none is."""
        if self.path is None or not self.path.exists():
            return ""
        with self._pending() as pending:
            for fault in pending:
                if fault["name"] in names and _concerns(fault, call):
                    if fault["after"]:
                        fault["after"] -= 1
                        continue
                    fault["count"] -= 1
                    pending[:] = [each for each in pending if each["count"] > 0]
                    return str(fault["name"])
        return ""

    def waits(self, name: str, api: str) -> bool:
        """Whether a `name` for all of `api` is due; it stays pending."""
        return any(fault["name"] == name and fault["on"] in ("", api) and not fault["after"] for fault in self.listed())

    @contextmanager
    def _pending(self) -> Iterator[list[dict[str, Any]]]:
        if self.path is None:
            yield []
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600)
        with self.path.open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            text = file.read()
            pending: list[dict[str, Any]] = json.loads(text) if text else []
            yield pending
            after = json.dumps(pending)
            if after != text:
                file.seek(0)
                file.truncate()
                file.write(after)


def _concerns(fault: dict[str, Any], call: str) -> bool:
    return f"{call}.".startswith(f"{fault['on']}." if fault["on"] else "")


def main(arguments: list[str] | None = None) -> None:
    """The command `dsm-twin-fault`: add NAME [--count N] [--on API[.method]] [--after N], list, clear."""
    parser = argparse.ArgumentParser(prog="dsm-twin-fault", description="Faults of the lab's NAS.")
    parser.add_argument("--file", type=Path, default=DEFAULT_PATH)
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", epilog="; ".join(f"{name}: {what}" for name, what in NAMES.items()))
    add.add_argument("name", choices=sorted(NAMES))
    add.add_argument("--count", type=int, default=1)
    add.add_argument("--on", default="", metavar="API[.METHOD]")
    add.add_argument("--after", type=int, default=0, metavar="OCCASIONS")
    commands.add_parser("list")
    commands.add_parser("clear")
    chosen = parser.parse_args(arguments)
    faults = Faults(chosen.file)
    if chosen.command == "add":
        faults.add(chosen.name, chosen.count, chosen.on, chosen.after)
    elif chosen.command == "clear":
        faults.clear()
    print(json.dumps(faults.listed()))


if __name__ == "__main__":
    main()
