# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that tests inject by name: a file that only the machine's root can write, and the command that writes it."""

from __future__ import annotations

import argparse
import fcntl
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = {
    "crash_502": "calls crash the program behind them before it does anything: HTTP 502",
    "drop_before": "calls are dropped without an answer and without an effect",
    "drop_after_write": "writes are carried out, then the connection is dropped without an answer",
    "hang_up": "calls are answered, then the connection is closed although the caller would reuse it",
    "silent_noop": "writes answer success and change nothing",
    "half_list": "writes of a list with several elements answer success and use its first half",
    "missing_102": "calls answer 102 (no such API), and SYNO.API.Info does not list the API",
    "refused_104": "calls answer 104 (version not supported)",
    "busy_117": "calls with a session answer 117 (system busy)",
    "locked_3328": "changes of a share answer 3328 (locked by another process)",
    "not_permitted_105": "calls with a session end it and answer 105, as after a restart",
    "expire_session": "calls with a session end it and answer 106 (timed out)",
    "duplicate_login": "calls with a session end it and answer 107 (interrupted by a duplicate login)",
    "unknown_session_119": "calls with a session end it and answer 119 (no such session)",
    "moved_150": "calls with a session end it and answer 150 (the login came from another address)",
    "nfs_2370_after_create": "saving NFS rules of a share younger than a minute answers 2370 (no such share)",
    "slow_apply": "background tasks finish only at the twentieth poll",
    "failed_apply": "background tasks fail, and the previous settings stay in force",
    "otp_required": "logins without a one-time code answer 403",
    "otp_enforced": "logins of accounts without a second factor answer 406 (enforced, enrol first)",
    "password_expired": "logins answer 409 (the password has expired)",
    "password_must_change": "logins answer 410 (the password must be changed)",
    "autoblock": "logins answer 407 (address blocked)",
    "unblock": "the next login first removes every automatic block",
}
DEFAULT_PATH = Path("/var/lib/dsm-twin/faults.json")


class Faults:
    """Pending faults. Each skips `after` matching calls, is then used `count` times, and removed.

    `on` limits a fault to an API or to one of its methods.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def add(self, name: str, count: int = 1, on: str = "", after: int = 0) -> None:
        """Add a fault, one of NAMES."""
        with self._pending() as pending:
            pending.append({"name": name, "count": count, "on": on, "after": after})

    def clear(self) -> None:
        """Remove all faults."""
        with self._pending() as pending:
            pending.clear()

    def listed(self) -> list[dict[str, Any]]:
        """Return the pending faults."""
        with self._pending() as pending:
            return list(pending)

    def take(self, name: str, call: str) -> bool:
        """Use the fault `name` once if it is due at `call` (`API.method`); return whether it was."""
        return self.take_one_of((name,), call) == name

    def take_one_of(self, names: Collection[str], call: str) -> str:
        """Use the first of the faults `names` that is due at `call`; return its name, "" if none is due."""
        if self.path is None or not self.path.exists():
            return ""
        with self._pending() as pending:
            for fault in pending:
                if fault["name"] in names and _matches(fault, call):
                    if fault["after"]:
                        fault["after"] -= 1
                        continue
                    fault["count"] -= 1
                    pending[:] = [other for other in pending if other["count"] > 0]
                    return str(fault["name"])
        return ""

    def is_due(self, name: str, api: str) -> bool:
        """Return whether the fault `name` is due for all methods of `api`; it stays pending."""
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


def _matches(fault: dict[str, Any], call: str) -> bool:
    return f"{call}.".startswith(f"{fault['on']}." if fault["on"] else "")


def main(arguments: list[str] | None = None) -> None:
    """Run the command `dsm-twin-fault`: add NAME [--count N] [--on API[.method]] [--after N], list, clear."""
    parser = argparse.ArgumentParser(prog="dsm-twin-fault", description="Inject faults into the lab's NAS.")
    parser.add_argument("--file", type=Path, default=DEFAULT_PATH, help="file of the pending faults")
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", epilog="; ".join(f"{name}: {text}" for name, text in NAMES.items()))
    add.add_argument("name", choices=sorted(NAMES))
    add.add_argument("--count", type=int, default=1, help="how often the fault is used (default 1)")
    add.add_argument("--on", default="", metavar="API[.METHOD]", help="limit the fault to an API or a method")
    add.add_argument("--after", type=int, default=0, metavar="CALLS", help="how many matching calls to skip first")
    commands.add_parser("list", help="print the pending faults")
    commands.add_parser("clear", help="remove all pending faults")
    options = parser.parse_args(arguments)
    faults = Faults(options.file)
    if options.command == "add":
        faults.add(options.name, options.count, options.on, options.after)
    elif options.command == "clear":
        faults.clear()
    print(json.dumps(faults.listed()))


if __name__ == "__main__":
    main()
