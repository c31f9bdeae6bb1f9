# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that :mod:`tars_provision.desktop.connection` runs on the desktop, as root.

It needs nothing but Python 3.9 and its standard library. Its argument is a JSON object with the key `verb`: `status`,
`backups` and `contract` print one JSON object, `logs` prints what docker prints.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any

CONTRACT = "/opt/tars/contract.json"
MOUNT_TIMEOUT_S = 10
"""Time for reading a mount: a share whose NAS is off does not answer at all."""

NFS_PORT = 2049
CONNECT_TIMEOUT_S = 3


def main(arguments: dict[str, Any]) -> int:
    """Do what the verb asks for; return the exit code."""
    if arguments["verb"] == "logs":
        return logs(arguments["options"], arguments["container"], follow=arguments["follow"])
    contract, problem = read_contract()
    answer: dict[str, Any] = {"contract": contract, "problem": problem}
    if contract and arguments["verb"] in ("status", "backups"):
        answer["backups"] = read_backups(contract.get("backup_status"))
    if contract and arguments["verb"] == "status":
        answer["inspected"], answer["docker"] = inspect(names(contract))
        answer["mounts"] = [mount(**wanted) for wanted in arguments["mounts"]]
        answer["nas"] = reach(arguments["nas"])
    print(json.dumps(answer))
    return 0


def read_contract(path: str = CONTRACT) -> tuple[dict[str, Any] | None, str]:
    """Return the contract of the services, or None and why there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            contract = json.load(file)
    except FileNotFoundError:
        return None, "no such file"
    except (OSError, ValueError) as error:
        return None, str(error)
    if not isinstance(contract, dict) or contract.get("schema") != 1:
        return None, "a contract of another version"
    return contract, ""


def read_backups(path: str | None) -> dict[str, Any] | None:
    """Return the state of the backups with its age in seconds by this machine's clock, or why there is none.

    None if the services were set up without backups.
    """
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
            age_s = time.time() - os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return {"document": None, "age_s": 0, "problem": "the desktop has written no state"}
    except (OSError, ValueError) as error:
        return {"document": None, "age_s": 0, "problem": str(error)}
    if not isinstance(document, dict) or document.get("schema") != 1:
        return {"document": None, "age_s": 0, "problem": "a state of another version"}
    return {"document": document, "age_s": age_s, "problem": ""}


def names(contract: dict[str, Any]) -> list[str]:
    """Return the names of the services' containers."""
    return [service["container"] for service in contract["services"].values()]


def inspect(containers: list[str]) -> tuple[list[dict[str, Any]], str]:
    """Return docker's description of the containers that exist, and its message if it does not answer."""
    try:
        done = subprocess.run(["docker", "inspect", "--type=container", *containers], capture_output=True, text=True)
        # docker inspect fails if a container does not exist, but prints the others.
        described = json.loads(done.stdout or "[]")
    except (OSError, ValueError) as error:
        return [], str(error)
    missing = "no such container" in done.stderr.lower()
    # Docker repeats its message for each container.
    return described, "" if done.returncode == 0 or missing else done.stderr.strip().splitlines()[0]


def mount(path: str, source: str, command: list[str]) -> dict[str, Any]:
    """Return whether a mount can be read and has this source, by a command that prints its source."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOUNT_TIMEOUT_S)
        actual = done.stdout.strip() or done.stderr.strip() or "not mounted"
    except subprocess.TimeoutExpired:
        actual = f"no answer within {MOUNT_TIMEOUT_S} s"
    return {"path": path, "source": source, "ok": actual == source, "detail": "" if actual == source else actual}


def reach(address: str) -> dict[str, Any]:
    """Return whether the NFS server of the NAS accepts a connection from here."""
    try:
        socket.create_connection((address, NFS_PORT), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        return {"address": address, "ok": False, "detail": f"port {NFS_PORT}: {error}"}
    return {"address": address, "ok": True, "detail": ""}


def logs(options: list[str], container: str, *, follow: bool) -> int:
    """Print a container's log, both of its streams on one; one that is followed until standard input ends."""
    process = subprocess.Popen(
        ["docker", "logs", *options, container], stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )

    def end() -> None:
        sys.stdin.read()
        process.terminate()

    if follow:
        threading.Thread(target=end, daemon=True).start()
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
