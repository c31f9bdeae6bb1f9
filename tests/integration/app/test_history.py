# SPDX-License-Identifier: GPL-3.0-or-later
"""Every version is kept at the cost of its changed passages, and Chroma follows what documents are answered from."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import chromadb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tars_app.adapters.mounts import FileStatus
from tars_app.adapters.passage_occurrences import View
from tars_app.adapters.passage_words import Word
from tars_app.adapters.postgres import Pool
from tars_app.dependencies import Dependencies, make_dependencies
from tars_app.documents import repository
from tars_app.documents.follow import _BATCH, compare, embed_missing, follow_changes, in_line
from tars_app.documents.index import start_task, swap
from tars_app.documents.model import NO_PAGE, FileObservation
from tars_app.documents.parsers.model import Section
from tars_app.documents.passages import PlacedPassage, join_sections, place_passages
from tars_app.documents.vectors import pack, without_vector
from tars_app.documents.visible import visible_versions
from tars_app.retrieval.places import Passage, load_passages

from .conftest import Server
from .databases import connect, migrated_database
from .helpers import INVARIANTS
from .past import WordEmbedder

pytestmark = pytest.mark.integration

SOURCE = "LLM_docs"
SENTENCES = [f"Sentence {number} is about the {number}th apple tree." for number in range(20)]


@pytest.fixture
def dependencies(postgres: Server, own_chroma: Server) -> Iterator[Dependencies]:
    """The application's clients, for a new database and a new collection."""
    with migrated_database(postgres) as options:
        own = {"chroma_url": own_chroma.environment["CHROMA_URL"], "embedding_model": f"test-{uuid4()}"}
        made = make_dependencies(options.model_copy(update=own))
        with made.pool:
            repository.note_source(made.pool, SOURCE, Path("/documents/LLM_docs"), available=True, detail=None)
            yield made


def vector_of(value: bytes) -> list[float]:
    """A vector that only this passage has, in place of the embedding model's."""
    generator = random.Random(value)
    return [generator.gauss(0, 1) for _ in range(384)]


def write(dependencies: Dependencies, path: str, pages: Sequence[Section]) -> UUID | None:
    """Follow a file to this content, as the worker does; return the new version, None where it had this content."""
    pool = dependencies.pool
    digest = sha256(repr(pages).encode()).hexdigest()
    known = repository.living(pool, SOURCE).get(path)
    observation = FileObservation(FileStatus(9, 1_700_000_000_000_000_000), digest, None)
    repository.observe(pool, SOURCE, path, known.document_id if known else None, observation)
    for version in repository.waiting(pool):
        task = start_task(pool, version)
        assert task
        passages = place_passages(pages, 180, 1000)
        hashes = without_vector(pool, dependencies.settings.embedding_model, {passage.hash for passage in passages})
        vectors = {value: pack(vector_of(value)) for value in hashes}
        assert swap(pool, task, passages, vectors, dependencies.settings, 0.0)
        return version
    return None


def delete(dependencies: Dependencies, path: str) -> None:
    if document := repository.living(dependencies.pool, SOURCE).get(path):
        repository.retire(dependencies.pool, document.document_id)


def assert_valid(pool: Pool) -> None:
    with pool.connection() as connection:
        for wrong in INVARIANTS:
            assert connection.execute(wrong).fetchall() == [], wrong


def searchable(pool: Pool) -> set[str]:
    with pool.connection() as connection:
        rows = connection.execute("SELECT hash FROM passages WHERE searchable").fetchall()
    return {row["hash"].hex() for row in rows}


def pages_of(pool: Pool, version: UUID) -> list[Section]:
    """Put the pages of a version together from the database."""
    with pool.connection() as connection:
        rows = connection.execute(
            """SELECT e.page, e.before, p.text, e.after, e.label, p.header AS section_header
               FROM version_texts t, unnest(t.hashes, t.pages, t.before, t.after, t.labels) WITH ORDINALITY
                   AS e (hash, page, before, after, label, ordinal) JOIN passages p ON p.hash = e.hash
               WHERE t.version_id = %s ORDER BY e.ordinal""",
            (version,),
        ).fetchall()
    return join_sections([PlacedPassage(**row) for row in rows])


def make(dependencies: Dependencies, changes: list[Change], written: dict[UUID, list[Section]]) -> None:
    """Make the changes; add to `written` the pages of every new version."""
    for operation, path, texts in changes:
        if operation == "write":
            pages = [
                Section(number, f"\n{text}\n", f"page {number}", "A header\tof its\nown" if number % 2 else "")
                for number, text in enumerate(texts, 1)
            ]
            if version := write(dependencies, path, pages):
                written[version] = pages
        elif operation == "delete":
            delete(dependencies, path)
        else:
            follow_changes(dependencies)


def do_damage(dependencies: Dependencies, damage: str, old: list[str]) -> None:
    """Lose notes or vectors, or add foreign ones; `old` is what an older copy of Chroma's folder holds."""
    vectors = dependencies.vectors
    if damage == "notes lost":
        with dependencies.pool.connection() as connection:
            connection.execute("TRUNCATE volatile.vector_changes")
    elif damage == "half filled":
        vectors.remove(vectors.ids()[::2])
    elif damage.endswith("foreign ids"):
        foreign = [sha256(b"%d" % number).digest() for number in range(int(damage.split()[0]))]
        vectors.add(foreign, [vector_of(value) for value in foreign])
    elif damage in ("wiped", "older copy"):
        follow_changes(dependencies)
        vectors.clear()
        copy = [bytes.fromhex(i) for i in old if damage == "older copy"]
        vectors.add(copy, [vector_of(value) for value in copy])


Change = tuple[str, str, list[str]]
TEXTS = st.lists(st.sampled_from(SENTENCES), min_size=3, max_size=8)
CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.tuples(st.just("write"), st.sampled_from("abc"), TEXTS),
    st.tuples(st.just("delete"), st.sampled_from("abc"), st.just([])),
    st.tuples(st.just("follow"), st.just(""), st.just([])),
)


@pytest.mark.parametrize(
    "damage", ["none", "notes lost", "wiped", "half filled", "1 foreign ids", "30 foreign ids", "older copy"]
)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(changes=st.lists(CHANGES, min_size=2, max_size=12), later=st.lists(CHANGES, min_size=1, max_size=3))
def test_chroma_has_the_passages_of_living_documents_after_any_changes_and_damage(
    dependencies: Dependencies,
    changes: list[Change],
    damage: str,
    later: list[Change],
) -> None:
    pool, vectors = dependencies.pool, dependencies.vectors
    written: dict[UUID, list[Section]] = {}

    make(dependencies, changes, written)
    follow_changes(dependencies)
    assert set(vectors.ids()) == searchable(pool)
    old = vectors.ids()
    make(dependencies, later, written)
    do_damage(dependencies, damage, old)
    follow_changes(dependencies)
    compare(dependencies, lambda: None)
    assert in_line(dependencies) and set(vectors.ids()) == searchable(pool)
    assert_valid(pool)
    for version, pages in written.items():
        assert pages_of(pool, version) == pages, "every version is kept to the letter"
    for value in map(bytes.fromhex, vectors.ids()):
        [(nearest, similarity)] = vectors.nearest(vector_of(value), 1)
        assert nearest == value and similarity > 0.9999


def test_a_wiped_collection_is_filled_in_batches_without_the_embedding_model(dependencies: Dependencies) -> None:
    pages = [Section(number, f"Page {number} names the {number}th apple tree.") for number in range(1, _BATCH + 200)]
    write(dependencies, "trees.pdf", pages)
    follow_changes(dependencies)
    dependencies.vectors.clear()
    assert not in_line(dependencies)
    lag = []

    def progress() -> None:
        with dependencies.pool.connection() as connection:
            lag.append(connection.execute("SELECT expected, present FROM volatile.vector_index").fetchone())

    compare(replace(dependencies, embedder=None), progress)  # type: ignore[arg-type]  # so that any use of it fails
    assert lag == [{"expected": len(pages), "present": 0}, {"expected": len(pages), "present": _BATCH}]
    assert in_line(dependencies)
    name = dependencies.vectors.name
    host, port = dependencies.settings.chroma_url.removeprefix("http://").split(":")
    assert chromadb.HttpClient(host=host, port=int(port)).get_collection(name).count() == len(pages)


def test_a_header_counts_for_words_and_meaning_and_is_in_no_text(dependencies: Dependencies) -> None:
    row = "Gas\t80,20\n"
    write(dependencies, "bills.ods", [Section(1, row, "sheet 2023", "Position\tAmount"), Section(2, row, "sheet 2024")])
    embedder = WordEmbedder()
    options = dependencies.settings.model_copy(update={"embedding_model": f"other-{uuid4()}"})
    other = replace(make_dependencies(options), embedder=embedder)  # type: ignore[arg-type]  # all that is used
    repository.note_scan(dependencies.pool, SOURCE)
    with other.pool:
        assert embed_missing(other, lambda: None)
        with other.pool.connection() as connection:
            visible = visible_versions(connection, None)
            passages = connection.execute("SELECT header, text FROM passages ORDER BY header").fetchall()
        view = other.passages.view(visible.ids)
        [hit] = other.passages.lexical(view, [Word(frozenset({("english", "amount")}))], 5)
        [passage] = open_all(other, view, hit.hash)
    assert set(embedder.texts) == {"Gas\t80,20", "Position\tAmount\nGas\t80,20"}
    assert [tuple(row.values()) for row in passages] == [("", "Gas\t80,20"), ("Position\tAmount", "Gas\t80,20")]
    assert (passage.label, passage.header, passage.text) == ("sheet 2023", "Position\tAmount", "Gas\t80,20")


def open_all(dependencies: Dependencies, view: View, key: bytes) -> list[Passage]:
    with dependencies.pool.connection() as connection:
        return list(load_passages(connection, dependencies.passages.places(view, [key]), {key: 1.0}).values())


def test_passages_without_a_vector_are_counted(dependencies: Dependencies) -> None:
    write(dependencies, "trees.pdf", [Section(number, text) for number, text in enumerate(SENTENCES[:5], 1)])
    with dependencies.pool.connection() as connection:
        connection.execute("DELETE FROM vectors WHERE hash IN (SELECT hash FROM vectors ORDER BY hash LIMIT 2)")
    follow_changes(dependencies)
    assert in_line(dependencies)
    with dependencies.pool.connection() as connection:
        counts = connection.execute("SELECT passages, expected, present FROM volatile.vector_index").fetchone()
    assert counts == {"passages": 5, "expected": 3, "present": 3}


def test_vectors_of_two_models_stand_beside_each_other(dependencies: Dependencies) -> None:
    write(dependencies, "a.txt", [Section(NO_PAGE, SENTENCES[0])])
    options = dependencies.settings.model_copy(update={"embedding_model": f"other-{uuid4()}"})
    other = make_dependencies(options)
    with other.pool:
        write(other, "b.txt", [Section(NO_PAGE, SENTENCES[0])])
    with connect(options) as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT model) FROM vectors").fetchall() == [(2, 2)]


def test_a_new_model_gets_the_vectors_of_superseded_passages_too(dependencies: Dependencies) -> None:
    """A question about the past compares them; Chroma holds those of today alone."""
    for sentence in SENTENCES[:3]:
        write(dependencies, "a.txt", [Section(NO_PAGE, sentence)])
    options = dependencies.settings.model_copy(update={"embedding_model": f"other-{uuid4()}"})
    other = replace(make_dependencies(options), embedder=WordEmbedder())  # type: ignore[arg-type]  # all that is used
    with other.pool:
        assert embed_missing(other, lambda: None)
        with connect(options) as connection:
            vectors = "SELECT count(*) FROM vectors WHERE model = %s"
            assert connection.execute(vectors, (options.embedding_model,)).fetchall() == [(3,)]
        assert set(other.vectors.ids()) == searchable(other.pool)


def test_documents_that_share_passages_may_change_at_the_same_time(dependencies: Dependencies) -> None:
    def edit(number: int) -> None:
        generator = random.Random(number)
        for _ in range(25):
            texts = generator.sample(SENTENCES[:3], 2)
            write_one(dependencies, f"{number}.txt", [Section(page, text) for page, text in enumerate(texts, 1)])
            if generator.random() < 0.5:
                delete(dependencies, f"{number}.txt")

    def write_one(dependencies: Dependencies, path: str, pages: Sequence[Section]) -> None:
        """Like `write`, for this file alone."""
        pool = dependencies.pool
        known = repository.living(pool, SOURCE).get(path)
        status = FileStatus(9, 1_700_000_000_000_000_000)
        observation = FileObservation(status, uuid4().hex, None)
        repository.observe(pool, SOURCE, path, known.document_id if known else None, observation)
        with pool.connection() as connection:
            row = connection.execute(
                """SELECT v.id FROM versions v JOIN documents d ON d.id = document_id
                   WHERE path = %s AND seen_to IS NULL""",
                (path,),
            ).fetchone()
        assert row and (task := start_task(pool, row["id"]))
        passages = place_passages(pages, 180, 1000)
        vectors = {passage.hash: pack(vector_of(passage.hash)) for passage in passages}
        assert swap(pool, task, passages, vectors, dependencies.settings, 0.0)
        follow_changes(dependencies)

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(edit, range(4)))
    assert_valid(dependencies.pool)
    follow_changes(dependencies)
    assert set(dependencies.vectors.ids()) == searchable(dependencies.pool)


def test_a_passage_that_one_document_loses_while_another_gains_it_stays_searchable(dependencies: Dependencies) -> None:
    pages = [Section(NO_PAGE, SENTENCES[0])]
    [passage] = place_passages(pages, 180, 1000)
    write(dependencies, "old.txt", pages)
    new = write(dependencies, "new.txt", pages)
    documents = repository.living(dependencies.pool, SOURCE)
    with dependencies.pool.connection() as connection:
        repository.answer_from(connection, documents["new.txt"].document_id, None, [])
    with ThreadPoolExecutor(1) as executor, dependencies.pool.connection() as connection:
        repository.answer_from(connection, documents["new.txt"].document_id, new, [passage.hash])
        loss = executor.submit(delete, dependencies, "old.txt")
        with pytest.raises(TimeoutError):
            loss.result(1)
        connection.commit()
        loss.result(180)
    assert_valid(dependencies.pool)
    follow_changes(dependencies)
    assert len(dependencies.vectors.ids()) == 1


DAYS = 30
LETTERS = random.Random(3)
WORDS = ["".join(LETTERS.choices("aeinorstlmdgh", k=LETTERS.randrange(2, 11))) for _ in range(3000)]


@pytest.mark.parametrize(
    ("pages", "paragraphs", "sentences"), [(50, 4, 7), (1, 1400, 1), (1, 200, 7), (1, 20, 70), (1, 1, 1400)]
)
def test_a_document_edited_daily_costs_its_changed_passages(
    dependencies: Dependencies, pages: int, paragraphs: int, sentences: int
) -> None:
    generator = random.Random(9)

    def sentence() -> str:
        return " ".join(generator.choices(WORDS, k=generator.randrange(4, 30))).capitalize() + "."

    content = [[[sentence() for _ in range(sentences)] for _ in range(paragraphs)] for _ in range(pages)]

    def version() -> list[Section]:
        texts = ["\n\n".join(" ".join(paragraph) for paragraph in page) for page in content]
        return [Section(number, text) for number, text in enumerate(texts, 1 if pages > 1 else NO_PAGE)]

    def stored_bytes() -> int:
        with connect(dependencies.settings) as connection:
            connection.execute("VACUUM FULL")
            [(size,)] = connection.execute(
                """SELECT sum(pg_total_relation_size(oid)) FROM pg_class
                   WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""
            ).fetchall()
        return int(size)

    empty = stored_bytes()
    first = write(dependencies, "manual", kept := version())
    copy = stored_bytes() - empty
    for day in range(DAYS):
        paragraph = generator.choice(generator.choice(content))
        place = generator.randrange(len(paragraph))
        paragraph[place : place + day % 3] = [sentence()]  # one is added, replaced, or takes the place of two
        assert write(dependencies, "manual", version())
    a_day = (stored_bytes() - empty - copy) / DAYS
    assert a_day <= 0.05 * copy, f"{a_day:.0f} bytes a day, {a_day / copy:.1%} of {copy} bytes"
    assert first and pages_of(dependencies.pool, first) == kept
    assert_valid(dependencies.pool)
    print(f"{a_day:.0f} bytes a day, {a_day / copy:.1%} of {copy} bytes")
