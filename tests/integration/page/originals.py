# SPDX-License-Identifier: GPL-3.0-or-later
"""The originals of the scripted API: a PDF, which the application itself draws and marks, a sheet, and a mail."""

from __future__ import annotations

from dataclasses import asdict
from io import BytesIO
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tars_app.answers.schemas import Citation, SourceEntry
from tars_app.documents.parsers.page_view import draw_page, mark_page
from tars_app.originals.media_types import attachment
from tars_app.originals.pages import NOT_FOUND
from tars_app.originals.schemas import Mark, Original, PageView
from tars_app.retrieval.schemas import Cell, MailField, PassageView, Row, Table

VERSION = UUID(int=60)
PDF, SHEET, MAIL = 5, 6, 7
"""Numbers of the passages."""
LINES = [
    "Maintenance of the heat pump",
    "",
    "The brine pressure is checked in spring. The filter must be re-",
    "placed every six months, with lukewarm water and no soap. Then the",
    "counter is set back.",
    *["The contractor writes down each visit in this list."] * 20,
]
PDF_QUOTE = "The filter must be replaced every six months, with lukewarm water and no soap."
SHEET_QUOTE = "184.50"
MAIL_QUOTE = "The sweep comes on 12 May at nine."
FIELDS = [
    MailField(name="From", value="Ada Kramer <ada@example.org>"),
    MailField(name="To", value="house@example.org"),
    MailField(name="Date", value="Mon, 04 May 2026 18:20:00 +0200"),
    MailField(name="Subject", value="Chimney"),
]
_HEAD = "\n".join(f"{field.name}: {field.value}" for field in FIELDS)
_KINDS = {
    "on a page": (PDF, "house/heat pump.pdf", "page 1", PDF_QUOTE),
    "in a sheet": (SHEET, "house/costs.xlsx", "sheet Costs, row 3, column B (Amount)", SHEET_QUOTE),
    "in a mail": (MAIL, "mails/chimney.eml", "", MAIL_QUOTE),
}


def make_passage(**fields: Any) -> PassageView:
    """Return a passage with these fields, and for the others those of a plain text."""
    plain = {"header": "", "has_page": False, "table": None, "mail": []}
    return PassageView(**{**plain, **fields})


class Originals:
    """The files. Tests set `refusal`, the answer (status and body) to every request for them."""

    def __init__(self) -> None:
        self.refusal: tuple[int, dict[str, str]] | None = None
        self.quotation: str | None = None
        """In place of the one that is asked for."""
        self.pdf, self.name, self.page = _make_pdf(), "heat pump.pdf", 1

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/api/passages/{chunk_id}/page", self.show_page),
            Route("/api/originals/{version_id}", self.show_original),
            Route("/api/originals/{version_id}/file", self.download),
            Route("/api/originals/{version_id}/pages/{number:int}", self.draw),
        ]

    def cited(self, question: str, like: SourceEntry) -> tuple[SourceEntry, Citation] | None:
        """Return source and citation for a question about one of the originals."""
        for words, (number, path, label, quote) in _KINDS.items():
            if words in question:
                place = {"path": path, "title": path.rsplit("/", 1)[-1], "page": 1, "label": label, "also_in": []}
                source = like.model_copy(update={**place, "chunk_id": str(UUID(int=number))})
                return source, Citation(source=1, quote=quote, page=1, label=label)
        return None

    def passage(self, number: int, like: SourceEntry) -> PassageView | None:
        """Return the passage of an original."""
        kind = next((kind for kind in _KINDS.values() if kind[0] == number), None)
        if kind is None:
            return None
        _, path, label, quote = kind
        place = like.model_dump(include=set(PassageView.model_fields))
        place |= {"path": path, "title": path.rsplit("/", 1)[-1], "label": label.partition(",")[0], "page": 1}
        place |= {"chunk_id": str(UUID(int=number)), "before": "", "after": ""}
        if number == PDF:
            return make_passage(**place, text=" ".join(LINES[2:5]).replace("re- placed", "replaced"), has_page=True)
        if number == SHEET:
            return make_passage(**place, text=f"Filter\t{quote}\tEUR", header="Item\tAmount\tCurrency", table=_table())
        return make_passage(**place, text=f"{_HEAD}\n\nHello,\n\n{quote} Please open.", header=_HEAD, mail=FIELDS)

    async def show_original(self, _: Request) -> Response:
        if self.refusal:
            return _refused(*self.refusal)
        place = {"source": "LLM_docs", "path": f"house/{self.name}", "name": self.name}
        more = {"snapshot": None, "media_type": "application/pdf", "size": len(self.pdf)}
        return _json(Original(version_id=VERSION, document_id=UUID(int=101), **place, **more))

    async def download(self, _: Request) -> Response:
        headers = {"Content-Disposition": attachment(self.name)}
        return Response(self.pdf, media_type="application/pdf", headers=headers)

    async def show_page(self, request: Request) -> Response:
        if self.refusal:
            return _refused(*self.refusal)
        quotation = self.quotation or request.query_params.get("quote", "")
        page = mark_page("page.pdf", self.pdf, self.page, quotation, "")
        marks = [Mark(**asdict(mark)) for mark in page.marks]
        note = None if marks else NOT_FOUND
        return _json(
            PageView(version_id=VERSION, page=self.page, width=page.width, height=page.height, marks=marks, note=note)
        )

    async def draw(self, request: Request) -> Response:
        return Response(draw_page("page.pdf", self.pdf, request.path_params["number"]), media_type="image/png")


def _make_pdf() -> bytes:
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    for number, line in enumerate(LINES):
        canvas.setFont("Times-Roman", 20 if number == 0 else 13)
        canvas.drawString(72, 750 - 22 * number, line)
    canvas.save()
    return out.getvalue()


def _table() -> Table:
    lines = [
        ("Item", "Amount", "Currency"),
        ("Brine", "96.00", "EUR"),
        ("Filter", SHEET_QUOTE, "EUR"),
        ("Visit", "", ""),
    ]
    rows = [
        Row(number=number, cells=[Cell(text=text, marked=text == SHEET_QUOTE) for text in line])
        for number, line in enumerate(lines, 1)
    ]
    return Table(columns=["A", "B", "C"], titles=[], rows=rows)


def _refused(status: int, body: dict[str, str]) -> Response:
    return JSONResponse(body, status)


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")
