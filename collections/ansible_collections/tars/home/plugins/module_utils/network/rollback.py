# SPDX-License-Identifier: GPL-3.0-or-later
"""Change that can cut its own connection: the machine undoes it by itself unless it is confirmed in time.

The order that leaves no gap: arm, make the change within `guarded`, confirm over another connection. All state is in
/run and in a transient timer, so a reboot forgets both; the change must therefore not be written to disk before it is
confirmed.

The program that changes the machine may die at any point, too: a terminal that hangs up kills it. So the timer alone
decides, by the files in /run and, once the change is being written to disk, by what is on disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..resource.errors import ResourceError
from ..system import files
from ..system.process import run

ROOT = "/run/tars-rollback"

UNDONE = "the machine has undone it and is as before"
"""What an error states of a change that was not confirmed in time. tests/bench/cutting.py searches for it."""

SCRIPT = """\
#!/bin/sh
# Written by T.A.R.S. Undoes a change that was not confirmed.
cd {folder} || exit 1
exec 9>>lock
# A change takes seconds while it holds the lock; one that hangs is undone all the same.
flock --timeout 30 9
grep --quiet --no-messages {token} armed || exit 0
# The process may have died after writing the change to disk, before recording the confirmation.
if
{kept}
then
mv armed kept
exit
fi
until
{undo}
do
sleep 2
done
mv armed undone
"""

CHANGE = """\
#!/bin/sh
# Written by T.A.R.S. Makes a change that can be undone.
cd {folder} || exit 1
exec 9>>lock
flock 9
grep --quiet --no-messages {token} armed || exit 0
{change}
"""


class RollbackError(ResourceError):
    """The change cannot be guarded, made or confirmed. The message describes the state of the machine."""


class Rollback:
    """The rollback of one concern, such as `firewall`. One change at a time."""

    def __init__(self, name: str, root: str = ROOT) -> None:
        self.name = name
        self.folder = os.path.join(root, name)

    def armed(self) -> dict[str, Any] | None:
        """Return the change that waits for its confirmation, if any.

        Its keys: `token`, `connection` (the ssh connection it came over) and `until` (seconds of the monotonic clock).
        """
        return self._read("armed")

    def kept(self, token: str) -> bool:
        """Return whether this change was confirmed, so that only the answer was lost."""
        change = self._read("kept")
        return change is not None and bool(change["token"] == token)

    def arm(self, undo: str, seconds: int, token: str, kept: str = "false") -> None:
        """Run the shell commands `undo` in so many seconds, unless the change is confirmed before.

        `undo` is run again until it succeeds, and not at all where the shell commands `kept` find the change on disk.
        An earlier change that was never confirmed is undone first.

        Raises:
            ResourceError: the rollback could not be armed; the change must not be made.
        """
        self.undo()
        files.make_folder(self.folder, 0o700)
        script = self._write(f"undo-{token}.sh", SCRIPT.format(folder=self.folder, token=token, undo=undo, kept=kept))
        armed = {"token": token, "connection": ssh_connection(), "until": time.monotonic() + seconds}
        # Nothing is armed without a timer, wherever this fails; on a very slow machine the timer waits for the lock.
        with self._locked():
            self._timer(f"rollback-{self.name}-{token}", seconds, script)
            self._write("armed", json.dumps(armed))

    @contextlib.contextmanager
    def guarded(self, token: str) -> Iterator[None]:
        """Make the change within this block: it is armed and is not being undone.

        The block must end within 30 seconds.
        """
        with self._locked():
            self.waiting(token)
            yield

    def later(self, token: str, change: str, after_s: int) -> None:
        """Run shell commands that cut this connection after so many seconds, if the change is still armed then."""
        script = self._write(f"change-{token}.sh", CHANGE.format(folder=self.folder, token=token, change=change))
        self._timer(f"change-{self.name}-{token}", after_s, script)

    def confirm(self, token: str, persist: Callable[[], None]) -> None:
        """Keep the change. Does nothing if it is kept already.

        `persist` writes it where it survives a reboot, then the rollback is disarmed: its timer still expires, without
        effect. An error of `persist` leaves the rollback armed.

        Raises:
            RollbackError: the change is undone already, or this is the connection it came over, which may live on
                where no new one could be made.
        """
        with self._locked():
            if self.kept(token):
                return
            connection = self.waiting(token)["connection"]
            if connection is not None and connection == ssh_connection():
                raise RollbackError(
                    f"the change of the {self.name} is not confirmed: this is the connection it came over "
                    f"({connection}), which proves nothing. The machine undoes the change by itself. Next: end shared "
                    "ssh connections (ControlPersist), then run again."
                )
            persist()
            # The timer waits for 30 seconds at most, and may have compared the disk already.
            if not self.kept(token):
                self.waiting(token)
                os.rename(self._path("armed"), self._path("kept"))

    def undo(self) -> bool:
        """Undo at once the change that waits for its confirmation. Return whether there was one."""
        waiting = self.armed()
        if waiting is None:
            return False
        run(["/bin/sh", self._path(f"undo-{waiting['token']}.sh")], timeout_s=60)
        return True

    def waiting(self, token: str) -> dict[str, Any]:
        """Return what `armed` returns for this change. Raises RollbackError if it is undone already."""
        change = self.armed()
        if change is None or change["token"] != token:
            raise RollbackError(
                f"the change of the {self.name} was not confirmed in time: {UNDONE}. "
                "Next: find out why no new connection could be made with the new state, then run again."
            )
        return change

    def _timer(self, name: str, seconds: int, script: str) -> None:
        # The default accuracy of timers is a minute.
        timer = [f"--on-active={seconds}", "--timer-property=AccuracySec=100ms", "--collect", "--quiet"]
        run(["systemd-run", f"--unit=tars-{name}", *timer, "/bin/sh", script])

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        files.make_folder(self.folder, 0o700)
        with open(self._path("lock"), "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            with open(self._path(name), encoding="utf-8") as file:
                change: dict[str, Any] = json.load(file)
        except FileNotFoundError:
            return None
        return change

    def _write(self, name: str, text: str) -> str:
        path = self._path(name)
        files.write_file(path, text, 0o600)
        return path

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)


def on_disk(path: str, text: str) -> str:
    """Return shell commands that succeed if the file at a path has exactly this text."""
    return f"printf %s {shlex.quote(text)} | cmp --quiet {shlex.quote(path)} -"


def ssh_connection() -> str | None:
    """Return sshd's SSH_CONNECTION: client's address and port, this machine's address and port. None without sshd.

    The ancestors of this process are searched as well, since sudo removes the variable from the environment.
    """
    process = os.getpid()
    while process > 1:
        try:
            with open(f"/proc/{process}/environ", "rb") as file:
                entries = file.read().split(b"\0")
            with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as status:
                parent = int(status.read().rpartition(")")[2].split()[1])
        except OSError:
            return None
        for entry in entries:
            if entry.startswith(b"SSH_CONNECTION="):
                return entry.partition(b"=")[2].decode()
        process = parent
    return None
