# SPDX-License-Identifier: GPL-3.0-or-later
"""A store is killed while questions are asked, and the disk is full while a version is stored."""

from __future__ import annotations

import os
import random
import signal
import string
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tars_app.kit.errors import UnavailableError
from tars_app.kit.instants import TimeRequest
from tars_app.retrieval.service import search

from ...servers import start_postgres
from ..conftest import Server, Stack, wait_for
from ..helpers import assert_stores_agree, readiness, wait_for_state
from ..past import open_store, remember

pytestmark = pytest.mark.integration

BEGIN = datetime(2024, 1, 1, 12, tzinfo=UTC)


def kill(server: Server) -> None:
    """End a server and its processes, as Docker ends a container that is killed."""
    assert server.process
    own = server.process.pid
    children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    server.stop(kill=True)
    for child in children:
        try:
            os.kill(int(child), signal.SIGKILL)
        except ProcessLookupError:  # it ended with its parent
            continue


class Asking:
    """Questions in two threads, again and again; what was answered: the status, and the best path or the next step."""

    def __init__(self, url: str, question: str) -> None:
        self._url, self._question = url, question
        self._ended = threading.Event()
        self.answers: list[tuple[int, str]] = []

    def _ask(self) -> None:
        while not self._ended.is_set():
            answer = httpx.get(f"{self._url}/api/search", params={"q": self._question}, timeout=180, trust_env=False)
            body = answer.json()
            best = body["results"][0]["path"] if answer.status_code == 200 else body["next_step"]
            self.answers.append((answer.status_code, best))

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def wait_for_more(self, count: int, status: int | None = None) -> None:
        """Wait until so many further questions were answered, with a status."""
        before = len(self.answers)

        def answered() -> bool:
            return sum(status in (None, answer[0]) for answer in self.answers[before:]) >= count

        wait_for(answered, f"{count} answers")


ALSO = [pytest.param(name, marks=pytest.mark.steps) for name in ("postgres", "redis")]


@pytest.mark.parametrize("name", ["chroma", *ALSO])
def test_a_store_that_is_killed_during_questions_leaves_right_answers_or_clear_failures(
    stack: Stack, name: str
) -> None:
    file = f"killed {name}.txt"
    (stack.share / file).write_text(f"The {name} clock of the grandmother strikes thirteen.")
    wait_for_state(stack, file, "indexed")
    wait_for(lambda: readiness(stack)[0] == 200, "readiness")
    server: Server = getattr(stack, name)
    asking = Asking(stack.url, f"When does the {name} clock of the grandmother strike?")
    with asking.running():
        asking.wait_for_more(6)
        kill(server)
        asking.wait_for_more(3, 200 if name == "redis" else 503)
        server.start()
        asking.wait_for_more(6, 200)
    assert {answer for answer in asking.answers if answer[0] == 200} == {(200, file)}
    failures = {answer for answer in asking.answers if answer[0] != 200}
    assert failures == (set() if name == "redis" else {(503, f"Check that the {name} container is running.")})
    wait_for(lambda: readiness(stack)[0] == 200, "readiness again")
    assert_stores_agree(stack)


@pytest.fixture
def small_disk(workspace: Path) -> Iterator[Path]:
    disk = workspace / "small disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m,mode=0755", "tars-test", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)
    disk.rmdir()


def test_a_version_that_fills_the_disk_is_stored_when_there_is_space_again(small_disk: Path) -> None:
    server = start_postgres(small_disk)
    letters = random.Random(3)
    words = ("".join(letters.choices(string.ascii_lowercase, k=9)) for _ in range(60_000))
    with open_store(server) as store:
        store.observe("lease.txt", remember("The rent of the flat is 800 euros a month."), BEGIN)
        store.observe("book.txt", remember(f"The rent of the boat is low. {' '.join(words)}"), BEGIN, read=False)
        before = store.places(None)
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(8192))
            except OSError:
                assert os.statvfs(small_disk).f_bavail == 0
        with pytest.raises(UnavailableError, match="disk of the database is full"):
            store.read()
        assert store.places(None) == before, "nothing of the version is visible"
        [passage] = search(store.dependencies, "the rent of the flat", 5, TimeRequest(datetime.now(UTC))).passages
        assert passage.path == "lease.txt"
        filler.unlink()
        store.read()
        passages = search(store.dependencies, "the rent of the boat", 5, TimeRequest(datetime.now(UTC))).passages
        assert passages[0].path == "book.txt" and len(store.places(None)) > 100
    server.stop()
