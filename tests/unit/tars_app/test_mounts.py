# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tars_app.adapters.mounts import (
    FileStatus,
    ShareUnavailableError,
    find_shares,
    fingerprint,
    is_document,
    list_share,
    open_beneath,
    read_file,
)


def put(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)


def test_documents_are_found_and_the_rest_is_left_alone(tmp_path: Path) -> None:
    wanted = {"a.txt", "B.PDF", "deep/er/notes.md", "deep/with space.markdown"}
    put(tmp_path, *wanted)
    put(
        tmp_path,
        ".hidden.txt",
        ".hidden/a.txt",
        "@eaDir/a.txt",
        "deep/@eaDir/b.pdf/SYNO.txt",
        "#recycle/old.txt",
        "#snapshot/GMT-1/a.txt",
        "~$lock.txt",
        "half.pdf.part",
        "half.txt.tmp",
        "draft.txt~",
        "film.mkv",
        "nosuffix",
    )
    assert list_share(tmp_path, require_mount=False).files.keys() == wanted


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret, share = tmp_path / "secret", tmp_path / "share"
    put(secret, "a.txt")
    put(share, "real.txt")
    (share / "folder").symlink_to(secret)
    (share / "link.txt").symlink_to(secret / "a.txt")
    os.mkfifo(share / "pipe.txt")
    assert list_share(share, require_mount=False).files.keys() == {"real.txt"}


def test_a_file_that_became_a_link_out_is_not_read(tmp_path: Path) -> None:
    secret, share = tmp_path / "secret", tmp_path / "share"
    put(secret, "a.txt")
    share.mkdir()
    (share / "link.txt").symlink_to(secret / "a.txt")
    (share / "folder").symlink_to(secret)
    os.mkfifo(share / "pipe.txt")
    for path in ("link.txt", "folder/a.txt", "../secret/a.txt", "pipe.txt"):
        with pytest.raises(PermissionError), open_beneath(share, path):
            pass


def test_a_folder_that_is_not_mounted_is_unavailable_not_empty(tmp_path: Path) -> None:
    with pytest.raises(ShareUnavailableError, match="is not mounted"):
        list_share(tmp_path, require_mount=True)
    with pytest.raises(ShareUnavailableError, match="No such file"):
        list_share(tmp_path / "gone", require_mount=False)


def test_a_mounted_folder_is_read() -> None:
    assert list_share(Path("/dev/shm"), require_mount=True).unreadable == {}


def test_sources_are_the_folders_of_the_roots(tmp_path: Path) -> None:
    put(tmp_path, "one/LLM_docs/a.txt", "one/@eaDir/x.txt", "one/file.txt", "two/LLM_docs/a.txt", "two/Letters/b.txt")
    shares = {"LLM_docs": tmp_path / "one/LLM_docs", "Letters": tmp_path / "two/Letters"}
    assert find_shares([tmp_path / "one", tmp_path / "two"]) == (shares, [])
    problem = f"{tmp_path}/none: No such file or directory"
    assert find_shares([tmp_path / "one", tmp_path / "none", tmp_path / "two"]) == (shares, [problem])


def test_a_name_that_is_not_text_is_skipped(tmp_path: Path) -> None:
    put(tmp_path, "good.txt")
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.txt"))).write_text("x")
    assert list_share(tmp_path, require_mount=False).files.keys() == {"good.txt"}
    assert not is_document("bad\udcff.txt")


def test_fingerprint_is_size_time_and_sha256(tmp_path: Path) -> None:
    put(tmp_path, "a.txt")
    os.utime(tmp_path / "a.txt", ns=(5, 1_700_000_000_123_456_789))
    assert fingerprint(tmp_path, "a.txt") == (
        FileStatus(5, 1_700_000_000_123_456_789),
        hashlib.sha256(b"a.txt").hexdigest(),
    )


def test_reading_stops_one_byte_past_the_limit(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 100)
    assert len(read_file(tmp_path, "a.txt", 10)) == 11
    assert len(read_file(tmp_path, "a.txt", 1000)) == 100
