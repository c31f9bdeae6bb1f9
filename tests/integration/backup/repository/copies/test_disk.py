# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy on a disk that is not always connected: a loop device with a file system, and the program as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tars_backup import media
from tars_backup.errors import NotConnectedError

from .....waiting import wait_for
from ..desktop import Desktop, child_environment, command
from ..test_proof import wrap

pytestmark = pytest.mark.integration

NAME = "cellar"


class Disk:
    """A disk with an ext4 file system."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.uuid = str(uuid4())
        self.device = ""
        with file.open("wb") as stream:
            stream.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-U", self.uuid, file], check=True)

    def connect(self) -> None:
        """Make the disk a block device of this computer."""
        line: list[str | Path] = ["losetup", "--find", "--show", self.file]
        self.device = subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()

    def disconnect(self) -> None:
        """Remove the block device; it fails if the file system is still mounted somewhere."""
        if self.device:
            subprocess.run(["losetup", "--detach", self.device], check=True)
            wait_for(self._is_free, f"the end of the use of {self.device}")
            self.device = ""

    def _is_free(self) -> bool:
        left = subprocess.run(["losetup", self.device], capture_output=True, check=False)
        return bool(left.returncode) or str(self.file).encode() not in left.stdout


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Return a disk that is not connected."""
    disk = Disk(tmp_path / "disk.img")
    yield disk
    disk.disconnect()


def call(desktop: Desktop, *words: str, code: int = 0, prefix: Sequence[str] = ()) -> dict[str, Any]:
    """Run the program, below another one if there is a prefix, and return its JSON object."""
    line = [*prefix, *command(*words, "--json", "--configuration", str(desktop.file))]
    done = subprocess.run(line, env=child_environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_disk_is_absent_as_soon_as_it_is_disconnected(disk: Disk) -> None:
    disk.connect()
    assert media.device_of(NAME, disk.uuid) == disk.device
    disk.disconnect()
    with pytest.raises(NotConnectedError):
        media.device_of(NAME, disk.uuid)


def test_a_disk_is_mounted_only_while_it_is_used(desktop: Desktop, disk: Disk) -> None:
    desktop.write_settings(copies={NAME: {"disk": disk.uuid, "retention": {"last": 9}}})
    made = desktop.run().id
    assert call(desktop, "copy", "--dry-run")["copies"][0]["absent_since"]
    assert not call(desktop, "list")["copies"][NAME]
    absent = call(desktop, "copy")
    assert absent["copies"][0]["absent_since"] and not absent["changed"]
    again = call(desktop, "copy")
    assert again["copies"][0]["absent_since"] == absent["copies"][0]["absent_since"]
    for words in (["copy", NAME], ["list", "--copy", NAME], ["init", "--copy", NAME]):
        error = call(desktop, *words, code=20)["error"]
        assert (error["kind"], disk.uuid in error["found"]) == ("NotConnectedError", True)
    assert "not connected since" in call(desktop, "list")["text"]

    disk.connect()
    assert "run the site playbook" in call(desktop, "copy", code=10)["error"]["message"].lower()
    desktop.write_settings(copy_ids={NAME: call(desktop, "init", "--copy", NAME)["repository_id"]})
    copied = call(desktop, "copy")
    assert (copied["copies"][0]["copied"], copied["copies"][0]["absent_since"]) == ([made], None)
    assert [mark["id"] for mark in call(desktop, "list", "--copy", NAME)["backups"]] == [made]
    assert call(desktop, "verify", "--copy", NAME)["backups"] == [made]
    assert disk.device not in Path("/proc/self/mountinfo").read_text()
    disk.disconnect()  # succeeds only if nothing uses it
    assert call(desktop, "copy")["copies"][0]["absent_since"]
    assert call(desktop, "list")["copies"][NAME]["backups"] == 1


@pytest.mark.disaster
def test_a_killed_copy_leaves_no_mount(desktop: Desktop, disk: Disk) -> None:
    desktop.write_settings(copies={NAME: {"disk": disk.uuid, "retention": {"last": 9}}})
    made = desktop.run().id
    disk.connect()
    desktop.write_settings(copy_ids={NAME: call(desktop, "init", "--copy", NAME)["repository_id"]})
    started = desktop.folder / "started"
    real = wrap(desktop, "copy", before=f"touch {started}; exec sleep 60")
    line = command("copy", "--configuration", str(desktop.file))
    process = subprocess.Popen(line, env=child_environment(), start_new_session=True, stderr=subprocess.DEVNULL)
    while not started.exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    disk.disconnect()
    desktop.write_settings(restic=real)
    disk.connect()
    assert call(desktop, "copy", NAME)["copies"][0]["copied"] == [made]


def test_a_damaged_file_system_is_named(desktop: Desktop, disk: Disk) -> None:
    desktop.write_settings(copies={NAME: {"disk": disk.uuid, "retention": {"last": 9}}}, copy_ids={NAME: "0" * 64})
    desktop.run()
    with disk.file.open("r+b") as stream:
        stream.seek(1024 + 0x4)  # the number of blocks in the superblock
        stream.write(b"\xff" * 4)
    disk.connect()
    error = call(desktop, "copy", code=20)["error"]
    assert disk.device in error["subject"] and "fsck" in error["next_step"]
    # Without the right to mount, nothing is mounted for all processes instead.
    unprivileged = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"]
    assert "mount namespace" in call(desktop, "copy", code=1, prefix=unprivileged)["error"]["message"]
