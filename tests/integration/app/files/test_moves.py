# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that is moved to another share keeps its document: its history, its versions and the citations of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tars_app.adapters.mounts import list_share
from tars_app.documents import reconcile as reconciling
from tars_app.documents.lookup import find_document
from tars_app.documents.tombstones import load_forgotten
from tars_app.forgetting import repository as forgetting
from tars_app.kit.instants import TimeRequest
from tars_app.originals.repository import load_version
from tars_app.retrieval.places import Passage, open_passage
from tars_app.retrieval.service import search
from tars_app.timeline.repository import read_history

from ..conftest import Server
from ..helpers import INVARIANTS
from ..past import Store, open_store
from .household import Household, day, new_household

pytestmark = pytest.mark.integration

LEASE = "The rent of the flat is 900 euros."


class Shares:
    """Two shares, LLM_docs and Archive, with the worker's steps on them."""

    def __init__(self, household: Household) -> None:
        self.household = household
        self.folder = household.share.parent
        self.pool = household.store.pool
        (self.folder / "Archive").mkdir()

    def scan(self) -> None:
        self.household.scan()
        for wrong in INVARIANTS:
            assert self.rows(wrong) == [], wrong

    def move(self, old: str, new: str) -> None:
        """Move a file as a NAS does it between shares."""
        self.copy(old, new)
        (self.folder / old).unlink()

    def copy(self, old: str, new: str) -> None:
        (self.folder / new).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(self.folder / old, self.folder / new)

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        with self.pool.connection() as connection:
            return connection.execute(query, parameters).fetchall()

    def living(self) -> dict[str, Any]:
        """The documents by share and path."""
        rows = self.rows("SELECT id, source, path FROM documents WHERE deleted_at IS NULL")
        return {f"{row['source']}/{row['path']}": row["id"] for row in rows}

    def found(self, question: str, at: datetime | None = None) -> Passage:
        """The first passage that a question finds, without Chroma, at a time, None: now."""
        at = at or datetime.now(UTC)
        return search(self.household.store.dependencies, question, 5, TimeRequest(at)).passages[0]


@pytest.fixture(scope="module")
def store(postgres: Server) -> Iterator[Store]:
    with open_store(postgres) as store:
        yield store


@pytest.fixture
def shares(store: Store, tmp_path: Path) -> Shares:
    return Shares(new_household(store, tmp_path))


@pytest.mark.parametrize(("old", "new"), [("LLM_docs", "Archive"), ("Archive", "LLM_docs")])
def test_a_file_that_is_moved_to_another_share_keeps_its_document(shares: Shares, old: str, new: str) -> None:
    shares.household.write(f"../{old}/house/lease.txt", LEASE)
    shares.scan()
    before, observed = shares.found("What is the rent?"), datetime.now(UTC)
    shares.move(f"{old}/house/lease.txt", f"{new}/2020/old lease.txt")
    shares.scan()
    assert shares.living() == {f"{new}/2020/old lease.txt": before.document_id}
    after = shares.found("What is the rent?")
    assert (after.source, after.path) == (new, "2020/old lease.txt")
    assert after.chunk_id == before.chunk_id, "the version was not read again"
    opened = open_passage(shares.pool, before.chunk_id)
    assert opened and (opened[0].source, opened[0].path) == (new, "2020/old lease.txt")
    then = shares.found("What is the rent?", observed)
    assert (then.source, then.path) == (old, "house/lease.txt")
    history = read_history(shares.pool, before.document_id)
    assert [(entry.source, entry.path) for entry in history.paths] == [
        (old, "house/lease.txt"),
        (new, "2020/old lease.txt"),
    ]
    assert [(version.source, version.version_id) for version in history.versions] == [(new, before.version_id)]
    loaded = load_version(shares.pool, before.version_id)
    assert loaded and [place.name for place in loaded[1]] == [f"{new}/2020/old lease.txt"]
    for name in (f"{old}/house/lease.txt", "house/lease.txt", "lease.txt"):
        assert find_document(shares.pool, name) == before.document_id


def test_a_file_that_is_changed_before_and_after_it_is_moved_has_one_history(shares: Shares) -> None:
    times: list[datetime] = []
    for place, rent in (("LLM_docs", 800), ("LLM_docs", 850), ("Archive", 900), ("LLM_docs", 950)):
        if times:
            shutil.move(next(shares.folder.glob("*/lease.txt")), shares.folder / place / "lease.txt")
            shares.scan()
        shares.household.write(
            f"../{place}/lease.txt", f"The rent of the flat is {rent} euros.", day(f"2024-01-{len(times) + 1:02}")
        )
        shares.scan()
        times.append(datetime.now(UTC))
    assert len(shares.rows("SELECT FROM documents")) == 1
    passages = [shares.found("What is the rent of the flat?", at) for at in times]
    assert [(passage.source, passage.text.split()[6]) for passage in passages] == [
        ("LLM_docs", "800"),
        ("LLM_docs", "850"),
        ("Archive", "900"),
        ("LLM_docs", "950"),
    ]


def test_a_copy_in_another_share_is_a_document_of_its_own(shares: Shares, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "RECENT_S", 0.0)
    shares.household.write("lease.txt", LEASE)
    shares.scan()
    [original] = shares.living().values()
    shares.copy("LLM_docs/lease.txt", "Archive/lease.txt")
    shares.scan()
    documents = shares.living()
    assert set(documents) == {"LLM_docs/lease.txt", "Archive/lease.txt"}
    assert documents["LLM_docs/lease.txt"] == original
    (shares.folder / "LLM_docs/lease.txt").unlink()
    shares.scan()
    assert shares.living() == {"Archive/lease.txt": documents["Archive/lease.txt"]}


def test_a_move_that_is_seen_between_copying_and_deleting_keeps_the_document(shares: Shares) -> None:
    shares.household.write("lease.txt", LEASE)
    shares.scan()
    documents = shares.living()
    shares.copy("LLM_docs/lease.txt", "Archive/lease.txt")
    shares.scan()
    assert shares.living() == documents
    entries = shares.rows("SELECT source, path, because FROM volatile.entries")
    assert entries == [{"source": "Archive", "path": "lease.txt", "because": "writing"}]
    (shares.folder / "LLM_docs/lease.txt").unlink()
    shares.scan()
    assert shares.living() == {"Archive/lease.txt": documents["LLM_docs/lease.txt"]}


def test_a_document_waits_while_the_share_that_it_was_moved_to_is_being_read(
    shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares.household.write("../Archive/lease.txt", LEASE)
    shares.scan()
    documents = shares.living()
    shares.move("Archive/lease.txt", "LLM_docs/lease.txt")
    monkeypatch.setattr(reconciling, "SLICE_S", 0.0)
    shares.scan()
    assert shares.living() == documents, "the file of its size was not read yet"
    monkeypatch.setattr(reconciling, "SLICE_S", 60.0)
    shares.scan()
    assert shares.living() == {"LLM_docs/lease.txt": documents["Archive/lease.txt"]}


def test_a_file_that_is_moved_while_the_shares_are_listed_keeps_its_document(
    shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in neither list: that of the new share is complete, that of the old one not begun."""
    shares.household.write("lease.txt", LEASE)
    shares.scan()
    documents, observed = shares.living(), datetime.now(UTC)

    def move_before(root: Path, *arguments: Any) -> Any:
        if root.name == "LLM_docs":
            shares.move("LLM_docs/lease.txt", "Archive/lease.txt")
        return list_share(root, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(reconciling, "list_share", move_before)
        shares.scan()
    assert shares.living() == {}
    shares.scan()
    assert shares.living() == {"Archive/lease.txt": documents["LLM_docs/lease.txt"]}
    now, then = shares.found("What is the rent?"), shares.found("What is the rent?", observed)
    assert [(passage.source, passage.text) for passage in (now, then)] == [("Archive", LEASE), ("LLM_docs", LEASE)]


@pytest.mark.parametrize("place", ["LLM_docs/lease.txt", "LLM_docs/2020/old lease.txt", "Archive/lease.txt"])
@pytest.mark.parametrize("missing_for", ["23 hours", "25 hours"])
def test_a_file_that_was_missing_for_a_day_at_most_continues_its_document(
    shares: Shares, place: str, missing_for: str
) -> None:
    shares.household.write("lease.txt", LEASE)
    shares.scan()
    documents = shares.living()
    shares.move("LLM_docs/lease.txt", "../lease.txt")
    shares.scan()
    assert shares.living() == {}
    for statement in (
        "document_paths SET seen_from = seen_from - interval '3 days'",
        "versions SET seen_from = seen_from - interval '3 days', seen_to = now() - %s::interval",
        "documents SET deleted_at = (SELECT seen_to FROM versions)",
    ):
        parameters = [missing_for] * statement.count("%s")
        shares.rows(f"UPDATE {statement} RETURNING 1", *parameters)
    [version] = [row["id"] for row in shares.rows("SELECT id FROM versions")]
    shares.move("../lease.txt", place)
    shares.scan()
    [(path, document)] = shares.living().items()
    kept = missing_for == "23 hours" or place == "LLM_docs/lease.txt"
    assert path == place and (document == documents["LLM_docs/lease.txt"]) == kept
    history = read_history(shares.pool, document)
    assert [entry.version_id for entry in history.versions][:-1] == ([version] if kept else [])


def test_a_file_that_is_put_back_is_its_own_document_beside_another_with_its_content(
    shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "RECENT_S", 0.0)
    for place in ("Archive/lease.txt", "LLM_docs/lease.txt"):
        shares.household.write(f"../{place}", LEASE)
    shares.scan()
    documents = shares.living()
    for place in documents:
        shares.move(place, f"../{place.replace('/', ' ')}")
    shares.scan()
    assert shares.living() == {}
    shares.move("../LLM_docs lease.txt", "LLM_docs/lease.txt")
    shares.scan()
    assert shares.living() == {"LLM_docs/lease.txt": documents["LLM_docs/lease.txt"]}


def test_a_deleted_document_is_not_continued_with_a_content_that_was_forgotten_elsewhere(
    shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "RECENT_S", 0.0)
    for place in ("Archive/lease.txt", "LLM_docs/other.txt"):
        shares.household.write(f"../{place}", LEASE)
    shares.scan()
    documents = shares.living()
    assert forgetting.remove(shares.pool, documents["Archive/lease.txt"])
    shares.scan()
    assert shares.living() == {"LLM_docs/other.txt": documents["LLM_docs/other.txt"]}
    shares.move("LLM_docs/other.txt", "../other.txt")
    shares.scan()
    shares.move("../other.txt", "LLM_docs/2020/other.txt")
    for _ in range(2):
        shares.scan()
        assert shares.living() == {}


@pytest.mark.parametrize(
    "place", ["LLM_docs/#recycle/lease.txt", "Archive/#recycle/lease.txt", "Archive/.old/lease.txt"]
)
def test_a_file_that_is_moved_to_an_ignored_place_is_removed(shares: Shares, place: str) -> None:
    shares.household.write("lease.txt", LEASE)
    shares.scan()
    documents = shares.living()
    shares.move("LLM_docs/lease.txt", place)
    shares.scan()
    assert shares.living() == {}
    shares.move(place, "LLM_docs/lease.txt")
    shares.scan()
    assert shares.living() == documents


def test_a_document_of_a_share_that_is_away_was_not_moved(shares: Shares, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "RECENT_S", 0.0)
    shares.household.write("../Archive/lease.txt", LEASE)
    shares.scan()
    documents = shares.living()
    (shares.folder / "Archive").rename(shares.folder.parent / "away")
    shares.household.write("lease.txt", LEASE)
    shares.scan()
    now = shares.living()
    assert set(now) == {"Archive/lease.txt", "LLM_docs/lease.txt"}
    assert now["Archive/lease.txt"] == documents["Archive/lease.txt"]


def test_a_moved_document_is_forgotten_in_both_places(shares: Shares) -> None:
    shares.household.write("lease.txt", LEASE)
    shares.scan()
    shares.move("LLM_docs/lease.txt", "Archive/old lease.txt")
    shares.scan()
    [document] = shares.living().values()
    assert forgetting.remove(shares.pool, document)
    with shares.pool.connection() as connection:
        forgotten = load_forgotten(connection)
    before = day("2020-01-01")
    for source, path in (("LLM_docs", "lease.txt"), ("Archive", "old lease.txt")):
        assert forgotten.covers(source, path, "other", before)
    assert not forgotten.covers("Archive", "lease.txt", "other", before)


def test_snapshots_of_the_share_before_complete_the_history_and_those_of_the_new_one_leave_it(shares: Shares) -> None:
    names = ["GMT+01-2024.01.14-05.00.00", "GMT+02-2024.06.01-05.00.00"]
    household = shares.household
    household.settings = household.settings.model_copy(update={"history_shares": ["LLM_docs", "Archive"]})
    household.store.dependencies = replace(household.store.dependencies, settings=household.settings)
    household.snapshot(names[0], lease="The rent of the flat is 800 euros.")
    household.write(f"../Archive/#snapshot/{names[1]}/other.txt", "The gas costs 90 euros.")
    household.write("lease.txt", LEASE)
    shares.scan()
    shares.move("LLM_docs/lease.txt", "Archive/old lease.txt")
    shares.scan()
    household.import_all()
    assert household.states() == dict.fromkeys(names, "imported")
    for at in (day("2024-02-01"), day("2024-07-01")):
        then = shares.found("What is the rent of the flat?", at)
        assert (then.source, then.path, then.text) == ("LLM_docs", "lease.txt", "The rent of the flat is 800 euros.")
        loaded = load_version(shares.pool, then.version_id)
        assert loaded and [place.name for place in loaded[1]] == [f"LLM_docs/lease.txt in the snapshot {names[0]}"]
    assert len(shares.rows("SELECT FROM documents WHERE path LIKE '%%lease%%'")) == 1
    now = shares.found("What is the rent of the flat?")
    assert (now.source, now.path, now.text) == ("Archive", "old lease.txt", LEASE)
