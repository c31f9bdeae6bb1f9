# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed about a topic between two times, in all documents."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from tars_app.dependencies import Dependencies
from tars_app.documents.schemas import Place
from tars_app.kit.instants import TimeRequest
from tars_app.retrieval.places import Passage
from tars_app.retrieval.service import search
from tars_app.timeline.schemas import NotCompared, TopicDifference
from tars_app.timeline.service import NoTextError, difference, require_order

MOST_PASSAGES = 20
"""Passages of each time that count as being about the topic."""


def topic_difference(dependencies: Dependencies, topic: str, since: datetime, until: datetime) -> TopicDifference:
    """Return the changes in passages that were evidence for the topic at one of two times, the best document first.

    A document whose text is not on record for one of the times is named, and does not stop the others.

    Raises:
        NoHistoryError: nothing had been observed yet at the first time.
        WrongOrderError: the first time is later than the second one.
        UnavailableError: a store or the embedding model does not answer.
    """
    require_order(since, until)
    passages = [
        passage
        for moment in (since, until)
        for passage in search(dependencies, topic, MOST_PASSAGES, TimeRequest(moment)).passages
    ]
    about = {passage.hash for passage in passages}
    result = TopicDifference(topic=topic, since=since, until=until, documents=[], unchanged=[], not_compared=[])
    for place in _documents(passages).values():
        try:
            part = difference(dependencies.pool, place.document_id, since, until, about)
        except NoTextError as error:
            result.not_compared.append(NotCompared(**place.model_dump(), reason=str(error)))
            continue
        if part.changes:
            result.documents.append(part)
        else:
            result.unchanged.append(place)
    return result


def _documents(passages: Iterable[Passage]) -> dict[UUID, Place]:
    """Return the documents of passages, the one with the best passage first."""
    places: dict[UUID, Place] = {}
    for passage in sorted(passages, key=lambda passage: -passage.score):
        own = Place(document_id=passage.document_id, source=passage.source, path=passage.path)
        others = (Place.model_validate(other, from_attributes=True) for other in passage.also_in)
        for place in (own, *others):
            places.setdefault(place.document_id, place)
    return places
