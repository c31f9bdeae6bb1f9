# SPDX-License-Identifier: GPL-3.0-or-later
"""A change that can cut the connection it came over: the machine undoes it by itself unless it is confirmed in time.

The order that leaves no gap: arm, apply within `guarded`, confirm over another connection. Everything lies in /run and
in a transient timer, so a reboot forgets both; what is applied must therefore reach no disk before it is confirmed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
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
{undo}
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
        try:
            with open(self._path("armed"), encoding="utf-8") as file:
                found: dict[str, Any] = json.load(file)
        except FileNotFoundError:
            return None
        return found

    def arm(self, undo: str, seconds: int, token: str) -> None:
        """Have the shell commands `undo` run in so many seconds. Raises RollbackError, and nothing is armed then.

        An earlier change that was never confirmed is undone before.
        """
        self.undo()
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        script = self._path(f"undo-{token}.sh")
        self._write(script, SCRIPT.format(folder=self.folder, token=token, undo=undo))
        armed = {"token": token, "connection": ssh_connection(), "until": time.monotonic() + seconds}
        # Before the timer, which would else run out over nothing on a machine that is very slow.
        self._write(self._path("armed"), json.dumps(armed))
        try:
            self._timer(f"rollback-{self.name}-{token}", seconds, script)
        except RollbackError:
            os.unlink(self._path("armed"))
            raise

    @contextlib.contextmanager
    def guarded(self, token: str) -> Iterator[None]:
        """Within this block the change can be applied: it is armed and is not being undone.

        What the block runs must end within 30 seconds.
        """
        with self._locked():
            self.expect(token)
            yield

    def later(self, token: str, change: str, after_s: int) -> None:
        """Run shell commands after so many seconds, if the change is armed then: for one that cuts this connection."""
        script = self._path(f"change-{token}.sh")
        self._write(script, CHANGE.format(folder=self.folder, token=token, change=change))
        self._timer(f"change-{self.name}-{token}", after_s, script)

    def confirm(self, token: str, persist: Callable[[], None]) -> None:
        """Keep the change: `persist` writes it where it survives a reboot, then the rollback is disarmed: its
        timer still runs out and finds nothing to do.

        Raises RollbackError when the change is undone already, or when this is the connection it came over: that one
        may live on where no new one could be made. An error of `persist` leaves the rollback armed.
        """
        with self._locked():
            connection = self.expect(token)["connection"]
            if connection is not None and connection == ssh_connection():
                raise RollbackError(
                    f"the change of the {self.name} is not confirmed: this is the connection it came over "
                    f"({connection}), which proves nothing. The machine undoes the change by itself. Next: end shared "
                    "ssh connections (ControlPersist), then run again."
                )
            persist()
            os.unlink(self._path("armed"))

    def undo(self) -> bool:
        """Undo at once what waits for its confirmation. Returns whether anything did."""
        waiting = self.armed()
        if waiting is None:
            return False
        run(["/bin/sh", self._path(f"undo-{waiting['token']}.sh")], timeout=60)
        return True

    def expect(self, token: str) -> dict[str, Any]:
        """The change that waits for its confirmation. Raises RollbackError where that is not the one named."""
        waiting = self.armed()
        if waiting is None or waiting["token"] != token:
            raise RollbackError(
                f"the change of the {self.name} was not confirmed in time: the machine has undone it and is as before. "
                "Next: see why no new connection could be made with the new state, then run again."
            )
        return waiting

    def _timer(self, name: str, seconds: int, script: str) -> None:
        # The timer's accuracy is a minute unless said otherwise.
        timer = [f"--on-active={seconds}", "--timer-property=AccuracySec=1s", "--collect", "--quiet"]
        run(["systemd-run", f"--unit=tars-{name}", *timer, "/bin/sh", script])

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        with open(self._path("lock"), "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, path: str, text: str) -> None:
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(f"{path}.new", path)

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)


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
