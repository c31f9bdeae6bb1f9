# SPDX-License-Identifier: GPL-3.0-or-later
"""A mount namespace: mounts of a test that no other process of this computer sees, and that end with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ....waiting import wait_for
from .desktop import Desktop

ROOT = Path(__file__).parents[4]
ENVIRONMENT = {
    "PYTHONPATH": f"{ROOT}/library:{ROOT}",
    "PATH": os.environ["PATH"],
    # Set where the lines that tests run are measured, also in the programs that they start.
    **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
}


class Outcome(NamedTuple):
    """How a verb ended: exit code, message of the error, and fields of the result."""

    code: int
    message: str
    result: Any


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

        def is_mounted() -> bool:
            if server.poll() is not None:
                pytest.fail(f"{module} ended with {server.returncode}")
            return str(desktop.share) in self.run("cat", "/proc/self/mountinfo")

        wait_for(is_mounted, "the mount")
        desktop.write_settings(mount={"path": str(desktop.share), "types": ["fuse.nfs4"], "source": "nas:/backup"})
        return control

    def call(self, desktop: Desktop, verb: str) -> Outcome:
        """Call a verb of the desktop; fail where it has not ended long before restic gives up, after 15 minutes."""
        words = self.command(sys.executable, "-m", f"{__package__}.driver", desktop.folder, verb)
        done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=180, check=False)
        assert done.stdout, done.stderr
        document = json.loads(done.stdout)
        return Outcome(document["code"], document["message"], document["result"])
