# SPDX-License-Identifier: GPL-3.0-or-later
"""Forget a document: nothing of it is left in any store or file, it does not come back, and others stay."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
import redis

from tars_app.adapters.passage_words import plain
from tars_app.forgetting import repository
from tars_app.forgetting.erase import erase_forgotten

from .conftest import Stack, wait_for
from .helpers import (
    INVARIANTS,
    ask,
    assert_stores_agree,
    document,
    found_paths,
    found_text,
    wait_for_state,
    wait_until_gone,
)
from .past import Store, remember

pytestmark = pytest.mark.integration

BEGIN = datetime(2024, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def preview(stack: Stack, name: str) -> dict[str, Any]:
    content: dict[str, Any] = stack.get("/api/forget", document=name)
    return content


def forget(stack: Stack, name: str) -> dict[str, Any]:
    """Forget a document over HTTP, as a person does after the preview."""
    body = {"document": name, "confirm": preview(stack, name)["document_id"]}
    answer = httpx.post(f"{stack.url}/api/forget", json=body, timeout=60, trust_env=False)
    answer.raise_for_status()
    content: dict[str, Any] = answer.json()
    return content


def wait_until_erased(stack: Stack, forgotten: dict[str, Any]) -> None:
    def erased() -> bool:
        entries = {entry["id"]: entry for entry in stack.get("/api/forgotten")["forgotten"]}
        return bool(entries[forgotten["forgotten_id"]]["erased_at"])

    wait_for(erased, "the worker to have erased the files")


def take_back(stack: Stack, forgotten: dict[str, Any]) -> None:
    answer = httpx.delete(f"{stack.url}/api/forgotten/{forgotten['forgotten_id']}", timeout=60, trust_env=False)
    assert answer.status_code == 204


def files_with(folder: Path, *texts: bytes) -> dict[bytes, set[str]]:
    """The files of the stores and logs that contain each text, without the shares and the models.

    The stores are running: what they remove meanwhile, such as a temporary file, is left out. Files are read, not
    mapped, as one that becomes shorter would end this process.
    """
    hits: dict[bytes, set[str]] = {text: set() for text in texts}
    for parent, folders, files in os.walk(folder):
        if Path(parent) == folder:
            folders[:] = [name for name in folders if name not in ("documents", "models")]
        for file in files:
            path = Path(parent, file)
            if path.is_file():
                with suppress(FileNotFoundError):  # a server deleted it meanwhile: it holds nothing any more
                    content = path.read_bytes()
                    for text in texts:
                        if text in content:
                            hits[text].add(str(path.relative_to(folder)))
    return hits


def save_files(stack: Stack) -> None:
    """Let the stores write what they hold in memory."""
    port = int(stack.redis.environment["REDIS_PORT"])
    redis.Redis(port=port, password="test-secret").save()
    with psycopg.connect(stack.database, autocommit=True) as connection:
        connection.execute("ANALYZE")
        connection.execute("CHECKPOINT")


def test_nothing_is_left_in_any_file_of_any_store(stack: Stack, workspace: Path) -> None:
    """Two versions under two names, asked about and quoted, with statistics and a write-ahead log that hold them."""
    words = ("Quillanorth", "Zebrawacke", "Ottermoor", "Heideklang")
    secret, later, name, shared = (f"{word}{uuid4().hex[:10]}" for word in words)
    file = stack.share / f"{name} first.txt"
    common = f"The house rules of {shared} forbid shoes on the sofa at any time of the day."
    file.write_text(f"{common}\n\n\n\nThe safe of {secret} opens with the number 4711.\n")
    neighbour = stack.share / "neighbour.txt"
    neighbour.write_text(f"{common}\n")
    first = wait_for_state(stack, file.name, "indexed")
    wait_for_state(stack, "neighbour.txt", "indexed")
    file.write_text(f"{common}\n\n\n\nThe safe of {later} opens with the number 4712.\n")
    while wait_for_state(stack, file.name, "indexed")["observed"] == first["observed"]:
        time.sleep(0.1)
    file = file.rename(stack.share / f"{name} second.txt")
    wait_for_state(stack, file.name, "indexed")
    assert any(later in str(event) for event in ask(stack, f"Which number opens the safe of {later}?"))
    save_files(stack)
    [(vector,)] = stack.sql("SELECT embedding FROM vectors JOIN passages USING (hash) WHERE text LIKE %s", f"%{later}%")
    # Words are stored in small letters too, as every word of an index is.
    traces = [text.encode() for word in (secret, later, name) for text in (word, word.lower())] + [vector[:64]]
    before = files_with(workspace, *traces)
    assert all(any(file.startswith("postgres/") for file in before[trace]) for trace in traces[::2]), "the control"
    assert any("pg_wal" in file for file in before[secret.encode()]), "the control of the log"

    forgotten = forget(stack, file.name)
    assert (forgotten["versions"], forgotten["erased"]) == (2, False)
    assert [place["path"] for place in forgotten["shared_with"]] in ([], ["neighbour.txt"])
    assert document(stack, file.name) is None and later not in found_text(stack, f"the safe of {later}")
    wait_until_erased(stack, forgotten)
    assert_stores_agree(stack)
    save_files(stack)
    assert files_with(workspace, *traces) == {trace: set() for trace in traces}
    assert shared in found_text(stack, f"the house rules of {shared}"), "another document has it"
    for path in (file, neighbour):
        path.unlink()
    wait_until_gone(stack, "neighbour.txt")


def test_a_forgotten_file_comes_back_only_with_another_content_or_when_taken_back(stack: Stack) -> None:
    file = stack.share / "diary.txt"
    content = "The diary of May mentions a walk to the old mill by the river.\n"
    file.write_text(content)
    wait_for_state(stack, "diary.txt", "indexed")
    forgotten = forget(stack, "LLM_docs/diary.txt")

    def scanned_twice() -> None:
        time.sleep(0.6)  # until then, a changed file is left for the next pass
        for _ in range(2):
            [(last,)] = stack.sql("SELECT scanned_at FROM volatile.scans WHERE source = 'LLM_docs'")
            newer = "SELECT 1 FROM volatile.scans WHERE scanned_at > %s"
            wait_for(partial(stack.sql, newer, last), "a scan")

    scanned_twice()
    assert document(stack, "diary.txt") is None, "it lies there unchanged"
    file.touch()
    copy = stack.share / "copied" / "diary.txt"
    copy.parent.mkdir()
    copy.write_text(content)
    scanned_twice()
    assert document(stack, "diary.txt") is None, "its time alone has changed"
    assert document(stack, "copied/diary.txt") is None, "it was put elsewhere"
    file.unlink()
    other = stack.share / "other.txt"
    other.write_text("Another file, about the harbour.\n")
    wait_for_state(stack, "other.txt", "indexed")
    other.write_text(content)
    wait_until_gone(stack, "other.txt")
    assert "old mill" not in found_text(stack, "a walk to the old mill by the river")

    copy.write_text("The diary of June mentions a walk to the lake.\n")
    wait_for_state(stack, "copied/diary.txt", "indexed")
    take_back(stack, forgotten)
    wait_for_state(stack, "other.txt", "indexed")
    assert "other.txt" in found_paths(stack, "a walk to the old mill by the river")
    for path in (copy, other):
        path.unlink()
    copy.parent.rmdir()
    wait_until_gone(stack, "other.txt")
    wait_until_gone(stack, "copied/diary.txt")
    assert_stores_agree(stack)


def test_what_is_confirmed_has_to_be_what_is_forgotten(stack: Stack) -> None:
    file = stack.share / "deed.txt"
    file.write_text("The deed of the orchard is in the drawer.\n")
    wait_for_state(stack, "deed.txt", "indexed")

    def refusal(method: str, path: str, **content: Any) -> tuple[int, Any]:
        answer = httpx.request(method, f"{stack.url}{path}", timeout=60, trust_env=False, **content)
        return answer.status_code, answer.json().get("code")

    wrong = {"document": "deed.txt", "confirm": str(UUID(int=1))}
    assert refusal("POST", "/api/forget", json=wrong) == (409, "not_confirmed")
    assert refusal("POST", "/api/forget", json={"document": "deed.txt"})[0] == 422
    assert refusal("POST", "/api/forget", json={**wrong, "document": "no such.txt"}) == (404, "no_document")
    assert refusal("GET", "/api/forget", params={"document": "no such.txt"}) == (404, "no_document")
    assert refusal("DELETE", f"/api/forgotten/{UUID(int=1)}") == (404, "not_forgotten")
    assert preview(stack, "deed.txt")["versions"] == 1
    assert document(stack, "deed.txt"), "nothing has changed"
    file.unlink()
    wait_until_gone(stack, "deed.txt")


@pytest.mark.steps
def test_a_deleted_document_is_forgotten_too_and_the_worker_finishes_what_was_interrupted(stack: Stack) -> None:
    """The worker is killed, the document forgotten meanwhile, and Chroma is away at the same time."""
    file = stack.share / "passport.txt"
    file.write_text("The passport of the child has the number X4412.\n")
    wait_for_state(stack, "passport.txt", "indexed")
    file.unlink()
    wait_until_gone(stack, "passport.txt")
    stack.worker.stop(kill=True)
    stack.chroma.stop(kill=True)
    try:
        forgotten = forget(stack, "passport.txt")
        assert forgotten["deleted"] and "The file stays" not in " ".join(forgotten["remains"])
        assert stack.sql("SELECT path FROM documents WHERE path = 'passport.txt'") == []
    finally:
        stack.chroma.start()
        stack.worker.start()
    wait_until_erased(stack, forgotten)
    assert_stores_agree(stack)


def remove(store: Store, path: str) -> repository.Extent:
    with store.pool.connection() as connection:
        [row] = connection.execute("SELECT id FROM documents WHERE path = %s", (path,)).fetchall()
    removed = repository.remove(store.pool, row["id"])
    assert removed
    return removed[0]


def paths(store: Store) -> set[str]:
    with store.pool.connection() as connection:
        return {row["path"] for row in connection.execute("SELECT path FROM documents WHERE deleted_at IS NULL")}


def assert_consistent(store: Store) -> None:
    with store.pool.connection() as connection:
        for wrong in INVARIANTS:
            assert connection.execute(wrong).fetchall() == [], wrong
        orphans = """SELECT hash FROM passages EXCEPT SELECT unnest(hashes) FROM version_texts"""
        assert connection.execute(orphans).fetchall() == []


def test_passages_that_others_have_stay_and_memory_follows_in_every_process(store: Store) -> None:
    """The index learns of it from the database alone, as that of another process does."""
    common = "The common rules hold for everyone. " * 40
    store.observe("canaryname.txt", remember(f"{common}\n\nMy own canarytext is here. {'So it is. ' * 90}"), BEGIN)
    store.observe(
        "canaryname.txt", remember(f"{common}\n\nMy newer canaryword is here. {'So it is. ' * 90}"), BEGIN + DAY
    )
    store.observe("yours.txt", remember(f"{common}\n\nYour text is here. {'So it is. ' * 90}"), BEGIN)
    store.view(None)
    store.view(BEGIN)
    index = store.dependencies.passages
    assert "canaryname" in str(index._titles._words)
    assert {word for s in index._segments for word in s.postings} >= {"canarytext", "canaryword"}
    extent = remove(store, "canaryname.txt")
    assert [place.path for place in extent.shared_with] == ["yours.txt"] and extent.own and extent.shared
    assert_consistent(store)
    assert {place.path for place in store.places(None)} == {"yours.txt"}
    assert {place.path for place in store.places(BEGIN + DAY)} == {"yours.txt"}
    assert not {word for s in index._segments for word in s.postings} & {"canarytext", "canaryword"}
    assert "canaryname" not in str(index._titles._words)
    assert not set(extent.own) & (set(index._hashes) | set(index._row_of))
    store.observe("again.txt", remember("My own canarytext is here, in another text."), BEGIN + 2 * DAY)
    view = store.view(None)
    assert [hit.coverage for hit in index.lexical(view, [plain("canarytext")], 5)] == [1.0]


def test_a_view_of_before_is_harmless(store: Store) -> None:
    """A question that began before the document was forgotten gets no passage of it, and does not fail."""
    store.observe("mine.txt", remember("My canarytext is here."), BEGIN)
    store.observe("yours.txt", remember("Your text is here too."), BEGIN)
    view = store.view(None)
    remove(store, "mine.txt")
    store.dependencies.passages.remove_forgotten()
    index = store.dependencies.passages
    assert index.lexical(view, [plain("canarytext")], 5) == []
    hits = index.lexical(view, [plain("text"), plain("here")], 5)
    assert len(index.places(view, [hit.hash for hit in hits])) == 1
    assert all(hash for hash, _ in index.nearest(view, [1.0] * 512, 5))


@pytest.mark.parametrize("other", [False, True], ids=["the same place", "another place"])
def test_an_observation_of_a_forgotten_content_is_not_recorded(store: Store, other: bool) -> None:
    for text, at in (("The rent is 800 euros.", BEGIN), ("The rent is 900 euros.", BEGIN + DAY)):
        store.observe("lease.txt", remember(text), at)
    remove(store, "lease.txt")
    path = "flat/lease.txt" if other else "lease.txt"
    for text in ("The rent is 800 euros.", "The rent is 900 euros."):
        store.observe(path, text, BEGIN + 2 * DAY)
        assert paths(store) == set(), "every version was forgotten, also for an import of the past"
    store.observe(path, remember("The rent is 950 euros."), BEGIN + 3 * DAY)
    assert paths(store) == {path}
    store.observe(path, "The rent is 900 euros.", BEGIN + 4 * DAY)
    assert paths(store) == set(), "its file has a forgotten content now"


def test_a_file_that_was_never_readable_stays_forgotten_until_it_is(store: Store) -> None:
    store.observe("locked.pdf", None, BEGIN)
    remove(store, "locked.pdf")
    store.observe("locked.pdf", None, BEGIN + DAY)
    assert paths(store) == set()
    store.observe("locked.pdf", remember("Now it can be read."), BEGIN + 2 * DAY)
    assert paths(store) == {"locked.pdf"}
    store.observe("locked.pdf", None, BEGIN + 3 * DAY)
    assert paths(store) == {"locked.pdf"}, "this document was not forgotten"


def test_a_copy_that_exists_keeps_its_text(store: Store) -> None:
    """Forgetting is about a document: a copy that is a document of its own has to be forgotten too."""
    text = remember("The rent is 800 euros.")
    for path in ("lease.txt", "copy of lease.txt"):
        store.observe(path, text, BEGIN)
    assert [place.path for place in remove(store, "lease.txt").shared_with] == ["copy of lease.txt"]
    store.observe("copy of lease.txt", text, BEGIN + DAY)
    assert paths(store) == {"copy of lease.txt"} and store.places(None)
    assert_consistent(store)


def test_erasing_waits_for_no_long_transaction_and_is_repeated(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup that reads: the rows that it still sees cannot be erased, and a table that it uses is not waited for."""
    store.observe("mine.txt", remember("My canarytext is here."), BEGIN)
    begun, go_on = Event(), Event()

    def back_up() -> None:
        with store.pool.connection() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SELECT count(*) FROM passages")
            begun.set()
            go_on.wait(180)

    backup = Thread(target=back_up)
    backup.start()
    begun.wait(60)
    remove(store, "mine.txt")
    with monkeypatch.context() as patch:
        patch.setattr("tars_app.forgetting.erase.WAIT_S", 1.0)
        assert not erase_forgotten(store.pool, lambda: None)
    assert repository.waiting_for_erasure(store.pool)
    go_on.set()
    backup.join()
    assert erase_forgotten(store.pool, lambda: None)
    assert repository.waiting_for_erasure(store.pool) == [] and erase_forgotten(store.pool, lambda: None)


def test_an_interrupted_forgetting_changes_nothing(store: Store) -> None:
    """A kill before the commit: the connection ends, and PostgreSQL undoes the transaction."""
    store.observe("mine.txt", remember("My canarytext is here."), BEGIN)

    class KilledError(Exception):
        pass

    def killed(*_: Any) -> None:
        raise KilledError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        patch.setattr("tars_app.documents.tombstones.add_tombstone", killed)
        remove(store, "mine.txt")
    assert paths(store) == {"mine.txt"} and {place.path for place in store.places(None)} == {"mine.txt"}
    assert_consistent(store)


def test_documents_that_are_stored_meanwhile_keep_the_passages_that_they_share(store: Store) -> None:
    """Forget copies of a text while other copies are stored; no list of passages loses one."""
    text = remember("The common text. " * 30)
    for number in range(12):
        store.observe(f"{number}.txt", text, BEGIN + number * DAY)

    def store_others() -> None:
        for number in range(12):
            store.observe(f"new {number}.txt", remember(f"{number}\n\n{text}"), BEGIN)

    others = Thread(target=store_others)
    others.start()
    for number in range(12):
        remove(store, f"{number}.txt")
    others.join()
    assert paths(store) == {f"new {number}.txt" for number in range(12)}
    assert_consistent(store)
