# SPDX-License-Identifier: GPL-3.0-or-later
"""Staged files: rewritten only where their bytes differ, with fixed modes, whatever a killed run has left."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tars_backup.components.staging import StagedFile, Staging

BLOCKS = st.lists(st.binary(max_size=6), max_size=5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "component"


@pytest.fixture
def permissive_umask() -> Iterator[None]:
    before = os.umask(0o000)
    yield
    os.umask(before)


def stage(folder: Path, files: dict[str, bytes]) -> Staging:
    staging = Staging(folder)
    for name, content in files.items():
        staging.write(name, content)
    staging.finish()
    return staging


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@given(old=st.none() | st.binary(max_size=12), blocks=BLOCKS)
def test_any_bytes_over_any_other(
    tmp_path_factory: pytest.TempPathFactory, old: bytes | None, blocks: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("staging") / "file"
    if old is not None:
        path.write_bytes(old)
        inode = path.stat().st_ino
    file, content = StagedFile(path), b"".join(blocks)
    for block in blocks:
        file.write(block)
    assert file.close() == hashlib.sha256(content).hexdigest()
    assert file.size == len(content)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]
    if old is not None:
        assert (path.stat().st_ino == inode) is (old == content)


def test_unchanged_files_keep_inode_and_times(folder: Path) -> None:
    stage(folder, {"a": b"1", "b/c": b"2"})
    before = {path: path.stat() for path in (folder / "a", folder / "b/c", folder / "b", folder)}
    stage(folder, {"a": b"1", "b/c": b"2"})
    for path, status in before.items():
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (status.st_ino, status.st_mtime_ns)
        # restic reads a file again whose inode was changed, if only by setting the mode that it has.
        assert path.is_dir() or path.stat().st_ctime_ns == status.st_ctime_ns


def test_digests_and_size(folder: Path) -> None:
    staging = stage(folder, {"a": b"1", "b/c": b"22"})
    assert staging.size == 3
    assert staging.digests == {"a": hashlib.sha256(b"1").hexdigest(), "b/c": hashlib.sha256(b"22").hexdigest()}
    assert Staging(folder).copy("a", io.BytesIO(b"1")) == staging.digests["a"]


def test_altered(folder: Path) -> None:
    staging = stage(folder, {name: b"1" for name in ("a", "b", "c", "d/e", "d/f")})
    assert staging.altered() == []
    (folder / "a").write_bytes(b"2")
    os.utime(folder / "b")
    (folder / "d/e").unlink()
    (folder / "d/f").unlink()
    (folder / "d/f").write_bytes(b"1")
    (folder / "g").symlink_to("d")
    (folder / "h").mkdir()
    os.mkfifo(folder / "h/i")
    assert staging.altered() == ["a", "b", "d/e", "d/f", "g", "h/i"]


def test_what_is_not_written_again_is_removed(folder: Path) -> None:
    stage(folder, {"a": b"1", "b/c": b"2", "d/e/f": b"3"})
    stage(folder, {"d/g": b"4"})
    assert contents(folder) == {"d/g": b"4"}
    assert sorted(path.name for path in folder.rglob("*")) == ["d", "g"]


@pytest.mark.usefixtures("permissive_umask")
def test_modes_do_not_depend_on_the_umask(folder: Path) -> None:
    stage(folder, {"a": b"1", "b/c": b"2"})
    (folder / "a").chmod(0o644)
    (folder / "b").chmod(0o777)
    stage(folder, {"a": b"1", "b/c": b"2"})
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder / "a", folder / "b/c")} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "b")} == {0o700}


def test_a_failure_leaves_the_old_file(folder: Path) -> None:
    stage(folder, {"a": b"old"})
    staging = Staging(folder)
    with pytest.raises(RuntimeError), staging.file("a") as file:
        file.write(b"new")
        raise RuntimeError
    assert contents(folder) == {"a": b"old"}
    assert staging.digests == {}
    with pytest.raises(RuntimeError), staging.file("a") as file:
        raise RuntimeError
    assert contents(folder) == {"a": b"old"}


def test_full_disk_leaves_the_old_file(folder: Path) -> None:
    """/dev/full refuses every byte, as a disk without space; the error comes when the buffer is written."""
    stage(folder, {"a": b"old"})
    real = os.fdopen

    def full(descriptor: int, mode: str, buffering: int) -> IO[bytes]:
        os.close(descriptor)
        return real(os.open("/dev/full", os.O_WRONLY), mode, buffering)

    with (
        mock.patch("tars_backup.components.staging.os.fdopen", full),
        mock.patch("tars_backup.components.staging.os.fchmod"),
    ):
        with pytest.raises(OSError, match="No space left"):
            Staging(folder).write("a", b"new")
        with pytest.raises(OSError, match="No space left"):
            Staging(folder).write("b", b"new")
    assert contents(folder) == {"a": b"old"}


class TestLitter:
    """What a killed run, or somebody else, has left in the folder."""

    def test_half_written_file(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "a.being-written").write_bytes(b"half")
        (folder / "a.being-written").chmod(0o400)
        stage(folder, {"a": b"1"})
        assert contents(folder) == {"a": b"1"}

    def test_folder_in_place_of_a_file(self, folder: Path) -> None:
        stage(folder, {"a/b": b"1", "c.being-written/d": b"1"})
        stage(folder, {"a": b"2", "c": b"2"})
        assert contents(folder) == {"a": b"2", "c": b"2"}

    def test_file_in_place_of_a_folder(self, folder: Path) -> None:
        stage(folder, {"a": b"1"})
        stage(folder, {"a/b": b"2"})
        assert contents(folder) == {"a/b": b"2"}

    def test_links_are_not_followed(self, folder: Path, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "kept").write_bytes(b"kept")
        folder.mkdir()
        (folder / "a").symlink_to(outside / "kept")
        (folder / "b").symlink_to(outside)
        (folder / "c").symlink_to(outside)
        os.link(outside / "kept", folder / "d")
        stage(folder, {"a": b"1", "b/kept": b"2", "d": b"3"})
        assert contents(folder) == {"a": b"1", "b/kept": b"2", "d": b"3"}
        assert contents(outside) == {"kept": b"kept"}

    def test_file_in_place_of_the_whole_folder(self, folder: Path) -> None:
        folder.write_bytes(b"litter")
        stage(folder, {"a": b"1"})
        assert contents(folder) == {"a": b"1"}

    def test_pipe(self, folder: Path) -> None:
        folder.mkdir()
        os.mkfifo(folder / "a")
        os.mkfifo(folder / "b")
        stage(folder, {"a": b"1"})
        assert [path.name for path in folder.iterdir()] == ["a"]


@pytest.mark.parametrize("name", ["/a", "../a", "a/../../b", "a//b", "a/", "./a", "a"])
def test_invalid_names(folder: Path, name: str) -> None:
    staging = Staging(folder)
    staging.write("a", b"")
    with pytest.raises(ValueError, match="expected a new relative path"):
        staging.write(name, b"")
