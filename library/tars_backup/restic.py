# SPDX-License-Identifier: GPL-3.0-or-later
"""Run restic with deadlines, and turn its exit codes and messages into errors.

restic retries most errors of the file system for 15 minutes. This ends it when one operation has failed for RETRY_S
seconds, although others succeed, and when the destination has stopped answering. restic dies with this program: one
that outlived a killed run would hold its lock.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from . import destination, instants, priority, processes
from .configuration import Configuration, Server
from .deadline import Deadline
from .errors import BackupError, DestinationError, LockedError, RepositoryAbsentError, VerificationError, WrongKeyError

HOST = "tars"
TAG = "tars"

RETRY_S = 20.0
PROBE_S = 15.0

_CODES: dict[int, tuple[type[BackupError], str, str]] = {
    10: (RepositoryAbsentError, "a repository", "Check the share on the NAS"),
    11: (LockedError, "no lock", "Run tars-backup unlock"),
    12: (WrongKeyError, "the key of this repository", "Put the key of the recovery sheet into the key file"),
}

# Such as "Save(<data/1a2b>) returned error, retrying after 1s: …". After "Save(…) failed: …" restic does not try again
# and should end, but 0.18 then sometimes waits for its own writers for ever.
_EVENT = re.compile(r"(.+?) (returned error, retrying after|operation successful after|failed:) ")
_DESTINATION = ("no space left", "disk quota exceeded", "read-only file system", "stale", "input/output error")


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of the repository; `backup` is the id of the backup, None for a foreign snapshot."""

    id: str
    time: str
    tags: tuple[str, ...]
    hostname: str

    @property
    def backup(self) -> str | None:
        """Return the id that the snapshot's tags give the backup."""
        ids = [tag[3:] for tag in self.tags if tag.startswith("id=")]
        return ids[0] if TAG in self.tags and len(ids) == 1 else None


@dataclass(frozen=True)
class Saved:
    """The result of a backup: the snapshot, what it contains, and the bytes that were added to the repository."""

    snapshot: str
    files: int
    bytes: int
    added: int


class Restic:
    """The program restic, for the repository of a configuration."""

    def __init__(self, configuration: Configuration) -> None:
        """Use the configured program, repository and key file."""
        self._configuration = configuration

    def version(self) -> str:
        """Return the version of the program, such as 0.18.0."""
        text = processes.run([self._configuration.restic, "version"], deadline_s=60).decode()
        return text.split()[1]

    def repository_id(self) -> str:
        """Return the id of the repository, which proves that the key opens it.

        Raises:
            RepositoryAbsentError, WrongKeyError, DestinationError, BackupError: it cannot be opened.
        """
        document = json.loads(self._run("cat", "config", "--no-lock", deadline_s=60))
        return str(document["id"])

    def key_name(self) -> str:
        """Return the name of the key file that the password opens."""
        for entry in json.loads(self._run("key", "list", "--no-lock", deadline_s=60)):
            if entry.get("current"):
                names = [path.name for path in (self._configuration.repository / "keys").glob(f"{entry['id']}*")]
                if len(names) == 1:
                    return names[0]
        raise BackupError("restic key list", found="no current key", expected="the key that opens the repository")

    def add_key(self, key_file: Path) -> None:
        """Let the password of another file open the repository too."""
        self._run("key", "add", "--new-password-file", key_file, "--host", HOST, "--user", "root", deadline_s=120)

    def init(self, like: Configuration | None = None) -> str:
        """Create the repository and return its id. One that is `like` another cuts files at the same places.

        Only then do copies of snapshots share data with each other.
        """
        words = (*_source(like), "--copy-chunker-params") if like else ()
        for line in self._run("init", *words, deadline_s=120).splitlines():
            document = json.loads(line)
            if document.get("message_type") == "initialized":
                return str(document["id"])
        raise BackupError("restic init", found="no id in its output", expected="the id of the new repository")

    def snapshots(self) -> list[Snapshot]:
        """Return all snapshots that can be read, oldest first."""
        document = json.loads(self._run("snapshots", "--no-lock", deadline_s=300) or b"[]")
        return [
            Snapshot(entry["id"], entry["time"], tuple(entry.get("tags") or ()), entry.get("hostname", ""))
            for entry in document or []
        ]

    def backup(self, folder: Path, backup: str, made_at: datetime, *, deadline_s: float) -> Saved:
        """Save a folder as one snapshot.

        Raises:
            BackupError: restic could not read or store all of it. A snapshot may exist all the same.
        """
        tags = ("--tag", TAG, "--tag", f"id={backup}")
        moment = f"{made_at.astimezone(instants.UTC):%Y-%m-%d %H:%M:%S}"
        # All backups have one group, so that restic finds the parent also after the desktop was renamed.
        words = ("backup", "--no-scan", "--host", HOST, *tags, "--time", moment, "--group-by", "host", ".")
        summary: dict[str, Any] = {}
        for line in self._run(*words, deadline_s=deadline_s, folder=folder).splitlines():
            document = json.loads(line)
            if document.get("message_type") == "summary":
                summary = document
        if not summary.get("snapshot_id"):
            raise BackupError("restic backup", found="no snapshot in its output", expected="a new snapshot")
        return Saved(
            summary["snapshot_id"],
            summary["total_files_processed"],
            summary["total_bytes_processed"],
            summary.get("data_added_packed", 0),
        )

    def copy(self, source: Configuration, snapshots: Sequence[str], *, deadline_s: float) -> None:
        """Copy snapshots of another repository that this one lacks; restic compares the SHA-256 of what it reads there.

        It takes no lock there, where the caller holds the program's lock. The copies have other ids, and the same tags.

        Raises:
            BackupError: restic could not read or store all of them.
        """
        words = ("copy", *_source(source), "--no-lock", *snapshots)
        self._run(*words, deadline_s=deadline_s, also=source)

    def check(self, *, deadline_s: float) -> None:
        """Check the structure of the repository; contents of packs are not read.

        Raises:
            VerificationError: it has an error.
            BackupError: it could not be checked.
        """
        with self.checking(deadline_s=deadline_s):
            pass

    @contextlib.contextmanager
    def checking(self, *, deadline_s: float) -> Iterator[None]:
        """Check the structure of the repository, as check() does, while the block runs. Raises as check() at its end.

        An error of the block ends the check.
        """
        with self._started("check", "--no-lock", deadline_s=deadline_s) as output:
            yield
            try:
                output.read()
                output.finish()
            except BackupError as error:
                if type(error) is not BackupError:
                    raise
                raise VerificationError(
                    self._configuration.repository,
                    found=error.found,
                    expected="a repository without errors",
                    next_step="Run tars-backup verify --data, and keep the share's snapshots on the NAS",
                ) from error

    def dump(self, snapshot: str, path: str, *, deadline_s: float = 300) -> bytes:
        """Return the content of a file of a snapshot."""
        return self._run("dump", "--no-lock", snapshot, f"/{path}", deadline_s=deadline_s)

    @contextlib.contextmanager
    def archive(self, snapshot: str, *, deadline_s: float) -> Iterator[Output]:
        """Yield all files of a snapshot as a stream in the format tar; call its finish() after the last byte."""
        with self._started("dump", "--no-lock", "--archive", "tar", snapshot, "/", deadline_s=deadline_s) as output:
            yield output

    def restore(self, snapshot: str, target: Path, *, deadline_s: float) -> None:
        """Write a snapshot's files below a folder, and read them back from there."""
        self._run("restore", "--no-lock", snapshot, "--target", target, "--delete", "--verify", deadline_s=deadline_s)

    def forget(self, snapshots: Sequence[str], *, deadline_s: float = 600) -> None:
        """Remove snapshots; the caller reads back that they are gone, because restic ends with 0 if it fails."""
        self._run("forget", *snapshots, deadline_s=deadline_s)

    def prune(self, *, deadline_s: float) -> None:
        """Remove data that no snapshot uses; repack only where much of a file is unused."""
        self._run("prune", "--max-unused", "20%", deadline_s=deadline_s)

    def lock(self, name: str) -> dict[str, Any] | None:
        """Return the content of a lock of the repository; None if it cannot be read."""
        try:
            document = json.loads(self._run("cat", "lock", name, "--no-lock", deadline_s=60))
        except (DestinationError, RepositoryAbsentError, WrongKeyError):
            raise
        except (BackupError, ValueError):
            return None
        return document if isinstance(document, dict) else None

    def _run(
        self, *words: str | Path, deadline_s: float, folder: Path | None = None, also: Configuration | None = None
    ) -> bytes:
        """Run a command, which may read `also` another repository, to its end and return its standard output."""
        with self._started(*words, deadline_s=deadline_s, folder=folder, also=also) as output:
            content = output.read()
            output.finish()
            return content

    @contextlib.contextmanager
    def _started(
        self, *words: str | Path, deadline_s: float, folder: Path | None = None, also: Configuration | None = None
    ) -> Iterator[Output]:
        configuration = self._configuration
        configuration.cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        server = configuration.server or (also.server if also else None)
        certificate = ("--cacert", server.ca_file) if server and server.ca_file else ()
        options = ("--json", "--repo", _address(configuration), "--password-file", configuration.key_file, *certificate)
        command = (
            "setpriv",
            "--pdeathsig",
            "KILL",
            configuration.restic,
            *options,
            "--cache-dir",
            configuration.cache,
            *words,
        )
        extra = {"RESTIC_PROGRESS_FPS": "0.2", "TMPDIR": str(configuration.cache), **_credentials(server)}
        if priority.is_low():
            extra["GOMAXPROCS"] = str(priority.processors())

        def probe() -> None:
            for place in (configuration, *([also] if also else [])):
                destination.check_answer(place)

        with (
            tempfile.TemporaryFile() as errors,
            processes.started(command, stderr=errors, extra=extra, folder=folder) as process,
        ):
            yield Output(process, errors, f"restic {words[0]}", Deadline(deadline_s), probe)


def _address(configuration: Configuration) -> str | Path:
    """Return where a repository is, as restic's option names it."""
    return f"rest:{configuration.server.url}" if configuration.server else configuration.repository


def _source(configuration: Configuration) -> tuple[str | Path, ...]:
    """Return the options for a repository that is only read."""
    return ("--from-repo", _address(configuration), "--from-password-file", configuration.key_file)


def _credentials(server: Server | None) -> dict[str, str]:
    """Return the account of a server as environment variables, which other accounts cannot read."""
    if server is None:
        return {}
    password = server.password_file.read_text().strip()
    return {"RESTIC_REST_USERNAME": server.account, "RESTIC_REST_PASSWORD": password}


class Output:
    """The standard output of a running restic, read under its time limits."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        errors: IO[bytes],
        subject: str,
        deadline: Deadline,
        probe: Callable[[], None],
    ) -> None:
        """Read from `process`; `errors` is the file of its error output, `probe` raises if the destination hangs."""
        self._process = process
        self._errors = errors
        self._subject = subject
        self._deadline = deadline
        self._probe = probe
        self._checked = self._probed = time.monotonic()
        self._failing_since: dict[str, float] = {}
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, all that come if `size` is negative; fewer only at the end.

        Raises:
            BackupError: the time limit was reached, restic keeps retrying, or the destination does not answer.
        """
        assert self._process.stdout is not None  # noqa: S101  for the type checker: it was started with a pipe
        descriptor = self._process.stdout.fileno()
        blocks = bytearray()
        while size < 0 or len(blocks) < size:
            self._tick()
            if not select.select([descriptor], [], [], 0.5)[0]:
                continue
            block = os.read(descriptor, 1 << 20 if size < 0 else min(size - len(blocks), 1 << 20))
            if not block:
                break
            blocks += block
        return bytes(blocks)

    def finish(self) -> None:
        """Wait for the end of restic.

        Raises:
            BackupError: its exit status is not 0, or see read().
        """
        while self._process.poll() is None:
            self._tick()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)
        if self._process.returncode:
            raise self._error(self._process.returncode)

    def _tick(self) -> None:
        """Raise if restic cannot get on; at most twice a second."""
        now = time.monotonic()
        if now - self._checked < 0.5:
            return
        self._checked = now
        self._deadline.remaining_s(self._subject)
        for line in self._new_lines():
            if not (event := _EVENT.match(line)):
                continue
            operation, kind = event.groups()
            if kind.startswith("returned error") or (kind == "failed:" and operation.startswith("Save(")):
                self._failing_since.setdefault(operation, now)
            else:
                self._failing_since.pop(operation, None)
        if self._failing_since and now - min(self._failing_since.values()) > RETRY_S:
            raise DestinationError(
                self._subject,
                found=self._detail(),
                expected="a destination that can be used",
                next_step="Check the share and its permissions on the NAS",
            )
        if now - self._probed > PROBE_S:
            self._probed = now
            self._probe()

    def _new_lines(self) -> list[str]:
        """Return the complete lines that were added to the error output."""
        text = self._text(self._position).rpartition(b"\n")[0]
        self._position += len(text)
        return text.decode(errors="replace").splitlines()

    def _text(self, start: int) -> bytes:
        """Return the error output from a position on; without seek(), which would move the position of restic too."""
        number = self._errors.fileno()
        return os.pread(number, os.fstat(number).st_size - start, start)

    def _detail(self) -> str:
        """Return the last messages of the error output as one line."""
        lines = [" ".join(_message(line).split()) for line in self._text(0).decode(errors="replace").splitlines()]
        messages = list(dict.fromkeys(line for line in lines if line))
        return "; ".join(messages[-4:])[-1500:] or "no message"

    def _error(self, status: int) -> BackupError:
        detail = self._detail()
        if status in _CODES:
            kind, expected, next_step = _CODES[status]
            return kind(self._subject, found=detail, expected=expected, next_step=next_step)
        if any(text in detail.lower() for text in _DESTINATION):
            return DestinationError(
                self._subject,
                found=detail,
                expected="a destination that can be used",
                next_step="Check the disk space and the share on the NAS",
            )
        return BackupError(self._subject, found=f"exit status {status}: {detail}", expected="exit status 0")


def _message(line: str) -> str:
    """Return the message of a line of the error output, which is JSON or text."""
    try:
        document = json.loads(line)
        error = document.get("error")
        text = document.get("message") or (error.get("message") if isinstance(error, dict) else error) or ""
        item = document.get("item")
    except (ValueError, AttributeError):
        return line.strip()
    return f"{item}: {text}" if item and text else str(text)
