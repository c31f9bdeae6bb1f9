# SPDX-License-Identifier: GPL-3.0-or-later
"""Search, and open a passage."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query

from tars_app.dependencies import AsOf, Dependencies, Interpret, Latest, Since
from tars_app.retrieval.places import PLACE_ID, open_passage, place
from tars_app.retrieval.schemas import NO_PASSAGE, QUOTED, PassageView, PlainText, SearchResult, SearchResults
from tars_app.retrieval.service import excerpt, past_of, search
from tars_app.retrieval.views import view


def make_router(dependencies: Dependencies) -> APIRouter:
    """Return the routes under /api that find passages."""
    router = APIRouter(prefix="/api", tags=["retrieval"])

    @router.get("/search")
    def search_passages(
        q: Annotated[PlainText, Query(min_length=1, max_length=2000, description='Words, "a phrase", -without')],
        limit: Annotated[int, Query(ge=1, le=50)] = 8,
        as_of: AsOf = None,
        since: Since = None,
        latest: Latest = False,
        interpret: Interpret = True,
    ) -> SearchResults:
        """Passages that match a query, best first. A failure is never an empty list.

        With `as_of`, those of the versions that existed at that time, letter for letter; each states what took its
        place since. `understood` is the time that was read from the words of the query.
        """
        outcome = search(dependencies, q, limit, dependencies.time_request(as_of, since, latest, interpret))
        results = [
            SearchResult.model_validate(
                {**place(p), "id": number, "score": round(p.score, 3), "excerpt": excerpt(p.text), "text": p.text}
            )
            for number, p in enumerate(outcome.passages, 1)
        ]
        return SearchResults(query=q, as_of=past_of(outcome), understood=outcome.understood, results=results)

    @router.get("/passages/{chunk_id}", responses={404: {"description": "There is no such passage"}})
    def show_passage(
        chunk_id: Annotated[str, Path(pattern=PLACE_ID, description="As in a search result or a source")],
        quote: Annotated[PlainText | None, Query(max_length=4000, description=QUOTED)] = None,
    ) -> PassageView:
        """One passage, with the text of its section before and after it; also one of a version that was replaced."""
        opened = open_passage(dependencies.pool, chunk_id)
        if opened is None:
            raise HTTPException(404, NO_PASSAGE)
        return view(dependencies.pool, *opened, quote)

    return router
