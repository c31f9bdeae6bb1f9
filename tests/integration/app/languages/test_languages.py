# SPDX-License-Identifier: GPL-3.0-or-later
"""German, other languages and mixed ones in a search, and the change of the embedding model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import ollama
import pytest

from tars_app.adapters.chroma import VectorIndex
from tars_app.adapters.passage_index import PassageIndex
from tars_app.dependencies import Dependencies
from tars_app.documents.follow import answer_with_new_vectors, embed_missing, in_line
from tars_app.documents.languages import detect_languages
from tars_app.kit.errors import UnavailableError
from tars_app.kit.instants import TimeRequest
from tars_app.retrieval.service import search

from ..conftest import Server
from ..past import Store, open_store, remember, vector_of

pytestmark = pytest.mark.integration

BEGIN = datetime(2024, 1, 1, 12, tzinfo=UTC)
DOCUMENTS = {
    "a.txt": "Die Heizkostenabrechnung kommt im Mai, und der Vermieter legt die Belege auf Wunsch vor.",
    "b.txt": "Die Vorauszahlung für Heiz- und Nebenkosten beträgt 210 Euro und ist monatlich fällig.",
    "c.txt": "Die Privathaftpflichtversicherung kostet 71 Euro im Jahr und gilt weltweit.",
    "d.txt": "Die Kündigungsfristen des Mietvertrags betragen drei Monate zum Ende des Quartals.",
    "e.txt": "Der Straßenbauverein hat am Samstag seine Versammlung in der Turnhalle abgehalten.",
    "f.txt": "The insurance of the bicycles covers theft from the locked cellar at night.",
    "g.txt": "Le contrat de location prévoit un préavis de trois mois avant la fin du bail.",
    "h.txt": "賃貸借契約書は二年ごとに更新されます。家賃は毎月二十七日までに支払ってください。",
    "i.txt": "Wasserzähler: 7741",
    "Fahrräder/rahmennummern.txt": "WBK 1180 und WBK 2204",
}
FOUND = {
    "Heizkosten": {"a.txt", "b.txt"},
    "Haftpflicht": {"c.txt"},
    "kuendigungsfristen": {"d.txt"},
    "Kündigungsfrist": {"d.txt"},
    "KUNDIGUNGSFRISTEN": {"d.txt"},
    "Strassenbauvereine": {"e.txt"},
    "Nebenkostenabrechnung": {"b.txt"},
    "bicycle insurance": {"f.txt"},
    "préavis": {"g.txt"},
    "preavis": {"g.txt"},
    "家賃": {"h.txt"},
    "Wasserzaehler": {"i.txt"},
    "Wie lautet die Rahmennummer?": {"Fahrräder/rahmennummern.txt"},
    "Rahmennummer vom Fahrrad": {"Fahrräder/rahmennummern.txt"},
}


@pytest.fixture(scope="module")
def store(postgres: Server) -> Iterator[Store]:
    with open_store(postgres) as opened:
        for number, (path, text) in enumerate(DOCUMENTS.items()):
            opened.observe(path, remember(text), BEGIN + timedelta(minutes=number))
        yield opened


def by_words(store: Store, question: str) -> set[str]:
    """The documents with words of a question. (The vectors of these tests are those of words too.)"""
    now = TimeRequest(datetime.now(UTC))
    return {passage.path for passage in search(store.dependencies, question, 9, now).passages if passage.score > 0.5}


@pytest.mark.parametrize("question", FOUND)
def test_words_are_found_in_their_language(store: Store, question: str) -> None:
    assert by_words(store, question) == FOUND[question]


def test_passages_of_a_former_program_get_their_language(store: Store) -> None:
    with store.pool.connection() as connection:
        languages = "SELECT hash, language::text FROM passages ORDER BY hash"
        before = connection.execute(languages).fetchall()
        connection.execute("UPDATE passages SET language = 'english', language_detected = false")
    store.forget_index()
    assert "a.txt" not in by_words(store, "Belegen")
    calls: list[None] = []
    detect_languages(store.pool, lambda: calls.append(None))
    with store.pool.connection() as connection:
        assert connection.execute(languages).fetchall() == before
    assert by_words(store, "Belegen") == {"a.txt"} and calls, "a process that runs follows"
    detect_languages(store.pool, lambda: calls.append(None))
    assert len(calls) == 1


class Models:
    """Ollama's client with two models, whose vectors have nothing in common."""

    def __init__(self) -> None:
        self.installed = {"all-minilm", "bge-m3"}
        self.used: list[str] = []

    def embed(self, model: str, input: Sequence[str], truncate: bool = True) -> Any:
        if model not in self.installed:
            raise ollama.ResponseError("model not found", HTTPStatus.NOT_FOUND)
        self.used.append(model)
        vectors = [vector_of(text) for text in input]
        return SimpleNamespace(embeddings=vectors if model == "all-minilm" else [[*v[::-1], 0.0] for v in vectors])


@pytest.fixture
def changed(store: Store, chroma: Server) -> Iterator[tuple[Dependencies, Models]]:
    """The clients after the embedding model was changed in the spec."""
    models = Models()
    url = chroma.environment["CHROMA_URL"]
    with store.pool.connection() as connection:
        connection.execute("DELETE FROM volatile.vector_index")
        connection.execute("DELETE FROM vectors WHERE model = 'bge-m3'")
    in_line(replace(store.dependencies, vectors=VectorIndex(url, "all-minilm")))
    settings = store.dependencies.settings.model_copy(update={"embedding_model": "bge-m3"})
    vectors = VectorIndex(url, "bge-m3")
    vectors.count()  # creates the collection
    vectors.clear()
    yield (
        replace(
            store.dependencies,
            settings=settings,
            vectors=vectors,
            passages=PassageIndex(store.pool, "bge-m3"),
            embedder=models,  # type: ignore[arg-type]  # all that a search uses of it
        ),
        models,
    )


def scores(dependencies: Dependencies, question: str, past: bool = False) -> list[tuple[str, float]]:
    request = TimeRequest(datetime.now(UTC)) if past else TimeRequest()
    return [(passage.path, round(passage.score, 3)) for passage in search(dependencies, question, 3, request).passages]


@pytest.mark.parametrize("past", [False, True], ids=["now", "past"])
def test_the_former_vectors_answer_until_the_new_ones_are_complete(
    store: Store, changed: tuple[Dependencies, Models], past: bool
) -> None:
    dependencies, models = changed
    question = "insurance of the bicycles, theft from the locked cellar"
    expected = scores(store.dependencies, question, past=True)
    assert scores(dependencies, question, past) == expected and set(models.used) == {"all-minilm"}
    in_line(dependencies)
    assert embed_missing(dependencies, lambda: None)
    models.used.clear()
    assert scores(dependencies, question, past) == expected and models.used == ["all-minilm"], "not before the switch"
    answer_with_new_vectors(dependencies)
    models.used.clear()
    assert scores(dependencies, question, past)[0][0] == "f.txt" and models.used == ["bge-m3"]
    assert in_line(dependencies)
    answer_with_new_vectors(dependencies)
    assert scores(dependencies, question, past)[0][0] == "f.txt" and set(models.used) == {"bge-m3"}


def test_a_former_model_that_is_gone_is_not_waited_for(changed: tuple[Dependencies, Models]) -> None:
    dependencies, models = changed
    models.installed.remove("all-minilm")
    assert scores(dependencies, "insurance of the bicycles")[0][0] == "f.txt" and models.used == ["bge-m3"]
    models.installed.clear()
    with pytest.raises(UnavailableError, match="bge-m3 is not installed"):
        scores(dependencies, "insurance of the bicycles")
