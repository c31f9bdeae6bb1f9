# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tars_app.adapters import mounts
from tars_app.adapters.mounts import (
    FileStatus,
    ShareUnavailableError,
    find_shares,
    fingerprint,
    list_share,
    open_beneath,
    read_file,
)

from ...waiting import wait_for


def put(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)


def test_documents_are_found_and_the_rest_is_left_alone(tmp_path: Path) -> None:
    wanted = {"a.txt", "B.PDF", "deep/er/notes.md", "deep/with space.markdown", "#12 Rechnung.txt", "@home/wifi.txt"}
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
    listing = list_share(tmp_path, require_mount=False)
    assert listing.files.keys() == wanted
    assert listing.ignored == {
        ".hidden.txt": "hidden",
        ".hidden": "hidden",
        "@eaDir": "system",
        "deep/@eaDir": "system",
        "#recycle": "system",
        "#snapshot": "system",
        "~$lock.txt": "temporary",
        "half.pdf.part": "temporary",
        "half.txt.tmp": "temporary",
        "draft.txt~": "temporary",
        "film.mkv": "format",
        "nosuffix": "format",
    }


@pytest.mark.parametrize(
    "name",
    ["@tmp", "@sharebin", "@SynoResource", "@SynoEAStream", ".DS_Store", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN"],
)
def test_names_of_systems_are_ignored_as_files_and_as_folders_but_not_as_parts(tmp_path: Path, name: str) -> None:
    put(tmp_path, f"a/{name}", f"b/{name}/x.txt", f"c/x{name} 1.txt")
    listing = list_share(tmp_path, require_mount=False)
    assert listing.files.keys() == {f"c/x{name} 1.txt"}
    assert listing.ignored == {f"a/{name}": "system", f"b/{name}": "system"}


def test_ignored_entries_beyond_the_limit_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "MOST_IGNORED", 3)
    put(tmp_path, *(f"{number}.mkv" for number in range(5)), "a.txt")
    listing = list_share(tmp_path, require_mount=False)
    assert (len(listing.ignored), listing.more_ignored, list(listing.files)) == (3, 2, ["a.txt"])


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret, share = tmp_path / "secret", tmp_path / "share"
    put(secret, "a.txt")
    put(share, "real.txt")
    (share / "folder").symlink_to(secret)
    (share / "link.txt").symlink_to(secret / "a.txt")
    os.mkfifo(share / "pipe.txt")
    listing = list_share(share, require_mount=False)
    assert listing.files.keys() == {"real.txt"}
    assert listing.ignored == {"folder": "link", "link.txt": "link", "pipe.txt": "special"}


def test_a_folder_that_contains_itself_ends(tmp_path: Path) -> None:
    put(tmp_path, "a/b/letter.txt")
    (tmp_path / "a/b/loop").mkdir()
    # In a mount namespace of its own, which ends with the process.
    script = "import sys; sys.path.insert(0, 'app'); from pathlib import Path; from tars_app.adapters.mounts import *\n"
    script += f"listing = list_share(Path({str(tmp_path)!r}), require_mount=False)\n"
    script += "print(sorted(listing.files), listing.ignored)"
    bind = f'mount --bind {tmp_path}/a {tmp_path}/a/b/loop && exec {sys.executable} -c "$SCRIPT"'
    unshare = ["unshare", "--mount", "--map-root-user", "--user"] if os.getuid() else ["unshare", "--mount"]
    done = subprocess.run(
        [*unshare, "sh", "-c", bind], capture_output=True, text=True, cwd=Path(__file__).parents[3],
        env={**os.environ, "SCRIPT": script}, check=False,
    )  # fmt: skip
    assert done.stdout == "['a/b/letter.txt'] {'a/b/loop': 'loop'}\n", done.stderr


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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"bad\xff.txt", r"bad\xff.txt"),
        (b"two\nlines.txt", r"two\x0alines.txt"),
        (rb"odd\xff.txt", r"odd\x5cxff.txt"),
        (b"x" * 251 + b".txt", "x" * 251 + ".txt"),
    ],
)
def test_every_name_is_listed_as_text_and_opened_by_its_bytes(tmp_path: Path, name: bytes, text: str) -> None:
    folder = os.fsencode(tmp_path) + b"/f\xe4"
    os.mkdir(folder)
    Path(os.fsdecode(folder + b"/" + name)).write_text("content")
    path = rf"f\xe4/{text}"
    assert list_share(tmp_path, require_mount=False).files.keys() == {path}
    assert read_file(tmp_path, path, 100) == b"content"
    assert fingerprint(tmp_path, path) is not None


def test_names_that_differ_in_how_accents_are_written_are_two_files(tmp_path: Path) -> None:
    put(tmp_path, "Mu\u0308ller.txt", "M\u00fcller.txt")
    assert list_share(tmp_path, require_mount=False).files.keys() == {"Mu\u0308ller.txt", "M\u00fcller.txt"}
    assert read_file(tmp_path, "Mu\u0308ller.txt", 100) != read_file(tmp_path, "M\u00fcller.txt", 100)


def test_a_share_whose_name_is_not_text_is_reported(tmp_path: Path) -> None:
    os.mkdir(os.fsencode(tmp_path) + b"/bad\xff")
    put(tmp_path, "LLM_docs/a.txt")
    shares, [problem] = find_shares([tmp_path])
    assert list(shares) == ["LLM_docs"] and problem.startswith(rf"{tmp_path}/bad\xff: the name of a share")


def test_a_change_that_keeps_size_and_time_changes_the_change_time(tmp_path: Path) -> None:
    put(tmp_path, "a.txt")
    before = list_share(tmp_path, require_mount=False).files["a.txt"]
    times = (tmp_path / "a.txt").stat()

    def now_ns() -> int:
        """The time of the file system, which many kernels advance every 4 ms only."""
        (tmp_path / "clock").touch()
        return (tmp_path / "clock").stat().st_ctime_ns

    wait_for(lambda: now_ns() > before.ctime_ns, "another time of the file system")
    (tmp_path / "a.txt").write_text("b.txt")
    os.utime(tmp_path / "a.txt", ns=(times.st_atime_ns, times.st_mtime_ns))
    after = list_share(tmp_path, require_mount=False).files["a.txt"]
    assert after == before and after.ctime_ns > before.ctime_ns


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
