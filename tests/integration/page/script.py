# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's server with a scripted API: answers made of the app's own event models, under the app's own headers."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.staticfiles import StaticFiles

from tars_app.answers.check import NOTES, sentences_of
from tars_app.answers.figures import Kind
from tars_app.answers.grounding import Reason
from tars_app.answers.schemas import (
    Citation,
    Done,
    Failure,
    Sentence,
    SourceEntry,
    Sources,
    Support,
    Token,
    UnsupportedPart,
)
from tars_app.answers.service import NOT_IN_DOCUMENTS
from tars_app.backups.schemas import Backups
from tars_app.documents.schemas import Document, Documents, Source
from tars_app.kit.middleware import RequestGuard
from tars_app.main import WEB
from tars_app.retrieval.schemas import OtherPlace, PassageView
from tars_app.settings import Settings
from tars_app.trust.routes import make_router as trust_router

MODIFIED = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
QUOTE = "The filter must be cleaned every six months."
BEFORE = "Heating\n\nThe heat pump in the cellar was installed in March 2021 by Brenner Haustechnik.\n\n"
TEXT = f"Maintenance\n\n{QUOTE} The brine pressure must stay between 1.5 and 2.0 bar. <script>alert(1)</script>"
AFTER = "\n\nIf the display shows F.22, the pressure is too low: fill up the circuit and call 0761 555 0199."
LONG = "Rechnungen_und_Verträge/Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft.pdf"


def make_id(number: int) -> UUID:
    return UUID(int=number)


def _source(
    number: int, path: str, page: int | None, excerpt: str, also_in: list[OtherPlace] | None = None
) -> SourceEntry:
    return SourceEntry(
        id=number,
        chunk_id=str(make_id(number)),
        document_id=make_id(100 + number),
        source="LLM_docs",
        path=path,
        title=path.rsplit("/", 1)[-1],
        page=page,
        modified=MODIFIED,
        observed=MODIFIED,
        dated=None,
        dated_by=None,
        score=0.9 - number / 10,
        excerpt=excerpt,
        also_in=also_in or [],
    )


COPY = OtherPlace(document_id=UUID(int=201), source="Letters", path="copies/heating (1).pdf", page=3)
SOURCES = [
    _source(1, "house/heating.pdf", 3, "Maintenance The filter must be cleaned every six months.", [COPY]),
    _source(2, "house/inspection-2026.md", None, "In March the chimney sweep saw everything; the filter was new."),
    _source(3, LONG, 12, "Invoice of 2 March for two filters, " + "x" * 120),
]


INVENTED = (
    "🔧 Clean the filter every six months.\n\n- The filter was last cleaned in **September 2022** by Kowalski.\n"
    "- The pressure must stay between 1.5 and 2.0 bar.\n- Two filters cost 20 + 20 = 50 EUR.\n"
)


def _invented() -> Iterator[BaseModel]:
    """An answer of which two sentences are not in the documents."""
    sentences = _sentences(
        INVENTED.strip(),
        {
            2: [_part(INVENTED, "September 2022", "date"), _part(INVENTED, "Kowalski", "name")],
            4: [_part(INVENTED, "50 EUR", "amount", "calculation")],
        },
    )
    for word in INVENTED.split(" "):
        yield Token(text=f"{word} ")
    yield from sentences
    citations = [
        Citation(source=1, quote=QUOTE, page=3, sentences=[1, 2]),
        Citation(source=1, quote="The brine pressure must stay between 1.5 and 2.0 bar.", page=3, sentences=[3]),
    ]
    yield _done(INVENTED.strip(), citations, "partly_supported", sentences)


def _whole(question: str) -> list[BaseModel]:
    """The events after the sources, where they come at once; none for other questions."""
    if "nothing" in question:
        return [_done("Nothing in the documents answers this question.", [], "no_evidence")]
    if "silent" in question:
        nearest = Citation(source=1, quote=QUOTE, page=3)
        return [_done(NOT_IN_DOCUMENTS.format("a date for this"), [nearest], "not_in_documents")]
    return list(_invented()) if "invented" in question else []


class Script:
    """The API. Tests set its documents; a word of the question chooses how it is answered."""

    def __init__(self) -> None:
        self.documents = [
            Document(
                document_id=make_id(101), source="LLM_docs", path="house/heating.pdf", state="indexed", error=None,
                modified=MODIFIED, observed=MODIFIED, dated=None, dated_by=None, pages=12, chunks=31,
            ),
            Document(
                document_id=make_id(102), source="LLM_docs", path="house/inspection-2026.md", state="indexed",
                error=None, modified=MODIFIED, observed=MODIFIED, dated=None, dated_by=None, pages=None, chunks=2,
            ),
            Document(
                document_id=make_id(103), source="LLM_docs", path="scans/old.pdf", state="failed",
                error="The PDF has no text, only pictures. Scan it again with text recognition.",
                modified=MODIFIED, observed=MODIFIED, dated=None, dated_by=None, pages=None, chunks=None,
            ),
        ]  # fmt: skip
        self.sources = [Source(name="LLM_docs", available=True, detail=None)]
        self.backups = Backups(state="none")
        self.asked: list[str] = []
        self.left = 0
        self.go_on = threading.Event()

    def app(self, authority: Path) -> FastAPI:
        routes: list[BaseRoute] = [
            Route("/api/ask", self.ask, methods=["POST"]),
            Route("/api/documents", self.list_documents),
            Route("/api/backups", self.read_backups),
            Route("/api/passages/{chunk_id}", self.open_passage),
        ]
        app = FastAPI(routes=routes, middleware=[Middleware(RequestGuard)])
        app.include_router(trust_router(Settings(chat_model="a", embedding_model="b", authority=authority)))
        app.mount("/", StaticFiles(directory=WEB, html=True))
        return app

    async def list_documents(self, _: Request) -> Response:
        return _json(Documents(documents=self.documents, sources=self.sources))

    async def read_backups(self, _: Request) -> Response:
        return _json(self.backups)

    async def open_passage(self, request: Request) -> Response:
        number = UUID(request.path_params["chunk_id"]).int
        if number != 1:
            return JSONResponse({"detail": "The passage is no longer there: its document was changed."}, 404)
        place = SOURCES[0].model_dump(include=set(PassageView.model_fields))
        return _json(PassageView(**place, before=BEFORE, text=TEXT, after=AFTER))

    async def ask(self, request: Request) -> Response:
        question: str = (await request.json())["question"]
        self.asked.append(question)
        if "down" in question:
            return JSONResponse({"message": "The index does not answer.", "next_step": "Wait a minute."}, 503)

        async def events() -> AsyncIterator[ServerSentEvent]:
            try:
                async for event in self.answer(question):
                    yield ServerSentEvent(event=_NAMES[type(event)], data=event.model_dump_json())
            except asyncio.CancelledError:
                self.left += 1
                raise

        return EventSourceResponse(events())

    async def answer(self, question: str) -> AsyncIterator[BaseModel]:
        yield Sources(sources=[] if "nothing" in question else SOURCES)
        if events := _whole(question):
            for event in events:
                yield event
            return
        if "endless" in question:
            while True:
                yield Token(text="more and more ")
                await asyncio.sleep(0.03)
        if "away" in question:
            yield Token(text="The filter ")
            yield Failure(message="The model does not answer.", next_step="Check the model server on the desktop.")
            return
        if "broken" in question:
            yield Token(text="The filter ")
            return
        answer = "Clean the filter **every six months** [1]. It was new at the last inspection [2] <b>&amp;</b> [9]."
        for word in answer.split(" "):
            yield Token(text=f"{word} ")
            while "pause" in question and word == "filter" and not self.go_on.is_set():
                await asyncio.sleep(0.01)
        yield _done(answer, [Citation(source=1, quote=QUOTE, page=3)])


_NAMES: dict[type[BaseModel], str] = {
    Sources: "sources",
    Token: "token",
    Sentence: "sentence",
    Done: "done",
    Failure: "error",
}


def _done(
    answer: str, citations: list[Citation], support: Support = "supported", sentences: Sequence[Sentence] = ()
) -> Done:
    return Done(
        answer=answer,
        support=support,
        note=NOTES.get(support),
        sentences=list(sentences),
        citations=citations,
        model="smollm2:135m",
        prompt_tokens=400,
        answer_tokens=20,
        duration_s=4.2,
    )


def _sentences(answer: str, unsupported: Mapping[int, Sequence[UnsupportedPart]]) -> list[Sentence]:
    return [
        Sentence(number=number, start=start, end=end, unsupported=list(unsupported.get(number, ())))
        for number, (start, end) in enumerate(sentences_of(answer), 1)
    ]


def _part(answer: str, text: str, kind: Kind, reason: Reason = "absent") -> UnsupportedPart:
    start = answer.index(text)
    return UnsupportedPart(text=text, start=start, end=start + len(text), kind=kind, reason=reason)


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")


class Server:
    """The script on a free loopback port, in a thread of its own."""

    def __init__(self, authority: Path, script: Script | None = None) -> None:
        self.script = script or Script()
        self.authority = authority
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self._server = uvicorn.Server(uvicorn.Config(self.script.app(authority), log_level="warning", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})

    def start(self) -> Server:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()
