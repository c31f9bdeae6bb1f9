# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents that are added by the API: saved on the share, read at once, and refused with a reason."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ..conftest import Server, Stack, free_port, get_ok, wait_for
from ..helpers import wait_for_state, wait_until_gone

pytestmark = pytest.mark.integration

PLACE = "LLM_docs/Incoming"
BINARY = {"Content-Type": "application/octet-stream"}


@contextmanager
def serving(stack: Stack, log: Path, folder: Path, **settings: str) -> Iterator[str]:
    """Start the application with a folder for uploads; yield its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    given = {"TARS_PORT": str(port), "TARS_UPLOADS": str(folder), "TARS_UPLOADS_PLACE": PLACE, **settings}
    command = [sys.executable, "-m", "tars_app", "serve"]
    server = Server(command, log, lambda: get_ok(f"{url}/health"), stack.settings | given)
    server.start()
    try:
        yield url
    finally:
        server.stop()


@pytest.fixture(scope="module")
def folder(stack: Stack) -> Path:
    folder = stack.share / "Incoming"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def url(stack: Stack, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(stack, tmp_path_factory.mktemp("serve") / "log", folder) as url:
        yield url


def post(url: str, name: str, content: Any, headers: dict[str, str] = BINARY) -> httpx.Response:
    target = f"{url}/api/uploads"
    return httpx.post(target, params={"name": name}, content=content, headers=headers, timeout=60, trust_env=False)


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.json()["next_step"]
    return answer.status_code, answer.json()["code"]


@contextmanager
def small(folder: Path, *options: str) -> Iterator[Path]:
    """Mount a file system of 66 MiB."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(["size=66m", *options]), "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_document_that_is_added_is_read_before_the_next_scan_is_due(stack: Stack, url: str, tmp_path: Path) -> None:
    stack.worker.stop()
    command = [sys.executable, "-m", "tars_app", "worker"]
    rare = {"TARS_SCAN_INTERVAL_S": "86400", "TARS_HEARTBEAT": str(tmp_path / "heartbeat")}
    worker = Server(command, tmp_path / "worker.log", (tmp_path / "heartbeat").exists, stack.settings | rare)
    stack.sql("DELETE FROM volatile.scans RETURNING 1")
    worker.start()
    try:
        scanned = "SELECT 1 FROM volatile.scans WHERE source = 'LLM_docs'"
        wait_for(lambda: stack.sql(scanned) == [(1,)], "the first scan")
        answer = post(url, "loft ladder.txt", b"The loft ladder is lent to the neighbours.")
        assert answer.status_code == 201
        assert (answer.json()["file"], answer.json()["name"]) == (f"{PLACE}/loft ladder.txt", "loft ladder.txt")
        wait_for_state(stack, "Incoming/loft ladder.txt", "indexed")
    finally:
        worker.stop()
        stack.worker.start()
    assert [file["path"] for file in stack.get("/api/library/files", folder=PLACE)["files"]] == [
        "Incoming/loft ladder.txt"
    ]


def test_the_page_learns_where_documents_are_added(stack: Stack, url: str) -> None:
    answer = httpx.get(f"{url}/api/uploads", trust_env=False).json()
    assert answer == {"place": PLACE, "max_bytes": 1_000_000}
    assert stack.get("/api/uploads")["place"] is None
    assert code(post(stack.url, "a.txt", b"x")) == (404, "no_uploads")


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""]
)
def test_another_page_cannot_add_a_document_by_a_form(url: str, folder: Path, kind: str) -> None:
    """A browser sends these from any page, without asking this application."""
    before = os.listdir(folder)
    assert code(post(url, "a.txt", b"x", {"Content-Type": kind} if kind else {})) == (415, "wrong_type")
    leave = httpx.options(
        f"{url}/api/uploads",
        headers={"Origin": "https://example.org", "Access-Control-Request-Method": "POST"},
        trust_env=False,
    )
    assert not [name for name in leave.headers if name.startswith("access-control-")]
    assert os.listdir(folder) == before


def test_what_is_refused_is_not_saved(url: str, folder: Path) -> None:
    before = os.listdir(folder)
    assert code(post(url, "film.mkv", b"x")) == (415, "unread_format")
    assert code(post(url, "../a.txt", b"x")) == (422, "unfit_name")
    assert code(post(url, "a\x00.txt", b"x")) == (422, "unfit_name")
    assert code(post(url, "a.txt", b"")) == (422, "empty_file")
    assert code(post(url, "a.txt", b"x" * 1_000_001)) == (413, "too_large")
    assert code(post(url, "a.txt", iter([b"x"]))) == (411, "no_length")
    assert post(url, "", b"x").status_code == 422
    assert os.listdir(folder) == before


def test_a_document_larger_than_other_requests_is_saved_whole(stack: Stack, url: str, folder: Path) -> None:
    content = b"The cellar is dry. " * 50_000
    assert post(url, "cellar.txt", content).status_code == 201
    assert (folder / "cellar.txt").read_bytes() == content
    (folder / "cellar.txt").unlink()
    wait_until_gone(stack, "Incoming/cellar.txt")


def test_a_sender_that_leaves_leaves_nothing(url: str, folder: Path) -> None:
    before = os.listdir(folder)

    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        wait_for(lambda: len(os.listdir(folder)) > len(before), "the first part")
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        post(url, "a.txt", broken(), BINARY | {"Content-Length": "200000"})
    wait_for(lambda: os.listdir(folder) == before, "the part to be removed")


def test_a_full_and_a_read_only_share_are_explained(stack: Stack, tmp_path: Path) -> None:
    with small(tmp_path / "full") as full, serving(stack, tmp_path / "log", full, TARS_REQUIRE_MOUNT="true") as url:
        assert post(url, "a.txt", b"x" * 1000).status_code == 201
        (full / "other").write_bytes(b"x" * 2**21)
        assert code(post(url, "a.txt", b"x" * 2**19)) == (507, "no_space")
        (full / "other").unlink()

        # Another program takes the space while the document arrives.
        def filling() -> Iterator[bytes]:
            yield b"x" * 1000
            wait_for(lambda: len(os.listdir(full)) == 2, "the first part")
            subprocess.run(["dd", "if=/dev/zero", f"of={full}/other", "bs=1M"], capture_output=True)
            yield b"x" * 499_000

        assert code(post(url, "b.txt", filling(), BINARY | {"Content-Length": "500000"})) == (507, "no_space")
        (full / "other").unlink()
        assert os.listdir(full) == ["a.txt"]
        subprocess.run(["mount", "-o", "remount,ro", full], check=True)
        answer = post(url, "a.txt", b"x")
        assert code(answer) == (503, "folder_unavailable")
        assert "cannot be written to: Read-only file system" in answer.json()["message"]
    with serving(stack, tmp_path / "log", full, TARS_REQUIRE_MOUNT="true") as url:
        assert code(post(url, "a.txt", b"x")) == (503, "folder_unavailable"), "it is not mounted"
