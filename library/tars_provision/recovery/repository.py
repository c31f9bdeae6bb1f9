# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the repository of the backups with a recovery sheet: through a bare desktop over ssh, or in a folder here."""

from __future__ import annotations

import abc
import base64
import hashlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tars_provision.errors import ProvisionError, message
from tars_provision.project import BACKUP_PROGRAM
from tars_provision.recovery import remote


class RepositoryError(ProvisionError):
    """The repository cannot be reached or read."""


@dataclass(frozen=True)
class Key:
    """What opens a repository.

    Attributes:
        sheet: the JSON object that tars-backup reads (:meth:`tars_provision.recovery.sheet.Sheet.for_repository`).
        repository: id of the repository, empty if it is not known.
        restic: beginning of the SHA-256 of the program restic beside the repository.
    """

    sheet: str
    repository: str
    restic: str


class Reader(abc.ABC):
    """Runs commands of tars-backup that read a repository."""

    @abc.abstractmethod
    def run(self, *words: str, output: bool = False) -> tuple[dict[str, Any], bytes]:
        """Return the JSON object that a command prints and, if it writes one, the content of its file.

        Raises:
            RepositoryError: the command failed.
        """


def program() -> bytes:
    """Return tars-backup as one file for Python."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("__main__.py", "import sys\nfrom tars_backup.cli import main\nsys.exit(main())\n")
        for path in sorted(BACKUP_PROGRAM.rglob("*.py")):
            archive.write(path, path.relative_to(BACKUP_PROGRAM.parent))
    return content.getvalue()


@dataclass(frozen=True)
class _Desktop(Reader):
    """Reads through a desktop that ssh reaches with `command`."""

    command: tuple[str, ...]

    def run(self, *words: str, output: bool = False) -> tuple[dict[str, Any], bytes]:
        answer = self.call("run", words=list(words), output=output)
        return _checked(answer["document"]), base64.b64decode(answer["output"])

    def call(self, verb: str, stdin: str = "", **arguments: Any) -> dict[str, Any]:
        """Return what :mod:`tars_provision.recovery.remote` prints."""
        words = ["python3", "-c", Path(remote.__file__).read_text(), json.dumps({"verb": verb, **arguments})]
        root = f'if [ "$(id -u)" = 0 ]; then exec {shlex.join(words)}; else exec sudo -n {shlex.join(words)}; fi'
        done = subprocess.run([*self.command, root], input=stdin, capture_output=True, text=True)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit status {done.returncode}"
            step = f"Try `ssh {self.command[-1]}`, which must log in without a question"
            raise RepositoryError(message(self.command[-1], found=last, expected="an answer over ssh", next_step=step))
        answer: dict[str, Any] = json.loads(done.stdout)
        if answer["error"]:
            raise RepositoryError(f"{self.command[-1]}: {answer['error']}.")
        return answer


@dataclass(frozen=True)
class _Folder(Reader):
    """Reads a repository in a folder of this computer."""

    work: Path

    def run(self, *words: str, output: bool = False) -> tuple[dict[str, Any], bytes]:
        path = self.work / "output"
        options = ["--json", "--configuration", str(self.work / "backup.json"), "--sheet", str(self.work / "sheet")]
        options += ["--output", str(path)] if output else []
        done = subprocess.run(
            [sys.executable, "-m", "tars_backup", *words, *options],
            env={**os.environ, "PYTHONPATH": str(BACKUP_PROGRAM.parent)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if not done.stdout.strip():
            raise RepositoryError(message("tars-backup", found=done.stderr.strip()[-500:], expected="a result"))
        document = _checked(json.loads(done.stdout.splitlines()[-1]))
        return document, path.read_bytes() if output else b""


@contextmanager
def through_desktop(command: Sequence[str], nas: str, share: str, desktop: str, key: Key) -> Iterator[Reader]:
    """Mount the share on a desktop, and yield a reader; everything is removed from the desktop at the end.

    Args:
        command: the call of ssh that logs in, in which the last word is the target.
        nas: its address, and `share` the path of its export.
        desktop: the address to which the NAS exports the share; empty if it is not known.
        key: of the repository.

    Raises:
        RepositoryError: the desktop or the share cannot be used.
    """
    reader = _Desktop(tuple(command))
    given = {
        "program": base64.b64encode(program()).decode(),
        "sheet": key.sheet,
        "repository_id": key.repository or None,
    }
    try:
        reader.call("open", json.dumps(given), source=f"{nas}:{share}", desktop=desktop, restic=key.restic)
        yield reader
    finally:
        reader.call("close")


@contextmanager
def in_folder(repository: Path, key: Key) -> Iterator[Reader]:
    """Yield a reader of a repository in a folder of this computer, beside which the program restic is.

    Raises:
        RepositoryError: there is no such program, or it is not the one of the sheet.
    """
    source = repository.resolve().parent / "restic"
    try:
        content = source.read_bytes()
    except OSError as error:
        raise RepositoryError(
            message(source, found=error.strerror, expected="the program restic of the share")
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if not key.restic or not digest.startswith(key.restic.lower()):
        raise RepositoryError(
            message(source, found=f"SHA-256 {digest}", expected=f"{key.restic or 'that'} of the sheet")
        )
    work = Path(tempfile.mkdtemp(prefix="tars-recover-"))
    try:
        remote.write(work / "restic", content, 0o700)
        remote.write(work / "sheet", key.sheet.encode(), 0o600)
        document = remote.configuration(work, work / "restic", repository.resolve(), key.repository or None)
        document["mount"] = _mount_of(repository.resolve())
        remote.write(work / "backup.json", json.dumps(document).encode(), 0o600)
        yield _Folder(work)
    finally:
        shutil.rmtree(work)


def _mount_of(path: Path) -> dict[str, Any]:
    """Return the mount that a folder is on, as tars-backup compares it."""
    place = next(parent for parent in path.parents if os.path.ismount(parent))
    lines = [line.partition(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    left, _, right = [line for line in lines if line[0].split(" ")[4] == str(place)][-1]
    del left
    kind, source = right.split(" ")[:2]
    return {"path": str(place), "types": [kind], "source": source}


def _checked(document: dict[str, Any]) -> dict[str, Any]:
    if not document["ok"]:
        raise RepositoryError(document["error"]["message"])
    return document
