# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares that are absent, wrong, full, read-only, stale or silent: an error in seconds, nothing written elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tars_backup import destination, processes, restic

from ..desktop import Desktop, child_environment, command
from ..namespace import Namespace

pytestmark = pytest.mark.integration


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """Return a mount namespace."""
    opened = Namespace()
    yield opened
    opened.close()


def use_in(namespace: Namespace, desktop: Desktop, template: Path) -> None:
    """Put the repository on the mounted share, and a document on the desktop."""
    namespace.run("cp", "-r", template, desktop.repository)
    desktop.write_settings(repository_id=namespace_id(desktop, template))
    (desktop.documents / "bill.txt").write_text("The bill of March is 42 euros.\n")


def namespace_id(desktop: Desktop, template: Path) -> str:
    """Return the id of the template repository."""
    twin = Desktop(desktop.folder / "twin", Path(desktop.settings["restic"]))
    twin.use(template)
    name = str(twin.settings["repository_id"])
    shutil.rmtree(twin.folder)
    return name


def test_mount_table() -> None:
    text = (
        "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
        "40 22 0:44 / /srv/tars/back\\040up rw shared:9 master:3 - fuse.nfs4 10.0.0.2:/volume1/a\\134b rw,user_id=0\n"
    )
    assert destination.mounts(text) == [
        ("/", "ext4", "/dev/vda"),
        ("/srv/tars/back up", "fuse.nfs4", "10.0.0.2:/volume1/a\\b"),
    ]


def test_time_limits() -> None:
    """A silent share ends a command in half a minute, one that fails under restic or falls silent in a minute."""
    assert processes.ANSWER_S + processes.KILL_S < 30
    assert restic.RETRY_S + processes.KILL_S < 30
    assert restic.PROBE_S + processes.ANSWER_S + 2 * processes.KILL_S < 60


def test_absent_other_and_wrong_mounts(namespace: Namespace, bare: Desktop, template: Path) -> None:
    namespace.mount_tmpfs(bare)
    use_in(namespace, bare, template)
    assert namespace.call(bare, "run").result["changed"]
    # Another share on top, then another type, then none at all.
    namespace.run("mount", "-t", "tmpfs", "nas:/documents", bare.share)
    for verb in ("run", "listing", "verify", "prune", "init"):
        outcome = namespace.call(bare, verb)
        assert outcome.code == 20, outcome
        assert "found nas:/documents of type tmpfs; expected nas:/backup, mounted as tmpfs" in outcome.message
    assert namespace.run("ls", "-A", bare.share) == ""
    namespace.run("umount", bare.share)
    bare.write_settings(mount={**bare.settings["mount"], "types": ["nfs", "nfs4"]})
    assert "of type tmpfs; expected nas:/backup, mounted as nfs or nfs4" in namespace.call(bare, "run").message
    namespace.run("umount", bare.share)
    bare.write_settings(mount={**bare.settings["mount"], "types": ["tmpfs"]})
    for verb in ("run", "listing", "verify", "prune", "init"):
        outcome = namespace.call(bare, verb)
        assert outcome.code == 20
        assert f"{bare.share}: found not a mount point" in outcome.message
    assert list(bare.share.iterdir()) == []


def test_share_that_comes_back_with_the_desktop(namespace: Namespace, bare: Desktop, template: Path) -> None:
    """After standby, the timer starts a run before the NAS answers: one run, which is good."""
    namespace.mount_tmpfs(bare)
    use_in(namespace, bare, template)
    (bare.folder / "exported").mkdir()
    namespace.run("mount", "--move", bare.share, bare.folder / "exported")
    words = namespace.command(*command("run", "--wait", "180", "--json", "--configuration", bare.file))
    process = subprocess.Popen(words, env=child_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(1)
    assert process.poll() is None
    namespace.run("mount", "--move", bare.folder / "exported", bare.share)
    output, errors = process.communicate(timeout=180)
    # What follows needs services, which are not there.
    message = json.loads(output)["error"]["message"]
    assert "not a mount point" not in message and "staging" in errors.decode(), message
    namespace.run("umount", bare.share)
    start = time.monotonic()
    words = namespace.command(*command("run", "--wait", "2", "--json", "--configuration", bare.file))
    done = subprocess.run(words, env=child_environment(), capture_output=True, timeout=180)
    assert done.returncode == 20 and time.monotonic() - start > 2
    assert "not a mount point" in json.loads(done.stdout)["error"]["message"]


def test_read_only_share(namespace: Namespace, bare: Desktop, template: Path) -> None:
    namespace.mount_tmpfs(bare)
    use_in(namespace, bare, template)
    made = namespace.call(bare, "run").result
    (bare.documents / "new.txt").write_text("new")
    namespace.run("mount", "-o", "remount,ro", bare.share)
    outcome = namespace.call(bare, "run")
    assert outcome.code == 20, outcome
    assert "Read-only file system" in outcome.message
    assert [mark["id"] for mark in namespace.call(bare, "listing").result["backups"]] == [made["id"]]
    assert namespace.call(bare, "verify").result["backups"] == [made["id"]]
    assert namespace.call(bare, "prune").code == 20
    namespace.run("mount", "-o", "remount,rw", bare.share)
    assert namespace.call(bare, "run").result["changed"]


def test_share_that_fills_up_during_a_run(namespace: Namespace, bare: Desktop, template: Path) -> None:
    namespace.mount_tmpfs(bare)
    use_in(namespace, bare, template)
    made = namespace.call(bare, "run").result
    (bare.documents / "big").write_bytes(os.urandom(40 << 20))
    outcome = namespace.call(bare, "run")
    assert outcome.code == 20, outcome
    assert "no space left on device" in outcome.message
    listing = namespace.call(bare, "listing").result
    assert [mark["id"] for mark in listing["backups"]] == [made["id"]]
    # Full to the last byte: backups can be listed and verified, and the run is refused before it starts.
    namespace.run("sh", "-c", f"cat /dev/zero >{bare.share}/filler; test -s {bare.share}/filler")
    assert namespace.call(bare, "verify").result["backups"] == [made["id"]]
    assert namespace.call(bare, "run").code == 20
    assert namespace.call(bare, "prune").code == 20
    namespace.run("rm", f"{bare.share}/filler")
    (bare.documents / "big").write_bytes(b"small")
    outcome = namespace.call(bare, "run")
    assert outcome.result["changed"], outcome
    assert namespace.call(bare, "verify").code == 0
    assert namespace.call(bare, "prune").code == 0


def test_share_whose_quota_is_full_or_that_changes_no_modes(
    namespace: Namespace, bare: Desktop, template: Path
) -> None:
    """restic would repeat both for minutes; a backup can still be read."""
    control = namespace.mount_faulty(bare)
    use_in(namespace, bare, template)
    assert namespace.call(bare, "run").result["changed"]
    for words, message in (("ok EDQUOT", "Disk quota exceeded"), ("ok ok chmod=EOPNOTSUPP", "Operation not supported")):
        control.write_text(words)
        outcome = namespace.call(bare, "run")
        assert outcome.code == 20, outcome
        assert message in outcome.message and "Check the disk space and the permissions" in outcome.message, outcome
    assert namespace.call(bare, "verify").code == 0


@pytest.mark.parametrize(
    "error", ["ESTALE", *(pytest.param(name, marks=pytest.mark.steps) for name in ("EIO", "EACCES"))]
)
def test_share_whose_calls_fail(namespace: Namespace, bare: Desktop, template: Path, error: str) -> None:
    control = namespace.mount_faulty(bare)
    use_in(namespace, bare, template)
    assert namespace.call(bare, "run").result["changed"]
    control.write_text(f"{error} {error}")
    for verb in ("run", "listing", "verify"):
        outcome = namespace.call(bare, verb)
        assert outcome.code == 20, outcome
    control.write_text("ok ok")
    (bare.documents / "new.txt").write_text("new")
    assert namespace.call(bare, "run").result["changed"]


@pytest.mark.parametrize("error", ["EDQUOT", pytest.param("EROFS", marks=pytest.mark.steps)])
def test_share_that_takes_no_more_during_a_run(namespace: Namespace, bare: Desktop, template: Path, error: str) -> None:
    """It becomes read-only, or its quota is full. restic retries both for 15 minutes."""
    control = namespace.mount_faulty(bare)
    use_in(namespace, bare, template)
    (bare.documents / "big").write_bytes(os.urandom(64 << 20))
    control.write_text(f"ok {error} after={20 << 20}")
    outcome = namespace.call(bare, "run")
    assert outcome.code == 20, outcome
    control.write_text("ok ok")
    assert namespace.call(bare, "listing").result["backups"] == []
    assert namespace.call(bare, "run").result["changed"]
    assert namespace.call(bare, "verify").code == 0


@pytest.mark.parametrize(
    "verb", ["run", *(pytest.param(verb, marks=pytest.mark.steps) for verb in ("listing", "verify", "prune", "init"))]
)
def test_share_that_does_not_answer(namespace: Namespace, bare: Desktop, template: Path, verb: str) -> None:
    control = namespace.mount_faulty(bare)
    use_in(namespace, bare, template)
    control.write_text("hang hang")
    outcome = namespace.call(bare, verb)
    control.write_text("ok ok")
    assert outcome.code == 20, outcome
    assert "no answer within 4 s" in outcome.message


def test_share_that_stops_answering_during_a_run(namespace: Namespace, bare: Desktop, template: Path) -> None:
    control = namespace.mount_faulty(bare)
    use_in(namespace, bare, template)
    (bare.documents / "big").write_bytes(os.urandom(64 << 20))
    control.write_text(f"hang hang after={20 << 20}")
    outcome = namespace.call(bare, "run")
    control.write_text("ok ok")
    assert outcome.code == 20, outcome
    assert namespace.call(bare, "run").result["changed"]
    assert namespace.call(bare, "verify").code == 0
