# SPDX-License-Identifier: GPL-3.0-or-later
"""Both machines are lost, and with the NAS the backups: a copy on a disk brings them back.

The disk is a loop device of this computer, which the desktop's machine gets as a device file.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from ..conftest import INVENTORY, tars
from .conftest import AUTHORITY, eventually, host
from .test_story import ask, get, put, states
from .test_story_backup import stored

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.disaster, pytest.mark.usefixtures("provisioned")]

KAYAK = b"The kayak is stored in the rafters of the barn, according to note KY-4410.\n"
UUID = str(uuid4())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[str]:
    """Yield the device of a disk with an empty file system."""
    file = tmp_path / "disk.img"
    with file.open("wb") as stream:
        stream.truncate(2 << 30)
    subprocess.run(["mkfs.ext4", "-q", "-U", UUID, file], check=True)
    attach: list[str | Path] = ["losetup", "--find", "--show", file]
    device = subprocess.run(attach, check=True, capture_output=True, text=True).stdout.strip()
    yield device
    subprocess.run(["losetup", "--detach", device], check=True)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a copy of the household's folder whose spec names the disk."""
    folder = tmp_path / "site"
    shutil.copytree(INVENTORY.parent, folder)
    spec = folder / "tars.yml"
    spec.write_text(spec.read_text().replace("\nbackup:\n", f"\nbackup:\n  copies: {{cellar: {{disk: {UUID}}}}}\n"))
    return folder


def connect(device: str) -> None:
    """Connect the disk to the desktop."""
    number = device.removeprefix("/dev/loop")
    done = host("xps8950").run(f"mknod {device} b 7 {number}")
    assert done.rc == 0, done.stderr


def cited() -> list[str]:
    """Ask where the kayak is, and return the paths of the sources that state it."""
    sources = ask("Where is the kayak stored?")["sources"]["sources"]
    return [source["path"] for source in sources if "KY-4410" in json.dumps(source)]


def test_a_copy_on_a_disk_brings_back_what_both_machines_lost(site: Path, disk: str) -> None:
    assert host("client").run(f"cat > /root/tars-ca.pem <<'END'\n{AUTHORITY.read_text()}\nEND").rc == 0
    put("kayak.txt", KAYAK)
    eventually(lambda: states().get("kayak.txt") == "indexed")
    sources, rows = cited(), stored()
    assert sources == ["kayak.txt"]
    # The first run of the site meets no disk, the second one does.
    tars("site", "-i", str(site), "--limit", "xps8950")
    record = site / "recorded/backup.yml"
    assert "cellar" not in record.read_text()
    absent = json.loads(tars("backup", "copy", "-i", str(site), "--json").stdout)
    assert absent["copies"][0]["absent_since"], absent
    connect(disk)
    tars("site", "-i", str(site), "--limit", "xps8950")
    assert "cellar" in record.read_text()
    saved = json.loads(tars("backup", "run", "-i", str(site), "--json").stdout)["id"]
    pending = tars("backup", "copy", "-i", str(site), "--check", check=False)
    assert pending.returncode == 3, pending.stdout + pending.stderr
    # The unit that the timer starts copies what it has made.
    unit = host("xps8950").run("systemctl start tars-backup.service")
    assert unit.rc == 0, host("xps8950").run("journalctl --unit=tars-backup --lines=30").stdout
    listed = json.loads(tars("backup", "list", "--copy", "cellar", "-i", str(site), "--json").stdout)
    assert saved in [backup["id"] for backup in listed["backups"]]
    assert host("xps8950").run("findmnt /var/lib/tars/backup/disks/cellar").rc != 0, "the disk is still mounted"
    before = record.read_text()

    began = time.monotonic()
    for machine in ("xps8950", "ds1515plus"):
        tars("lab", "destroy", machine)
    tars("lab", "up")
    tars("init", "--trust-again", "--yes", "-i", str(site))
    tars("site", "-i", str(site))
    assert record.read_text() == before, "a new repository was created"
    connect(disk)
    brought = json.loads(tars("backup", "copy", "--from", "cellar", "-i", str(site), "--json").stdout)
    assert saved in brought["copied"] and not brought["lost"], brought
    restored = json.loads(tars("restore", "-i", str(site), "--json").stdout)
    assert (restored["id"], restored["changed"]) == (listed["backups"][-1]["id"], True), restored
    assert stored() == rows, "these rows are not those of the lost desktop"
    # The documents come from the household's own copy of them.
    put("kayak.txt", KAYAK)
    eventually(lambda: get("/ready")["ready"])
    eventually(lambda: cited() == sources)
    print(f"recovered in {time.monotonic() - began:.0f} s")
    tars("verify", "-i", str(site))
    again = json.loads(tars("backup", "run", "-i", str(site), "--json").stdout)
    assert not again["warnings"], again
