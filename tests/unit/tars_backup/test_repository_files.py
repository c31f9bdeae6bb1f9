# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in and beside the repository: reading them back in parts, and marks that are not what was written."""

from __future__ import annotations

import datetime
import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tars_backup import destination, files
from tars_backup.configuration import Configuration
from tars_backup.deadline import Deadline
from tars_backup.errors import DestinationError
from tars_backup.instants import UTC
from tars_backup.manifest import Mark, mark_document
from tars_backup.repository import marks, packs

MARK = Mark("20261130T010203Z-0badcafe", datetime.datetime(2026, 11, 30, 1, 2, 3, tzinfo=UTC), "c", "m")


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ({}, []),
        ({"a": 1, "b": 2}, [["a", "b"]]),
        ({"a": 300 << 20, "b": 1, "c": 256 << 20, "d": 1}, [["a"], ["b", "c"], ["d"]]),
        ({f"{number:04d}": 1 for number in range(4001)}, [2000, 2000, 1]),
    ],
    ids=["none", "small", "large", "many"],
)
def test_batches(sizes: dict[str, int], batches: list[list[str] | int]) -> None:
    """A batch has its own time limit: a share that stops answering ends it."""
    result = list(packs._batches(sizes))
    assert [
        batch if isinstance(expected, list) else len(batch) for batch, expected in zip(result, batches, strict=True)
    ] == batches
    assert [name for batch in result for name in batch] == sorted(sizes)


def test_files_that_are_absent_or_have_other_bytes(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    names = [f"data/{hashlib.sha256(content).hexdigest()}" for content in (b"good", b"damaged", b"absent")]
    (tmp_path / names[0]).write_bytes(b"good")
    (tmp_path / names[1]).write_bytes(b"Damaged")
    (tmp_path / "data/tmp-1").write_bytes(b"x")
    assert packs.sizes(tmp_path) == {names[0]: 4, names[1]: 7}
    problems = packs.damaged(tmp_path, dict.fromkeys(names, 7), Deadline(60))
    assert sorted(problems) == sorted(
        [
            f"{names[1]}: its bytes do not have the SHA-256 of its name",
            f"{names[2]}: No such file or directory",
        ]
    )


def test_marks_that_are_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "good"
    assert marks.read(folder) == ({}, [])
    marks.write(folder, MARK)
    (folder / "half.json").write_text('{"half')
    (folder / "renamed.json").write_text(json.dumps(mark_document(MARK)))
    (folder / "folder.json").mkdir()
    assert marks.read(folder) == ({MARK.id: MARK}, ["folder.json", "half.json", "renamed.json"])
    marks.remove(folder, [MARK.id, "unknown"])
    assert marks.read(folder)[0] == {}


def test_removed_ids(tmp_path: Path) -> None:
    folder = tmp_path / "good"
    assert marks.removed(folder) == []
    marks.record_removed(folder, ["b", "a"])
    assert marks.removed(folder) == ["a", "b"]
    for text in ("{}", "[1"):
        (folder / "removed").write_text(text)
        assert marks.removed(folder) == []


def test_share_that_returns_other_bytes_than_those_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = files.write
    monkeypatch.setattr(files, "write", lambda path, content: original(path, content[:-1]))
    with pytest.raises(DestinationError, match="other bytes than those written"):
        marks.write(tmp_path / "good", MARK)
    configuration = SimpleNamespace(server=None, repository=tmp_path / "repository", free_mib=1)
    with pytest.raises(DestinationError, match="other bytes than those written"):
        destination.check_writable(cast(Configuration, configuration))
