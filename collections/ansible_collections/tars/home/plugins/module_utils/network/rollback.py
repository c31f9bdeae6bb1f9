# SPDX-License-Identifier: GPL-3.0-or-later
"""A change that can cut the connection it came over: the machine undoes it by itself unless it is confirmed in time.

The order that leaves no gap: arm, apply within `guarded`, confirm over another connection. Everything lies in /run and
in a transient timer, so a reboot forgets both; what is applied must therefore reach no disk before it is confirmed.

The program that changes the machine may die at any point, too: a terminal that hangs up takes it along. So the timer
alone decides, by what it finds in /run and, once the change is being written to disk, by what is on disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any, Optional

ROOT = "/run/tars-rollback"

SCRIPT = """\
#!/bin/sh
# Written by T.A.R.S. Undoes a change that nobody has confirmed.
cd {folder} || exit 1
exec 9>>lock
# A change is applied within seconds while it holds the lock; one that hangs is undone all the same.
flock --timeout 30 9
grep --quiet --no-messages {token} armed || exit 0
# Who was to say that it is confirmed died right after writing it to disk.
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


class RollbackError(Exception):
    """The change cannot be guarded, applied or confirmed. The message says how the machine is left."""


class Rollback:
    """The rollback of one concern, such as `firewall`. One change at a time."""

    def __init__(self, name: str, root: str = ROOT) -> None:
        self.name = name
        self.folder = os.path.join(root, name)

    def armed(self) -> Optional[dict[str, Any]]:
        """The change that waits for its confirmation, if any: its token, the ssh connection it came over, and until
        when it waits (seconds of the monotonic clock).
        """
        return self._read("armed")

    def kept(self, token: str) -> bool:
        """Whether this change was confirmed, so that only the answer to that was lost."""
        found = self._read("kept")
        return found is not None and bool(found["token"] == token)

    def arm(self, undo: str, seconds: int, token: str, kept: str = "false") -> None:
        """Have the shell commands `undo` run in so many seconds. Raises RollbackError, and nothing is armed then.

        `undo` is run again until it succeeds, and not at all where the shell commands `kept` find the change on disk.
        An earlier change that was never confirmed is undone before.
        """
        self.undo()
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        script = self._write(f"undo-{token}.sh", SCRIPT.format(folder=self.folder, token=token, undo=undo, kept=kept))
        armed = {"token": token, "connection": ssh_connection(), "until": time.monotonic() + seconds}
        # Nothing is armed without a timer, wherever this ends; on a very slow machine the timer waits for the lock.
        with self._locked():
            self._timer(f"rollback-{self.name}-{token}", seconds, script)
            self._write("armed", json.dumps(armed))

    @contextlib.contextmanager
    def guarded(self, token: str) -> Iterator[None]:
        """Within this block the change can be applied: it is armed and is not being undone.

        What the block runs must end within 30 seconds.
        """
        with self._locked():
            self.waiting(token)
            yield

    def later(self, token: str, change: str, after_s: int) -> None:
        """Run shell commands after so many seconds, if the change is armed then: for one that cuts this connection."""
        script = self._write(f"change-{token}.sh", CHANGE.format(folder=self.folder, token=token, change=change))
        self._timer(f"change-{self.name}-{token}", after_s, script)

    def confirm(self, token: str, persist: Callable[[], None]) -> None:
        """Keep the change: `persist` writes it where it survives a reboot, then the rollback is disarmed: its
        timer still runs out and finds nothing to do. Does nothing when this change is kept already.

        Raises RollbackError when the change is undone already, or when this is the connection it came over: that one
        may live on where no new one could be made. An error of `persist` leaves the rollback armed.
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
            # The timer waits for 30 seconds at most, and may have looked at the disk already.
            if not self.kept(token):
                self.waiting(token)
                os.rename(self._path("armed"), self._path("kept"))

    def undo(self) -> bool:
        """Undo at once what waits for its confirmation. Returns whether anything did."""
        waiting = self.armed()
        if waiting is None:
            return False
        run(["/bin/sh", self._path(f"undo-{waiting['token']}.sh")], timeout=60)
        return True

    def waiting(self, token: str) -> dict[str, Any]:
        """What `armed` tells of this change. Raises RollbackError when it is undone already."""
        found = self.armed()
        if found is None or found["token"] != token:
            raise RollbackError(
                f"the change of the {self.name} was not confirmed in time: the machine has undone it and is as before. "
                "Next: see why no new connection could be made with the new state, then run again."
            )
        return found

    def _timer(self, name: str, seconds: int, script: str) -> None:
        # The timer's accuracy is a minute unless said otherwise.
        timer = [f"--on-active={seconds}", "--timer-property=AccuracySec=100ms", "--collect", "--quiet"]
        run(["systemd-run", f"--unit=tars-{name}", *timer, "/bin/sh", script])

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        with open(self._path("lock"), "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self, name: str) -> Optional[dict[str, Any]]:
        try:
            with open(self._path(name), encoding="utf-8") as file:
                found: dict[str, Any] = json.load(file)
        except FileNotFoundError:
            return None
        return found

    def _write(self, name: str, text: str) -> str:
        path = self._path(name)
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(f"{path}.new", path)
        return path

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)


def on_disk(path: str, text: str) -> str:
    """Shell commands that find out whether the file at a path says just this."""
    return f"printf %s {shlex.quote(text)} | cmp --quiet {shlex.quote(path)} -"


def ssh_connection() -> Optional[str]:
    """What sshd calls SSH_CONNECTION: client's address and port, this machine's address and port. None without sshd.

    It is looked for in the ancestors as well, since sudo takes it out of the environment.
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


def run(command: list[str], text: str = "", timeout: float = 20) -> str:
    """Run a program with a text as its input and return what it printed. Raises RollbackError with what it said."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RollbackError(f"{' '.join(command)}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise RollbackError(f"{' '.join(command)} ended with {done.returncode}: {said}")
    return done.stdout
