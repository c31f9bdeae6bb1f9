# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's server with a scripted API: answers made of the app's own event models, under the app's own headers."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
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
from tars_app.dependencies import make_dependencies
from tars_app.documents.schemas import Document, Documents, Past, Place, Source
from tars_app.forgetting import schemas as forgetting
from tars_app.kit.errors import RefusedError
from tars_app.kit.middleware import RequestGuard
from tars_app.library import schemas as library
from tars_app.main import WEB, refused
from tars_app.retrieval.schemas import OtherPlace, PassageView, Superseded, Understood
from tars_app.settings import Settings
from tars_app.timeline.schemas import (
    Change,
    DayOfChanges,
    Difference,
    History,
    PathEntry,
    Quote,
    Timeline,
    TopicDifference,
    Version,
)
from tars_app.trust.routes import make_router as trust_router
from tars_app.uploads.routes import PATH as UPLOADS
from tars_app.uploads.routes import make_router as uploads_router

from .originals import Originals, make_passage

MODIFIED = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
QUOTE = "The filter must be cleaned every six months."
BEFORE = "Heating\n\nThe heat pump in the cellar was installed in March 2021 by Brenner Haustechnik.\n\n"
TEXT = f"Maintenance\n\n{QUOTE} The brine pressure must stay between 1.5 and 2.0 bar. <script>alert(1)</script>"
AFTER = "\n\nIf the display shows F.22, the pressure is too low: fill up the circuit and call 0761 555 0199."
MOST_BYTES = 3 * 1024 * 1024
"""Of a document that is added."""
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
        version_id=make_id(60),
        source="LLM_docs",
        path=path,
        title=path.rsplit("/", 1)[-1],
        page=page,
        label=f"page {page}" if page else "",
        note="4 of 15 pages have no text: 2-5." if page == 12 else None,
        modified=MODIFIED,
        observed=MODIFIED,
        dated=None,
        dated_by=None,
        score=0.9 - number / 10,
        excerpt=excerpt,
        also_in=also_in or [],
    )


COPY = OtherPlace(document_id=UUID(int=201), source="Letters", path="copies/heating (1).pdf", page=3, label="page 3")
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
        Citation(source=1, quote=QUOTE, page=3, label="page 3", sentences=[1, 2]),
        Citation(
            source=1,
            quote="The brine pressure must stay between 1.5 and 2.0 bar.",
            page=3,
            label="page 3",
            sentences=[3],
        ),
    ]
    yield _done(INVENTED.strip(), citations, "partly_supported", sentences)


def _whole(question: str) -> list[BaseModel]:
    """The events after the sources, where they come at once; none for other questions."""
    if "nothing" in question:
        return [_done("Nothing in the documents answers this question.", [], "no_evidence")]
    if "unread" in question:
        reason = {"reason": "It waits for its turn.", "next_step": "It is read by itself.", "state": "waiting"}
        unread = make_ignored("scans/boiler-2024.pdf", "found", "").model_copy(update=reason)
        return [_done("The filter.", [], "unsupported").model_copy(update={"unread": unread})]
    if "silent" in question:
        nearest = Citation(source=1, quote=QUOTE, page=3, label="page 3")
        return [_done(NOT_IN_DOCUMENTS.format("a date for this"), [nearest], "not_in_documents")]
    return list(_invented()) if "invented" in question else []


CHANGED = datetime(2026, 9, 2, 10, tzinfo=UTC)
BEGINS = datetime(2026, 3, 14, 9, tzinfo=UTC)
SUPERSEDED = Superseded(at=CHANGED, state="changed", version_id=make_id(7), chunk_id=str(make_id(4)), error=None)
NEW_QUOTE = "The filter must be cleaned every three months."
LAST_SPRING = Understood(kind="as_of", text="last spring", first=date(2026, 3, 1), last=date(2026, 5, 31))
_VERSION = Version(
    version_id=make_id(6), source="LLM_docs", path="house/heating.pdf", observed=BEGINS, until=CHANGED,
    modified=MODIFIED, dated="2026-03", dated_by="text", state="indexed", error=None, pages=12, chunks=31, kept=True,
    snapshot=None,
)  # fmt: skip
VERSIONS = [_VERSION, _VERSION.model_copy(update={"version_id": make_id(7), "observed": CHANGED, "until": None})]


def _file(document: Document) -> library.File:
    state: library.State = {"indexed": "read", "pending": "waiting", "failed": "failed"}[document.state]  # type: ignore[assignment]  # its values are states
    fields = document.model_dump(exclude={"state", "error"})
    words = {"failed": "Replace it with a file that can be read.", "waiting": "It is read by itself."}
    return library.File(
        **fields, state=state, because=None, reason=document.error, next_step=words.get(state), since=None, size=1000,
        earlier=False,
    )  # fmt: skip


def make_ignored(path: str, because: str, reason: str) -> library.File:
    """Return a file that is not a document."""
    nothing = dict.fromkeys(library.File.model_fields)
    fields = {"source": "LLM_docs", "path": path, "state": "ignored", "because": because, "reason": reason}
    return library.File.model_validate({**nothing, **fields, "earlier": False})


def _counts(files: Sequence[library.File]) -> library.Counts:
    return library.Counts(**Counter[str](file.state for file in files))


def _forgetting(document: Document) -> forgetting.Preview:
    return forgetting.Preview(
        document_id=document.document_id, source=document.source, path=document.path, deleted=None, observed=BEGINS,
        versions=2, passages=31, shared=1, shared_with=[Place(**COPY.model_dump(exclude={"page", "label"}))],
        backups=forgetting.Backups(state="none"), remains=["The file stays on the share."],
    )  # fmt: skip


class Script:
    """The API. Tests set its documents; a word of the question chooses how it is answered."""

    def __init__(self, uploads: Path | None = None) -> None:
        """Take the folder in which documents are added, if they can be."""
        self.uploads = uploads
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
        self.times: list[dict[str, Any]] = []
        self.zone = "UTC"
        self.timeline = [DayOfChanges(day=BEGINS.date(), changes=3), DayOfChanges(day=CHANGED.date(), changes=1)]
        self.listed_as_of: str | None = None
        self.taken_back: list[UUID] = []
        self.versions = VERSIONS
        self.others: list[library.File] = []
        """Files that are not documents."""
        self.minutes_left: int | None = None
        self.retried: list[dict[str, Any]] = []
        self.left = 0
        self.originals = Originals()
        self.go_on = threading.Event()

    def app(self, authority: Path) -> FastAPI:
        routes: list[BaseRoute] = [
            Route("/api/ask", self.ask, methods=["POST"]),
            Route("/api/documents", self.list_documents),
            Route("/api/library", self.show_library),
            Route("/api/library/files", self.list_files),
            Route("/api/library/export", self.export_files),
            Route("/api/library/retry", self.retry, methods=["POST"]),
            Route("/api/backups", self.read_backups),
            Route("/api/passages/{chunk_id}", self.open_passage),
            *self.originals.routes(),
            Route("/api/timeline", self.show_timeline),
            Route("/api/history", self.show_history),
            Route("/api/diff", self.show_difference),
            Route("/api/topic", self.show_topic),
            Route("/api/forget", self.preview_forgetting),
            Route("/api/forget", self.forget, methods=["POST"]),
            Route("/api/forgotten/{id}", self.take_back, methods=["DELETE"]),
        ]
        guard = Middleware(RequestGuard, unlimited=frozenset({UPLOADS}))
        app = FastAPI(routes=routes, middleware=[guard])
        app.exception_handler(RefusedError)(refused)
        settings = Settings(
            chat_model="a", embedding_model="b", authority=authority, max_file_bytes=MOST_BYTES, require_mount=False,
            uploads=self.uploads, uploads_place="uploads/Incoming", redis_host="127.0.0.1", redis_port=9,
        )  # fmt: skip
        app.include_router(trust_router(settings))
        app.include_router(uploads_router(make_dependencies(settings)))
        app.mount("/", StaticFiles(directory=WEB, html=True))
        return app

    async def show_timeline(self, _: Request) -> Response:
        return _json(Timeline(zone=self.zone, days=self.timeline))

    async def show_history(self, request: Request) -> Response:
        document = self.find(request.query_params["document"])
        paths = [PathEntry(source=document.source, path=document.path, observed=BEGINS)]
        place = {"document_id": document.document_id, "source": document.source, "path": document.path}
        return _json(History(**place, deleted=None, kept_since=BEGINS, versions=self.versions, paths=paths))

    async def show_difference(self, request: Request) -> Response:
        times = {name: datetime.fromisoformat(request.query_params[name]) for name in ("since", "until")}
        return _json(self.difference(**times))

    async def show_topic(self, request: Request) -> Response:
        since = datetime.fromisoformat(request.query_params["since"])
        stays = Place(document_id=make_id(102), source="LLM_docs", path="house/inspection-2026.md")
        documents = [self.difference(since, CHANGED)]
        times = {"since": since, "until": CHANGED}
        topic = request.query_params["q"]
        return _json(TopicDifference(topic=topic, **times, documents=documents, unchanged=[stays], not_compared=[]))

    def difference(self, since: datetime, until: datetime) -> Difference:
        removed, added = (
            Quote(chunk_id=str(make_id(n)), page=3, label="page 3", quote=q) for n, q in ((1, QUOTE), (4, NEW_QUOTE))
        )
        known = {version.observed: version for version in self.versions}
        before, after = known.get(since, self.versions[0]), known.get(until, self.versions[-1])
        return Difference(
            document_id=make_id(101), source="LLM_docs", since=since, until=until, before=before, after=after,
            unchanged=30, changes=[Change(removed=[removed], added=[added])],
        )  # fmt: skip

    async def preview_forgetting(self, request: Request) -> Response:
        return _json(_forgetting(self.find(request.query_params["document"])))

    async def forget(self, request: Request) -> Response:
        order = forgetting.Order.model_validate(await request.json())
        document = self.find(order.document)
        assert order.confirm == document.document_id
        preview = _forgetting(document)
        self.documents.remove(document)
        more = {"forgotten_id": make_id(9), "forgotten_at": CHANGED, "erased": False}
        return _json(forgetting.Forgotten(**preview.model_dump(), **more))

    async def take_back(self, request: Request) -> Response:
        self.taken_back.append(UUID(request.path_params["id"]))
        return Response(status_code=204)

    def find(self, name: str) -> Document:
        return next(document for document in self.documents if str(document.document_id) == name)

    async def list_documents(self, request: Request) -> Response:
        self.listed_as_of = request.query_params.get("as_of")
        return _json(Documents(documents=self.documents, sources=self.sources))

    def files(self, request: Request) -> list[library.File]:
        """Return the files of the folder, states and text that are asked for."""
        files = [*map(_file, self.documents), *self.others]
        folder, text = request.query_params.get("folder", ""), request.query_params.get("text", "").lower()
        states = request.query_params.getlist("state")
        inside = [file for file in files if not folder or f"{file.source}/{file.path}".startswith(f"{folder}/")]
        return [file for file in inside if text in file.path.lower() and (not states or file.state in states)]

    async def show_library(self, request: Request) -> Response:
        folder, files = request.query_params.get("folder", ""), self.files(request)
        below: dict[str, list[library.File]] = {name.name: [] for name in self.sources} if not folder else {}
        for file in files:
            rest = f"{file.source}/{file.path}".removeprefix(f"{folder}/" if folder else "")
            if "/" in rest:
                below.setdefault(rest.split("/")[0], []).append(file)
        read, left = (len([f for f in files if f.state in states]) for states in (("read",), ("waiting", "found")))
        total = read + left + len([f for f in files if f.state == "failed"])
        rest = f", about {self.minutes_left} minutes left" if self.minutes_left else ""
        progress = library.Progress(
            read=read, total=total, files_per_minute=None, minutes_left=self.minutes_left,
            text=f"{read} of {total} read{rest}",
        )  # fmt: skip
        return _json(
            library.Library(
                folder=folder,
                counts=_counts(files),
                folders=[
                    library.Folder(path=f"{folder}/{name}".strip("/"), name=name, counts=_counts(of_folder))
                    for name, of_folder in sorted(below.items())
                ],
                shares=[library.Share(**source.model_dump(), scanned=MODIFIED) for source in self.sources],
                progress=progress,
            )
        )

    async def list_files(self, request: Request) -> Response:
        offset, limit = (int(request.query_params.get(name, at)) for name, at in (("offset", 0), ("limit", 100)))
        files = self.files(request)
        return _json(library.Files(total=len(files), files=files[offset : offset + limit]))

    async def export_files(self, request: Request) -> Response:
        text = "file\n" + "".join(f"{file.source}/{file.path}\n" for file in self.files(request))
        return Response(text, media_type="text/csv", headers={"Content-Disposition": "attachment"})

    async def retry(self, request: Request) -> Response:
        order = await request.json()
        self.retried.append(order)
        if order.get("path") == "LLM_docs/scans/gone.pdf":
            return JSONResponse({"message": "There is no such file.", "next_step": "Read the list again."}, 404)
        for number, document in enumerate(self.documents):
            if document.state == "failed":
                self.documents[number] = document.model_copy(update={"state": "pending", "error": None})
        return _json(library.Retried(retried=1, checked=0, text="1 file is read next."))

    async def read_backups(self, _: Request) -> Response:
        return _json(self.backups)

    async def open_passage(self, request: Request) -> Response:
        number = UUID(request.path_params["chunk_id"]).int
        if passage := self.originals.passage(number, SOURCES[0]):
            return _json(passage)
        if number not in (1, 4):
            return JSONResponse({"detail": "The passage is no longer there: its document was changed."}, 404)
        place = SOURCES[0].model_dump(include=set(PassageView.model_fields))
        if number == 4:
            place |= {"chunk_id": str(make_id(4)), "modified": CHANGED}
            return _json(make_passage(**place, before=BEFORE, text=TEXT.replace(QUOTE, NEW_QUOTE), after=AFTER))
        return _json(make_passage(**place, before=BEFORE, text=TEXT, after=AFTER))

    async def ask(self, request: Request) -> Response:
        body = await request.json()
        question: str = body.pop("question")
        self.asked.append(question)
        self.times.append(body)
        if "down" in question:
            return JSONResponse({"message": "The index does not answer.", "next_step": "Wait a minute."}, 503)

        async def events() -> AsyncIterator[ServerSentEvent]:
            try:
                async for event in self.answer_of(question, body):
                    yield ServerSentEvent(event=_NAMES[type(event)], data=event.model_dump_json())
            except asyncio.CancelledError:
                self.left += 1
                raise

        return EventSourceResponse(events())

    async def answer_of(self, question: str, time: dict[str, Any]) -> AsyncIterator[BaseModel]:
        """Yield the events for a question about a time, or about now."""
        if time.get("as_of", "9") < BEGINS.date().isoformat():
            yield Sources(sources=[])
            done = _done("There is no history before 2026-03-14 09:00 UTC.", [], "no_evidence")
            yield done.model_copy(update={"history_begins": BEGINS})
            return
        async for event in self.answer(question):
            if isinstance(event, Sources):
                event = _with_time(event, question, time)
            yield event

    async def answer(self, question: str) -> AsyncIterator[BaseModel]:
        if shown := self.originals.cited(question, SOURCES[0]):
            source, citation = shown
            yield Sources(sources=[source])
            yield _done("See the passage.", [citation])
            return
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
        pause = "[1]." if "marker" in question else "filter"
        for word in answer.split(" "):
            yield Token(text=f"{word} ")
            while "pause" in question and word == pause and not self.go_on.is_set():
                await asyncio.sleep(0.01)
        yield _done(answer, [Citation(source=1, quote=QUOTE, page=3, label="page 3")])


def _with_time(event: Sources, question: str, time: dict[str, Any]) -> Sources:
    understood = LAST_SPRING if LAST_SPRING.text in question and not time else None
    if not understood and "as_of" not in time:
        return event
    day = understood.last if understood else date.fromisoformat(time["as_of"])
    at = datetime.combine(day or date.max, datetime.min.time(), UTC).replace(hour=21)
    past = Past(since=at, at=at, history_begins=BEGINS, unread=0)
    sources = [event.sources[0].model_copy(update={"superseded": SUPERSEDED}), *event.sources[1:]]
    return Sources(sources=sources, as_of=past, understood=understood)


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
