# SPDX-License-Identifier: GPL-3.0-or-later
"""The traces that the tests compare before and after a lab: all that a lab can leave, and nothing else."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tars_lab import layout

from ...conftest import traces

pytestmark = pytest.mark.lab


@contextlib.contextmanager
def made(name: str, table: str, folder: Path) -> Iterator[None]:
    """Make a network namespace, a link, a table, a mount and a process; remove all of them at the end."""
    folder.mkdir(parents=True)
    with contextlib.ExitStack() as undo:
        undo.callback(folder.rmdir)
        for make, remove in (
            (["ip", "netns", "add", name], ["ip", "netns", "delete", name]),
            (["ip", "link", "add", name, "type", "bridge"], ["ip", "link", "delete", name]),
            (["nft", "add", "table", "ip", table], ["nft", "delete", "table", "ip", table]),
            (["mount", "-t", "tmpfs", "tmpfs", str(folder)], ["umount", str(folder)]),
        ):
            subprocess.run(make, check=True)
            undo.callback(subprocess.run, remove, check=True)
        process = undo.enter_context(
            subprocess.Popen(["tail", "--follow=name", "--retry", folder / "log"], stderr=subprocess.DEVNULL)
        )
        undo.callback(process.kill)
        yield


def test_traces_of_a_lab_are_found() -> None:
    before = traces()
    with made("tars-traces", "tars_lab_traces", layout.STATE.with_name("tars-lab-traces")):
        new = {kind: things - before[kind] for kind, things in traces().items()}
    assert [len(new[kind]) for kind in ("links", "tables", "processes")] == [1, 1, 1], new
    assert new["namespaces"] == {"tars-traces"}
    assert new["mounts"] == {"/run/netns/tars-traces", "/var/lib/tars-lab-traces"}
    assert traces() == before


def test_changes_by_other_programs_are_ignored(tmp_path: Path) -> None:
    before = traces()
    with made("other-traces", "other_traces", tmp_path / "other"):
        assert traces() == before
