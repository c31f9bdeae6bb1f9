# SPDX-License-Identifier: GPL-3.0-or-later
"""A mount namespace: mounts of a test that no other process of this computer sees, and that end with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from .desktop import Desktop

ROOT = Path(__file__).parents[4]
ENVIRONMENT = {
    "PYTHONPATH": f"{ROOT}/library:{ROOT}",
    "PATH": os.environ["PATH"],
    # Set where the lines that tests run are measured, also in the programs that they start.
    **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
}


class Outcome(NamedTuple):
    """How a verb ended: exit code, message of the error, fields of the result, and its time in seconds."""

    code: int
    message: str
    result: Any
    seconds: float


class Namespace:
    """Run programs that share the mounts of a namespace."""

    def __init__(self) -> None:
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo ready; exec sleep 3600"]
        self._holder = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        assert self._holder.stdout
        assert self._holder.stdout.readline() == b"ready\n"
        self._servers: list[subprocess.Popen[bytes]] = []

    def close(self) -> None:
        """End the namespace; its mounts end with it."""
        for process in [*self._servers, self._holder]:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def command(self, *words: str | Path) -> list[str]:
        """Return a command line inside the namespace."""
        return ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", *map(str, words)]

    def run(self, *words: str | Path) -> str:
        """Run a program and return its output."""
        done = subprocess.run(self.command(*words), check=True, capture_output=True, text=True, timeout=60)
        return done.stdout

    def mount_tmpfs(self, desktop: Desktop, size: str = "32m", *, source: str = "nas:/backup") -> None:
        """Mount a file system of its own at the share, and configure it."""
        self.run("mount", "-t", "tmpfs", "-o", f"size={size}", source, desktop.share)
        desktop.write_settings(mount={"path": str(desktop.share), "types": ["tmpfs"], "source": "nas:/backup"})

    def mount_faulty(self, desktop: Desktop) -> Path:
        """Mount a file system whose faults are controlled by the file that is returned."""
        folder, control = desktop.folder / "exported", desktop.folder / "control"
        folder.mkdir()
        control.write_text("ok ok")
        module = f"{__package__}.faulty_share"
        words: list[str | Path] = [sys.executable, "-m", module, folder, desktop.share, control, "nas:/backup"]
        server = subprocess.Popen(self.command(*words), env=ENVIRONMENT, start_new_session=True)
        self._servers.append(server)
        for _ in range(200):
            if str(desktop.share) in self.run("cat", "/proc/self/mountinfo"):
                break
            assert server.poll() is None
            time.sleep(0.05)
        desktop.write_settings(mount={"path": str(desktop.share), "types": ["fuse.nfs4"], "source": "nas:/backup"})
        return control

    def call(self, desktop: Desktop, verb: str, timeout_s: float = 120) -> Outcome:
        """Call a verb of the desktop."""
        return finished(self.start(desktop, verb), timeout_s)

    def start(self, desktop: Desktop, verb: str) -> subprocess.Popen[str]:
        """Start a verb of the desktop."""
        words = self.command(sys.executable, "-m", f"{__package__}.driver", desktop.folder, verb)
        return subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str], timeout_s: float = 120) -> Outcome:
    """Return how a verb ended."""
    output, errors = process.communicate(timeout=timeout_s)
    assert output, errors
    document = json.loads(output)
    return Outcome(document["code"], document["message"], document["result"], document["seconds"])
