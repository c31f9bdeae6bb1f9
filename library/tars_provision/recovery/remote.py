# SPDX-License-Identifier: GPL-3.0-or-later
"""The program by which a bare desktop reads the share of the backups; it runs there, as root.

It needs nothing but Python 3.9 and its standard library. Its argument is a JSON object with the key `verb`; it prints
one JSON object with `error`, null or a message, and the result.

`open` mounts the share read-only and prepares the program tars-backup, `run` runs a command of it, `close` removes all
of that again. The NAS exports the share to the address that the desktop will have: until `close`, the machine has that
address too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path("/var/lib/tars-recover")
SHARE = FOLDER / "share"
PROGRAM, RESTIC, SHEET, CONFIGURATION = (FOLDER / name for name in ("tars-backup", "restic", "sheet", "backup.json"))
ADDRESS = FOLDER / "address"
"""The commands that take back the address and the route."""

TYPES = ["nfs", "nfs4", "fuse.nfs4"]
MOUNT_S = 60
COMMAND_S = 900


class Refused(Exception):  # noqa: N818  its text is the message
    """A step is not possible; the text is the message."""


def main(arguments: dict[str, Any]) -> int:
    """Do what the verb asks for, and print the result."""
    try:
        verbs: dict[str, Callable[..., dict[str, Any]]] = {"open": prepare, "run": run, "close": close}
        answer = verbs[arguments.pop("verb")](**arguments)
        print(json.dumps({"error": None, **answer}))
    except Refused as error:
        print(json.dumps({"error": str(error)}))
    return 0


def prepare(source: str, desktop: str, restic: str) -> dict[str, Any]:
    """Mount the share `source`, and write the program and the sheet, which are on the standard input.

    `restic` is the beginning of the SHA-256 that the program restic beside the repository must have.
    """
    given = json.load(sys.stdin)
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    SHARE.mkdir(exist_ok=True)
    if not SHARE.is_mount():
        install_client()
        mount(source, desktop)
    try:
        content = (SHARE / "restic").read_bytes()
    except OSError as error:
        raise Refused(
            f"{source}/restic: found {error.strerror}; expected the program that role backup stored"
        ) from None
    digest = hashlib.sha256(content).hexdigest()
    if not restic or not digest.startswith(restic.lower()):
        raise Refused(f"{source}/restic: found SHA-256 {digest}; expected {restic or 'the one'} of the recovery sheet")
    write(RESTIC, content, 0o700)
    write(PROGRAM, base64.b64decode(given["program"]), 0o700)
    write(SHEET, given["sheet"].encode(), 0o600)
    document = configuration(FOLDER, RESTIC, SHARE / "repository", given["repository_id"])
    document["mount"] = {"path": str(SHARE), "types": TYPES, "source": source}
    write(CONFIGURATION, json.dumps(document).encode(), 0o600)
    return {}


def configuration(folder: Path, restic: Path, repository: Path, repository_id: str | None) -> dict[str, Any]:
    """Return a configuration of tars-backup for reading, without its mount."""
    # One folder deeper, because tars-backup also writes beside the folder that holds its state.
    places = {
        name: str(folder / "local" / name) for name in ("contract", "key_file", "staging", "state", "site", "work")
    }
    return {
        "schema": 1,
        **places,
        "restic": str(restic),
        "repository": str(repository),
        "repository_id": repository_id,
        "host": "",
        "zone": "UTC",
        "retention": {"last": 3},
        "configuration": [],
        "models": "digests",
        "free_mib": 0,
    }


def run(words: list[str], output: bool) -> dict[str, Any]:
    """Return the JSON object of a command of tars-backup and, if it writes one, its file in base64."""
    extra = ["--json", "--configuration", str(CONFIGURATION), "--sheet", str(SHEET)]
    path = FOLDER / "output"
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *words, *(["--output", str(path)] if output else []), *extra],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
    )
    if not done.stdout.strip():
        raise Refused(f"tars-backup: found {done.stderr.strip()[-500:] or 'no output'}; expected a result")
    document = json.loads(done.stdout.splitlines()[-1])
    content = path.read_bytes() if output and document["ok"] else b""
    return {"document": document, "output": base64.b64encode(content).decode()}


def close() -> dict[str, Any]:
    """Unmount the share, and remove the files, the address and the route."""
    if SHARE.is_mount():
        call("umount", str(SHARE))
    if ADDRESS.exists():
        for words in json.loads(ADDRESS.read_text()):
            subprocess.run(words, capture_output=True, timeout=MOUNT_S)  # gone already, if the machine was restarted
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    return {}


def install_client() -> None:
    """Install the NFS client, if the machine has none."""
    if not (shutil.which("mount.nfs4") or os.path.exists("/sbin/mount.nfs4")):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["apt-get", "update", "-q=2"], ["apt-get", "install", "--yes", "-q=2", "nfs-common"]):
            done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=COMMAND_S)
            if done.returncode:
                raise Refused(f"nfs-common: found {done.stderr.strip()[-500:]}; expected that apt-get installs it")


def mount(source: str, desktop: str) -> None:
    """Mount the share, with the address to which the NAS exports it if the machine's own is refused."""
    words = ["mount", "-t", "nfs4", "-o", "ro,soft,timeo=100,retrans=2,retry=0", source, str(SHARE)]
    first = subprocess.run(words, capture_output=True, text=True, timeout=MOUNT_S)
    if first.returncode == 0:
        return
    reason = first.stderr.strip()
    if desktop and take_address(desktop.partition("/")[0], source.partition(":")[0]):
        second = subprocess.run(words, capture_output=True, text=True, timeout=MOUNT_S)
        if second.returncode == 0:
            return
        reason = f"{reason}; with the address {desktop}: {second.stderr.strip()}"
    raise Refused(f"{source}: found {reason}; expected a share that this machine can mount. Check that the NAS is on")


def take_address(address: str, server: str) -> bool:
    """Give the machine another address for its way to the NAS; return whether it has a new one now."""
    route = json.loads(call("ip", "-json", "route", "get", server))[0]
    if route.get("prefsrc") == address:
        return False
    if subprocess.run(["ping", "-c", "1", "-W", "2", address], capture_output=True, timeout=MOUNT_S).returncode == 0:
        raise Refused(
            f"{address}: found a machine that answers; expected none, because the new desktop gets this address"
        )
    device = route["dev"]
    add = [["ip", "address", "add", f"{address}/32", "dev", device]]
    add.append(["ip", "route", "add", f"{server}/32", "dev", device, "src", address])
    back = [["ip", "route", "delete", *add[1][3:]], ["ip", "address", "delete", *add[0][3:]]]
    write(ADDRESS, json.dumps(back).encode(), 0o600)
    for words in add:
        call(*words)
    return True


def call(*words: str) -> str:
    """Run a command and return its output."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=MOUNT_S)
    if done.returncode:
        raise Refused(f"{' '.join(words)}: found {done.stderr.strip()[-500:]}; expected exit status 0")
    return done.stdout


def write(path: Path, content: bytes, mode: int) -> None:
    """Write a file that has its mode from the first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
