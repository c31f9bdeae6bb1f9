# SPDX-License-Identifier: GPL-3.0-or-later
"""A search of the past is that of a store which was built from the corpus of that time."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tars_app.adapters import passage_index
from tars_app.adapters.passage_words import plain, words_of
from tars_app.documents.languages import detect_languages, language_of
from tars_app.documents.visible import NoHistoryError
from tars_app.kit.instants import TimeRequest
from tars_app.retrieval.places import Passage, open_passage
from tars_app.retrieval.service import Results, search

from .conftest import Server
from .helpers import INVARIANTS
from .past import Store, open_store, remember, vector_of

pytestmark = pytest.mark.integration

EXAMPLES = int(os.environ.get("TARS_EXAMPLES", "12"))
BEGIN = datetime(2024, 1, 1, 12, tzinfo=UTC)
WORDS = [
    "rent",
    "euros",
    "boiler",
    "garden",
    "apple",
    "insurance",
    "school",
    "bus",
    "cellar",
    "water",
    "pressure",
]
MOST_SET_BACK = timedelta(hours=23)
PATHS = ["a.txt", "b.txt", "c.txt", "d/a.txt"]
STEPS = [timedelta(days=1), timedelta(hours=1), timedelta(0), -timedelta(hours=1), -timedelta(hours=20)]


@pytest.fixture(scope="module")
def stores(postgres: Server) -> Iterator[tuple[Store, Store]]:
    """A store with a history, and one that is built for the corpus of one time."""
    with open_store(postgres) as past, open_store(postgres) as fresh:
        yield past, fresh


# The language of a paragraph of the first kind is mostly not clear, so that its words are not stemmed.
SENTENCES = st.sampled_from(["The %s. ", "This is what we have about the %s. "])
COMMON = {"this", "is", "what", "we", "have", "about", "the"}
PARAGRAPHS = st.tuples(SENTENCES, st.lists(st.sampled_from(WORDS), min_size=3, max_size=7)).map(
    lambda drawn: drawn[0] % " ".join(drawn[1])
)
TEXTS = st.lists(PARAGRAPHS, min_size=1, max_size=4).map(lambda parts: "\n\n".join(part * 12 for part in parts))
PATH = st.sampled_from(PATHS)
OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(STEPS),
        st.one_of(
            st.tuples(st.just("edit"), PATH, TEXTS),
            st.tuples(st.just("unread"), PATH, TEXTS),
            st.tuples(st.just("broken"), PATH, st.none()),
            st.tuples(st.just("delete"), PATH, st.none()),
            st.tuples(st.just("move"), PATH, PATH),
        ),
    ),
    min_size=2,
    max_size=14,
)


@dataclass
class Content:
    """A content of a file, None for one that cannot be read. It may be indexed later, unless it is replaced first."""

    text: str | None
    indexed: bool


Corpus = dict[str, Content]


def play(store: Store, operations: list[Any]) -> list[tuple[datetime, Corpus]]:
    """Make the changes; return the time that was recorded for each, with the corpus after it."""
    corpus: Corpus = {}
    history: list[tuple[datetime, Corpus]] = []
    clock = BEGIN
    for step, (operation, path, argument) in operations:
        clock = max(clock + step, max((moment for moment, _ in history), default=clock) - MOST_SET_BACK)
        if operation in ("edit", "unread", "broken"):
            text = argument and remember(argument)
            store.observe(path, text, clock, read=operation == "edit")
            if path not in corpus or corpus[path].text != text:
                corpus = corpus | {path: Content(text, False)}
            if operation == "edit":
                for content in corpus.values():
                    content.indexed = True
        elif path not in corpus or argument in corpus:
            continue
        elif operation == "delete":
            store.delete(path, clock)
            corpus = {name: content for name, content in corpus.items() if name != path}
        else:
            store.move(path, argument, clock)
            corpus = {argument if name == path else name: content for name, content in corpus.items()}
        history.append((store.latest_record(), corpus))
    return history


def build(store: Store, corpus: Corpus) -> None:
    """Build a store that has never held anything else."""
    store.clear()
    for path, content in sorted(corpus.items()):
        if content.text and content.indexed:
            store.observe(path, content.text, BEGIN)


def essence(passage: Passage) -> tuple[Any, ...]:
    """What a person sees of a result: not the ids, and not when it was observed."""
    others = sorted((place.path, place.page) for place in passage.also_in)
    return passage.path, passage.ordinal, passage.page, passage.text, round(passage.score, 4), passage.dated, others


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    operations=OPERATIONS,
    question=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join),
    at=st.floats(0, 1),
    rebuilt=st.booleans(),
)
def test_the_past_is_what_a_store_of_that_time_has(
    stores: tuple[Store, Store], operations: list[Any], question: str, at: float, rebuilt: bool
) -> None:
    past, fresh = stores
    past.clear()
    history = play(past, operations)
    assert [moment for moment, _ in history] == sorted(moment for moment, _ in history), "the order is kept"
    if rebuilt:
        past.forget_index()
    for moment, corpus in history[int(at * len(history)) :][:3]:
        build(fresh, corpus)
        unread = sum(not (content.text and content.indexed) for content in corpus.values())
        assert past.unread(moment) == unread
        assert past.places(moment) == fresh.places(None)
        if earlier := [before for recorded, before in history if recorded < moment]:
            build(fresh, earlier[-1])
            assert past.places(moment - timedelta(microseconds=1)) == fresh.places(None), "until the last moment"
            build(fresh, corpus)
        if unread < len(corpus):
            compare_rankings(past, fresh, question, moment)


DAYS = st.integers(0, 39)
STEPS_WITH_IMPORTS = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), PATH, TEXTS),
        st.tuples(st.just("broken"), PATH, st.none()),
        st.tuples(st.just("delete"), PATH, st.none()),
        st.tuples(st.just("move"), PATH, PATH),
        st.tuples(st.just("import"), DAYS, st.dictionaries(PATH, st.none() | TEXTS, max_size=3)),
    ),
    min_size=3,
    max_size=12,
)


def play_with_imports(store: Store, steps: list[Any]) -> list[tuple[datetime, dict[str, str | None]]]:
    """Change files from day 20 on, and import snapshots of any time before now, of texts that other versions have too.

    Returns every observation of the whole share, in the order of time.
    """
    corpus: dict[str, str | None] = {}
    seen: dict[datetime, dict[str, str | None]] = {}
    clock = BEGIN + timedelta(days=20)
    for operation, first, second in steps:
        if operation == "import":
            moment = BEGIN + timedelta(days=first, hours=6)
            if moment not in seen and (later := [other for other in seen if other > moment]):
                files = {path: text and remember(text) for path, text in second.items()}
                store.import_snapshot(files, moment, min(later))
                seen[moment] = files
            continue
        clock += timedelta(days=1)
        if operation in ("edit", "broken"):
            store.observe(first, second and remember(second), clock)
            corpus = corpus | {first: second}
        elif operation == "delete" and first in corpus:
            store.delete(first, clock)
            corpus = {path: text for path, text in corpus.items() if path != first}
        elif operation == "move" and first in corpus and second not in corpus:
            store.move(first, second, clock)
            corpus = {second if path == first else path: text for path, text in corpus.items()}
        else:
            continue
        seen[clock] = corpus
    return sorted(seen.items(), key=lambda observation: observation[0])


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS_WITH_IMPORTS, question=st.sampled_from(WORDS), at=st.floats(0, 1))
def test_snapshots_that_are_imported_in_any_order_are_the_past_of_their_time(
    stores: tuple[Store, Store], steps: list[Any], question: str, at: float
) -> None:
    past, fresh = stores
    past.clear()
    seen = play_with_imports(past, steps)
    while seen and not seen[0][1]:
        del seen[0]  # the history begins with the first document
    if seen:
        with pytest.raises(NoHistoryError, match=f"no history before {seen[0][0]:%Y-%m-%d}"):
            past.view(seen[0][0] - timedelta(microseconds=1))
    ends = [*(moment for moment, _ in seen), BEGIN + timedelta(days=90)][1:]
    for (moment, files), end in list(zip(seen, ends, strict=True))[int(at * len(seen)) :][:2]:
        build(fresh, {path: Content(text, True) for path, text in files.items()})
        readable = any(files.values())
        for time in (moment, end - timedelta(microseconds=1)):
            assert past.places(time) == fresh.places(None)
            if readable:
                compare_rankings(past, fresh, question, time)
    with past.pool.connection() as connection:
        for wrong in INVARIANTS:
            assert connection.execute(wrong).fetchall() == [], wrong


def compare_rankings(past: Store, fresh: Store, question: str, moment: datetime) -> None:
    now = datetime.now(UTC)
    expected = search(fresh.dependencies, question, 50, TimeRequest(now)).passages
    results = search(past.dependencies, question, 50, TimeRequest(moment)).passages
    assert list(map(essence, results)) == list(map(essence, expected))
    with past.pool.connection() as connection:
        words, _ = words_of(connection, question, ["english"])
    index, view = past.dependencies.passages, past.view(moment)
    texts = {place.text for place in past.places(moment)}
    hits = index.lexical(view, words, 100)
    assert [hit.coverage for hit in hits] == pytest.approx(
        bm25([stem for word in words for _, stem in word.stems], texts), abs=1e-4
    )
    nearest = index.nearest(view, vector_of(question), 100)
    assert [similarity for _, similarity in nearest] == pytest.approx(cosines(question, texts), abs=2e-3)
    for passage in results:
        opened = open_passage(past.pool, passage.chunk_id)
        assert opened and opened[0].text == passage.text, "to the letter"


def bm25(words: list[str], texts: set[str]) -> list[float]:
    """Rank texts by BM25 in plain Python, on the stems of these tests' words; return the share of matched rarity."""
    stems = {text: Counter(re.findall(r"\w+", text.lower())) for text in texts}
    stem = {"euro": "euros", "appl": "apple", "insur": "insurance", "pressur": "pressure"}
    asked = sorted({stem.get(word, word) for word in words})
    languages = {text: language_of(text) for text in texts}
    assert set(languages.values()) <= {"english", "simple"}, "the stems are those of English"
    # An analyser leaves common words out.
    sizes = {
        text: len(set(counts) - (COMMON if languages[text] == "english" else set())) for text, counts in stems.items()
    }
    usual = sum(sizes.values()) / len(sizes)
    idf = {}
    for word in asked:
        with_word = sum(word in counts for counts in stems.values())
        idf[word] = math.log(1 + (len(texts) - with_word + 0.5) / (with_word + 0.5))
    ranked = []
    for text, counts in stems.items():
        present = [word for word in asked if word in counts]
        score = sum(
            idf[word] * counts[word] * 2.2 / (counts[word] + 1.2 * (0.25 + 0.75 * sizes[text] / usual))
            for word in present
        )
        if present:
            share = sum(idf[word] for word in present) / sum(idf.values())
            ranked.append((round(score, 6), sha256(text.encode()).digest(), share))
    return [share for _, _, share in sorted(ranked, key=lambda entry: (-entry[0], entry[1]))]


def cosines(question: str, texts: set[str]) -> list[float]:
    asked = vector_of(question)
    return sorted((cosine(asked, vector_of(text)) for text in texts), reverse=True)


def cosine(first: list[float], second: list[float]) -> float:
    product = sum(a * b for a, b in zip(first, second, strict=True))
    return product / math.hypot(*first) / math.hypot(*second)


def test_nothing_is_visible_before_the_first_observation(stores: tuple[Store, Store]) -> None:
    store, _ = stores
    store.clear()
    with pytest.raises(NoHistoryError, match="no history yet"):
        search(store.dependencies, "rent", 5, TimeRequest(BEGIN))
    store.observe("lease.txt", remember("The rent is 800 euros."), BEGIN)
    with pytest.raises(NoHistoryError, match="no history before 2024-01-01 12:00 UTC") as caught:
        search(store.dependencies, "rent", 5, TimeRequest(BEGIN - timedelta(microseconds=1)))
    assert caught.value.begins == BEGIN
    [passage] = search(store.dependencies, "rent", 5, TimeRequest(BEGIN)).passages
    assert passage.text == "The rent is 800 euros." and passage.superseded is None


def test_a_superseded_passage_names_what_took_its_place(stores: tuple[Store, Store]) -> None:
    """The successor stands in the first version that differs; the house rules stay, so they are not superseded."""
    store, _ = stores
    store.clear()
    rules = "No shoes on the sofa, the landlord writes. " * 25
    rents = [
        f"{rules}\n\nThe rent of the flat is {rent} euros a month. {'It is due at noon. ' * 40}" for rent in (8, 9, 10)
    ]
    for day, text in enumerate(rents):
        store.observe("lease.txt", remember(text), BEGIN + timedelta(days=day))
    passages = search(store.dependencies, "the rent of the flat in euros a month", 5, TimeRequest(BEGIN)).passages
    rent = next(passage for passage in passages if "8 euros" in passage.text)
    assert rent.superseded and rent.superseded.chunk_id and rent.superseded.state == "changed"
    assert rent.superseded.at == BEGIN + timedelta(days=1)
    opened = open_passage(store.pool, rent.superseded.chunk_id)
    assert opened and "9 euros" in opened[0].text and opened[0].superseded
    last = open_passage(store.pool, opened[0].superseded.chunk_id or "")
    assert last and "10 euros" in last[0].text and last[0].superseded is None
    sofa = search(store.dependencies, "shoes on the sofa", 5, TimeRequest(BEGIN)).passages[0]
    assert "sofa" in sofa.text and sofa.superseded is None and sofa.version_id == rent.version_id

    store.observe("lease.txt", None, BEGIN + timedelta(days=3))
    broken = open_passage(store.pool, last[0].chunk_id)
    assert broken and broken[0].superseded and broken[0].superseded.state == "failed"
    assert broken[0].superseded.error == "The file cannot be read."
    store.delete("lease.txt", BEGIN + timedelta(days=4))
    deleted = open_passage(store.pool, sofa.chunk_id)
    assert deleted and deleted[0].superseded
    assert (deleted[0].superseded.state, deleted[0].superseded.at) == ("deleted", BEGIN + timedelta(days=4))


def test_the_filter_of_the_time_precedes_every_other(stores: tuple[Store, Store]) -> None:
    """Documents that are deleted, replaced or renamed today are found as they were."""
    store, _ = stores
    store.clear()
    store.observe("old lease.txt", remember("The rent is 800 euros."), BEGIN)
    store.observe("insurance.txt", remember("The insurance costs 150 euros."), BEGIN)
    store.move("old lease.txt", "lease.txt", BEGIN + timedelta(days=1))
    store.observe("lease.txt", remember("The rent is 900 euros."), BEGIN + timedelta(days=2))
    store.delete("insurance.txt", BEGIN + timedelta(days=2))

    def answers(question: str, days: float) -> list[tuple[str, str]]:
        results = search(store.dependencies, question, 5, TimeRequest(BEGIN + timedelta(days=days))).passages
        return [(passage.path, passage.text) for passage in results]

    assert answers("rent", 0.5) == [("old lease.txt", "The rent is 800 euros.")]
    assert answers("rent", 1.5) == [("lease.txt", "The rent is 800 euros.")]
    assert answers("rent", 2.5) == [("lease.txt", "The rent is 900 euros.")]
    assert answers('"800 euros"', 1.5) and not answers('"800 euros"', 2.5)
    assert answers("insurance", 1.5) and not answers("insurance", 2.5)


def observe_bills(store: Store) -> None:
    store.clear()
    for year in (2019, 2024, 2022):
        store.observe(f"gas-bill-{year}.txt", remember(f"The gas bill of the flat: {year - 1600} euros."), BEGIN)
    store.observe("boiler.txt", remember("Date: 1 May 2026\n\nThe boiler burns gas."), BEGIN)


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("the latest gas bill of the flat", "gas-bill-2024.txt"),
        ("What was the last gas bill?", "gas-bill-2024.txt"),
        ("the gas bill of the flat in 2022", "gas-bill-2022.txt"),
        ("the gas bill of the flat between 2018 and 2020", "gas-bill-2019.txt"),
    ],
)
def test_the_time_that_a_question_names_decides_among_equals(
    stores: tuple[Store, Store], question: str, first: str
) -> None:
    store, _ = stores
    observe_bills(store)
    results = ask_store(store, question)
    assert results.passages[0].path == first and results.understood
    assert results.passages[-1].path == "boiler.txt" or "boiler.txt" not in [p.path for p in results.passages]


def ask_store(store: Store, question: str) -> Results:
    """Search the versions of today, by words alone: there is no Chroma."""
    nearest = SimpleNamespace(nearest=lambda vector, limit: [])
    return search(replace(store.dependencies, vectors=nearest), question, 5)  # type: ignore[arg-type]  # see above


def test_a_question_about_the_contents_then_gets_the_versions_of_then(stores: tuple[Store, Store]) -> None:
    store, _ = stores
    store.clear()
    now = datetime.now(UTC)
    for days, rent in ((800, 800), (500, 850), (100, 900)):
        store.observe("lease.txt", remember(f"The rent of the flat is {rent} euros."), now - timedelta(days=days))
    year = (now - timedelta(days=500)).year
    results = search(store.dependencies, f"What did the lease say about the rent of the flat in {year}?", 5)
    assert results.understood and (results.understood.kind, results.understood.text) == ("as_of", f"{year}")
    assert results.past and results.past.at.year in (year, year + 1) and len(results.passages) == 1
    assert "850" in results.passages[0].text and results.passages[0].superseded
    between = search(store.dependencies, f"What did the lease say of rent between {year - 1} and {now.year}?", 5)
    assert between.understood and between.understood.kind == "between"
    assert {passage.text.split()[-2] for passage in between.passages} >= {"850", "900"}
    since = TimeRequest(now - timedelta(days=400), now - timedelta(days=600))
    texts = [
        passage.text.split()[-2] for passage in search(store.dependencies, "the rent of the flat", 5, since).passages
    ]
    assert sorted(texts) == ["800", "850"]
    with pytest.raises(NoHistoryError) as caught:
        search(store.dependencies, "What did the lease say in 1999?", 5)
    assert caught.value.understood.text == "1999"


def test_the_interpretation_is_overridden(stores: tuple[Store, Store]) -> None:
    store, _ = stores
    observe_bills(store)
    question = "What did the gas bill of the flat say in 1999?"
    nearest = SimpleNamespace(nearest=lambda vector, limit: [])
    dependencies = replace(store.dependencies, vectors=nearest)  # type: ignore[arg-type]  # there is no Chroma
    literal = search(dependencies, question, 5, TimeRequest(interpret=False))
    assert literal.understood is None and literal.past is None
    explicit = search(dependencies, question, 5, TimeRequest(store.latest_record()))
    assert explicit.understood is None and explicit.past
    latest = search(dependencies, "gas bill of the flat", 5, TimeRequest(latest=True))
    assert latest.passages[0].path == "gas-bill-2024.txt" and latest.understood is None
    assert search(dependencies, '"gas bill" -1999 latest', 5).understood is None, "search syntax is taken literally"


def test_the_index_is_the_same_however_it_was_loaded(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pieces, in one piece, and question by question."""
    store, _ = stores
    store.clear()
    for number in range(12):
        text = "\n\n".join(f"The {WORDS[(number + part) % len(WORDS)]} of flat {part}. " * 40 for part in range(3))
        store.observe(f"{number % 5}.txt", remember(f"{text}{number}"), BEGIN + number * timedelta(days=1))
        store.view(None)
    moments = [BEGIN + number * timedelta(days=1) for number in (3, 7, 11)]

    def rankings() -> list[Any]:
        index = store.dependencies.passages
        views = [store.view(moment) for moment in moments]
        return [
            (
                index.lexical(view, [plain(word) for word in ("water", "bus", "flat")], 7),
                index.nearest(view, vector_of("water bus"), 7),
            )
            for view in views
        ]

    grown = rankings()
    store.forget_index()
    assert rankings() == grown
    monkeypatch.setattr(passage_index, "_VERSIONS_PER_QUERY", 2)
    monkeypatch.setattr(passage_index, "_PASSAGES_PER_QUERY", 3)
    store.forget_index()
    assert rankings() == grown


def test_the_words_follow_a_change_of_the_language(stores: tuple[Store, Store]) -> None:
    """The worker detects the languages of passages that a former program stored; its German was stemmed as English."""
    store, _ = stores
    store.clear()
    store.observe("garten.txt", remember("Die Häuser im Garten werden gestrichen."), BEGIN)

    def covered() -> float:
        view = store.view(None)
        with store.pool.connection() as connection:
            words, _ = words_of(connection, "Haus", view.languages)
        return sum(hit.coverage for hit in store.dependencies.passages.lexical(view, words, 1))

    assert covered() == 1
    for _ in range(2):
        with store.pool.connection() as connection:
            connection.execute("UPDATE passages SET language = 'english', language_detected = false")
        store.forget_index()
        assert covered() == 0
        detect_languages(store.pool, lambda: None)
        assert covered() == 1
