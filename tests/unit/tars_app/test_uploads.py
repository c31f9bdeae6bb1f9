# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents that are added: their names, and a file that arrives, or does not."""

from __future__ import annotations

import asyncio
import os
import time
import unicodedata
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from tars_app.adapters.ignored_names import TEMPORARY, ignored_because
from tars_app.kit.errors import RefusedError
from tars_app.settings import Settings
from tars_app.uploads import service
from tars_app.uploads.names import candidates, fit
from tars_app.uploads.service import Uploads


def uploads(folder: Path | None, **settings: object) -> Uploads:
    more = {"require_mount": False, "max_file_bytes": 1000, **settings}
    return Uploads(Settings(chat_model="a", embedding_model="b", uploads=folder, uploads_place="docs/in", **more))  # type: ignore[arg-type]  # of various types


async def stream(blocks: Iterable[bytes | Exception]) -> AsyncIterator[bytes]:
    for block in blocks:
        if isinstance(block, Exception):
            raise block
        yield block


def add(to: Uploads, name: str, *blocks: bytes | Exception) -> str:
    length = sum(len(block) for block in blocks if isinstance(block, bytes))
    return asyncio.run(to.receive(name, length, stream(blocks)))


def refusal(to: Uploads, name: str, *blocks: bytes | Exception) -> tuple[str, int]:
    with pytest.raises(RefusedError) as caught:
        add(to, name, *blocks)
    assert caught.value.next_step
    return caught.value.code, caught.value.status


def test_a_document_is_saved_whole_under_its_name(tmp_path: Path) -> None:
    assert add(uploads(tmp_path), "letter.txt", b"Dear ", b"aunt,") == "letter.txt"
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"letter.txt": b"Dear aunt,"}


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("the first")
    (tmp_path / "letter (2).txt").mkdir()
    assert add(uploads(tmp_path), "letter.txt", b"another") == "letter (3).txt"
    assert (tmp_path / "letter.txt").read_text() == "the first"
    assert (tmp_path / "letter (3).txt").read_text() == "another"


def test_several_documents_of_one_name_arrive_at_a_time(tmp_path: Path) -> None:
    to = uploads(tmp_path)

    async def several() -> list[str]:
        parts = [to.receive("letter.txt", 2, stream([b"%d" % number, b"."])) for number in range(5)]
        return await asyncio.gather(*parts)

    names = asyncio.run(several())
    assert len(set(names)) == 5
    assert sorted((tmp_path / name).read_text() for name in names) == ["0.", "1.", "2.", "3.", "4."]


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("Brief an Müller.pdf", "Brief an Müller.pdf"),
        (unicodedata.normalize("NFD", "Müller.pdf"), "Müller.pdf"),
        (" letter.PDF ", "letter.PDF"),
        ("#12 Rechnung.txt", "#12 Rechnung.txt"),
        ("a\u202fb.txt", "a\u202fb.txt"),
    ],
)
def test_names_are_composed(name: str, saved: str) -> None:
    assert fit(name) == saved


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../../etc/passwd.txt", "unfit_name"),
        ("a/b.txt", "unfit_name"),
        ("a\\b.txt", "unfit_name"),
        ("..", "unfit_name"),
        (".", "unfit_name"),
        ("  ", "unfit_name"),
        ("a\x00.txt", "unfit_name"),
        ("a\nb.txt", "unfit_name"),
        ("a\udc80.txt", "unfit_name"),
        (".hidden.txt", "unfit_name"),
        ("~$letter.docx", "unfit_name"),
        ("@eaDir", "unfit_name"),
        ("#recycle", "unfit_name"),
        ("ä" * 120 + ".txt", "unfit_name"),
        ("film.mkv", "unread_format"),
        ("letter", "unread_format"),
        ("letter.txt.", "unread_format"),
    ],
)
def test_what_would_not_be_read_is_refused(tmp_path: Path, name: str, code: str) -> None:
    assert refusal(uploads(tmp_path), name, b"x")[0] == code
    assert list(tmp_path.iterdir()) == []


@given(name=st.text(max_size=20), suffix=st.sampled_from([".txt", ".PDF", ".part", ""]))
def test_a_name_is_refused_or_names_a_file_that_is_read(name: str, suffix: str) -> None:
    try:
        fitted = fit(name + suffix)
    except RefusedError:
        return
    assert os.path.basename(fitted) == fitted and "\x00" not in fitted
    for candidate, _ in zip(candidates(fitted), range(3), strict=False):
        assert ignored_because(candidate) is None and len(os.fsencode(candidate)) < 255
        assert os.path.splitext(candidate)[1] == os.path.splitext(fitted)[1]


def test_what_is_not_whole_leaves_nothing(tmp_path: Path) -> None:
    assert refusal(uploads(tmp_path), "letter.txt", b"Dear ", ClientDisconnect()) == ("broken_off", 400)
    assert list(tmp_path.iterdir()) == []


def test_while_it_arrives_no_scan_reads_it(tmp_path: Path) -> None:
    async def arriving() -> AsyncIterator[bytes]:
        yield b"Dear "
        [file] = tmp_path.iterdir()
        assert ignored_because(file.name) == TEMPORARY and file.read_bytes() == b"Dear "
        yield b"aunt,"

    assert asyncio.run(uploads(tmp_path).receive("letter.txt", 10, arriving())) == "letter.txt"


def test_limits(tmp_path: Path) -> None:
    assert refusal(uploads(tmp_path), "a.txt", b"x" * 1001) == ("too_large", 413)
    assert refusal(uploads(tmp_path), "a.txt") == ("empty_file", 422)
    assert refusal(uploads(None), "a.txt", b"x") == ("no_uploads", 404)
    assert add(uploads(tmp_path), "a.txt", b"x" * 1000) == "a.txt"


def test_a_folder_with_too_many_files_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_FILES", 2)
    to = uploads(tmp_path)
    assert [add(to, "a.txt", b"x"), add(to, "a.txt", b"x")] == ["a.txt", "a (2).txt"]
    assert refusal(to, "a.txt", b"x") == ("no_space", 507)


def test_a_share_that_is_not_mounted_is_not_written_to(tmp_path: Path) -> None:
    assert refusal(uploads(tmp_path, require_mount=True), "a.txt", b"x") == ("folder_unavailable", 503)
    assert refusal(uploads(tmp_path / "absent"), "a.txt", b"x") == ("folder_unavailable", 503)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_request_is_read_to_its_end(tmp_path: Path) -> None:
    ended = []

    async def body() -> AsyncIterator[bytes]:
        yield b"x"
        ended.append(True)

    with pytest.raises(RefusedError):
        asyncio.run(uploads(tmp_path).receive("film.mkv", 1, body()))
    assert ended


def test_one_of_too_many_is_refused_and_the_others_arrive(tmp_path: Path) -> None:
    to = uploads(tmp_path)

    async def several() -> list[str | BaseException]:
        go_on = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"x"
            await go_on.wait()
            yield b"x"

        tasks = [asyncio.create_task(to.receive("a.txt", 2, slow())) for _ in range(service.MOST_AT_ONCE)]
        while len(os.listdir(tmp_path)) < service.MOST_AT_ONCE:
            await asyncio.sleep(0.01)
        with pytest.raises(RefusedError) as caught:
            await to.receive("a.txt", 1, stream([b"x"]))
        assert (caught.value.code, caught.value.status) == ("busy", 503)
        go_on.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert len(set(asyncio.run(several()))) == service.MOST_AT_ONCE
    assert add(to, "b.txt", b"x") == "b.txt"


def test_what_a_crash_has_left_is_removed_after_a_day(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (".tars-1.part", ".tars-2.part", "letter.part"))
    for file in (old, new, other):
        file.write_text("x")
    for file in (old, other):
        os.utime(file, (time.time() - 100_000,) * 2)
    add(uploads(tmp_path), "a.txt", b"x")
    assert sorted(os.listdir(tmp_path)) == sorted(["a.txt", new.name, other.name])
