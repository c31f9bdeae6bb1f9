# SPDX-License-Identifier: GPL-3.0-or-later
"""Scanned pages: what else a document has is answered from at once, and the pages once they are recognised."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from tars_app.adapters.deadline import Deadline
from tars_app.documents import repository
from tars_app.documents.ingest import ingest
from tars_app.documents.recognition import Recognition
from tars_app.documents.reconcile import reconcile
from tars_app.kit.instants import TimeRequest
from tars_app.library import service as library
from tars_app.library.repository import Selection
from tars_app.originals.pages import NOT_FOUND, page_of
from tars_app.originals.pages import picture as draw_picture
from tars_app.originals.service import Originals
from tars_app.retrieval.places import Passage, open_passage
from tars_app.retrieval.service import search
from tars_app.retrieval.views import view
from tars_app.snapshots import service
from tars_app.snapshots.ingest import ingest_earlier, read_scanned

from ....letters import page, written
from ..conftest import Stack
from ..helpers import INVARIANTS, RECOGNITION_S, ask, wait_for_state, wait_until_gone
from ..past import SOURCE, Store

pytestmark = pytest.mark.integration

RENT = "The monthly rent is 910 EUR."
DEPOSIT = "The deposit is 1,820 EUR."
LONG_AGO = datetime(2023, 1, 1, tzinfo=UTC).timestamp()
CELLAR = "The cellar belongs to the flat."


def picture(text: str) -> Image.Image:
    """Return the top of a scanned page."""
    return page(text, points=14).crop((0, 0, 1654, 500))


def pdf(*pages: str | Image.Image) -> bytes:
    """Return a PDF of pages with a text layer, and of scanned ones."""
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    for entry in pages:
        if isinstance(entry, str):
            canvas.drawString(72, 700, entry)
        else:
            canvas.drawImage(ImageReader(entry), 0, 400, A4[0], A4[0] * entry.height / entry.width)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def tiff(*texts: str) -> bytes:
    images = [picture(text) for text in texts]
    return written(images[0], "TIFF", save_all=True, append_images=images[1:], compression="tiff_adobe_deflate")


class Share:
    """A share, and the worker's steps on it."""

    def __init__(self, store: Store, folder: Path) -> None:
        settings = store.dependencies.settings
        own = {"documents": [folder], "require_mount": False, "chroma_url": "http://127.0.0.1:9"}
        own |= {"history_shares": [SOURCE], "history_days": 36500}
        self.dependencies = replace(store.dependencies, settings=settings.model_copy(update=own))
        self.folder = folder / SOURCE
        self.folder.mkdir(parents=True)
        self.pool = store.pool
        self.recognition = Recognition(self.dependencies, read_scanned)

    def write(self, name: str, content: bytes) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (LONG_AGO, LONG_AGO))

    def scan(self) -> None:
        """Follow the share, and read what is not recognised."""
        reconcile(self.pool, self.dependencies.settings, lambda: None)
        for version in repository.waiting(self.pool):
            ingest(self.dependencies, version)
        self.check()

    def recognize_all(self) -> int:
        """Recognise what waits; return in how many steps: one for each page, and one for each document."""
        steps = 0
        while self.recognition.recognize_next():
            steps += 1
        self.check()
        return steps

    def check(self) -> None:
        with self.pool.connection() as connection:
            for wrong in INVARIANTS:
                assert connection.execute(wrong).fetchall() == [], wrong

    def found(self, question: str) -> list[Passage]:
        """Search exactly, without Chroma, as at a time in the past."""
        return list(search(self.dependencies, question, 5, TimeRequest(datetime.now(UTC))).passages)

    def sql(self, query: str) -> list[dict[str, Any]]:
        with self.pool.connection() as connection:
            return connection.execute(query).fetchall()

    def describe(self, name: str) -> tuple[str, str | None, str | None]:
        file = library.find(self.pool, name)
        return file.state, file.reason, file.note


@pytest.fixture
def share(store: Store, tmp_path: Path) -> Iterator[Share]:
    with store.pool.connection() as connection:
        connection.execute("TRUNCATE volatile.snapshots, volatile.queued, volatile.vector_changes")
    yield Share(store, tmp_path / "documents")


def test_a_document_is_answered_from_before_its_scanned_pages_are_recognised(share: Share) -> None:
    share.write("lease.pdf", pdf(CELLAR, picture(RENT), CELLAR + " It is dry."))
    share.scan()
    assert share.describe("lease.pdf") == ("read", None, "1 of 3 pages is scanned and has no text yet: 2.")
    before = {passage.label: passage for passage in share.found("cellar")}
    assert set(before) == {"page 1", "page 3"} and share.found("monthly rent") == []
    assert share.recognize_all() == 2
    [rent] = [passage for passage in share.found("monthly rent") if "910" in passage.text]
    assert (rent.text, rent.page, rent.label) == (RENT, 2, "page 2, recognised")
    assert share.describe("lease.pdf") == ("read", None, None)
    for passage in before.values():
        opened = open_passage(share.pool, passage.chunk_id)
        assert opened and (opened[0].text, opened[0].label) == (passage.text, passage.label)
        assert opened[0].version_id == rent.version_id != passage.version_id
    assert share.sql("SELECT FROM recognitions") == []


def test_a_mail_is_answered_from_before_its_attached_scans_are_recognised(share: Share) -> None:
    written_mail = EmailMessage()
    written_mail["From"], written_mail["Subject"] = "Jane Doe <jane@example.org>", "The flat"
    written_mail.set_content(CELLAR)
    for name, attached in (("lease.png", written(picture(RENT))), ("deposit.pdf", pdf(CELLAR, picture(DEPOSIT)))):
        kind, subtype = ("image", "png") if name.endswith("png") else ("application", "pdf")
        written_mail.add_attachment(attached, maintype=kind, subtype=subtype, filename=name)
    blank = written(Image.effect_noise((400, 400), 20))
    written_mail.add_attachment(blank, maintype="image", subtype="png", filename="photo.png")
    share.write("flat.eml", written_mail.as_bytes())
    share.scan()
    waiting = "Not recognised yet: attachment lease.png; attachment deposit.pdf, page 2; attachment photo.png."
    assert share.describe("flat.eml") == ("read", None, waiting)
    before = {passage.label: passage for passage in share.found("cellar")}
    assert set(before) == {"message", "attachment deposit.pdf, page 1"} and share.found("monthly rent") == []
    assert share.recognize_all() == 4
    [rent] = [passage for passage in share.found("monthly rent") if "910" in passage.text]
    assert (rent.text, rent.label) == (RENT, "attachment lease.png, recognised")
    assert rent.header == "Subject: The flat\nFrom: Jane Doe <jane@example.org>"
    [deposit] = [passage for passage in share.found("deposit") if "1,820" in passage.text]
    assert (deposit.text, deposit.label) == (DEPOSIT, "attachment deposit.pdf, page 2, recognised")
    assert share.describe("flat.eml") == ("read", None, "No text was recognised in attachment photo.png.")
    for passage in before.values():
        opened = open_passage(share.pool, passage.chunk_id)
        assert opened and (opened[0].text, opened[0].label) == (passage.text, passage.label)
    shown = view(share.pool, rent, "", "", RENT)
    assert not shown.has_page and [field.value for field in shown.mail] == ["The flat", "Jane Doe <jane@example.org>"]


@pytest.mark.parametrize("name", ["lease.pdf", "lease.png"])
def test_a_quotation_is_marked_on_the_picture_of_a_scanned_page(share: Share, name: str) -> None:
    """The mark lies around what is dark on the page, which has nothing else."""
    share.write(name, pdf(picture(RENT)) if name.endswith("pdf") else written(picture(RENT)))
    share.scan()
    share.recognize_all()
    [passage] = share.found("monthly rent")
    originals = Originals(share.dependencies, Deadline(60))
    shown = page_of(originals, passage, "", RENT)
    [mark] = shown.marks
    with Image.open(BytesIO(draw_picture(originals, shown.version_id, 1))) as drawn:
        assert abs(drawn.width / drawn.height - shown.width / shown.height) < 0.01
        dark = drawn.convert("L").point(lambda value: 255 * (value < 128)).getbbox()
        assert dark
        left, right = dark[0] / drawn.width, dark[2] / drawn.width
        top, bottom = dark[1] / drawn.height, dark[3] / drawn.height
    assert (mark.left, mark.right) == pytest.approx((left, right), abs=0.02)
    assert (mark.top, mark.bottom) == pytest.approx((top, bottom), abs=0.03)
    [part] = page_of(originals, passage, "", "910 EUR").marks
    assert (part.top, part.right) == pytest.approx((mark.top, mark.right), abs=0.01)
    assert part.left > (mark.left + mark.right) / 2
    assert page_of(originals, passage, "", "another text").note == NOT_FOUND


def test_scans_wait_for_no_other_and_the_shortest_is_first(share: Share) -> None:
    share.write("long.tif", tiff(RENT, DEPOSIT, CELLAR))
    share.write("short.png", written(picture(RENT)))
    share.write("note.txt", b"The bins are emptied on Tuesdays.")
    share.scan()
    assert repository.waiting(share.pool) == [], "no scan is read twice, nor takes a place in the queue"
    assert share.describe("note.txt")[0] == "read"
    waits = "It is a scan, whose text is recognised after the other documents."
    assert {share.describe(name)[:2] for name in ("long.tif", "short.png")} == {("waiting", waits)}
    for _ in range(2):
        assert share.recognition.recognize_next()
    assert share.describe("short.png")[0] == "read" and share.describe("long.tif")[0] == "waiting"
    assert share.recognition.recognize_next()
    reading = ("reading", "Its text is being recognised: page 2 of 3.")
    assert share.describe("long.tif")[:2] == reading
    assert library.overview(share.pool, Selection()).counts.reading == 1
    # A new worker goes on where the last one ended.
    share.recognition = Recognition(share.dependencies, read_scanned)
    repository.forget_queued(share.pool)
    assert share.recognize_all() == 3
    [deposit] = [passage for passage in share.found("deposit") if passage.text == DEPOSIT]
    assert (deposit.path, deposit.label) == ("long.tif", "page 2, recognised")


def test_a_copy_is_not_recognised_again(share: Share) -> None:
    share.write("scan.png", written(picture(RENT)))
    share.scan()
    assert share.recognize_all() == 2
    share.write("copy.png", written(picture(RENT)))
    share.scan()
    assert share.recognize_all() == 1
    assert {passage.path for passage in share.found("monthly rent")} | {
        place.path for passage in share.found("monthly rent") for place in passage.also_in
    } == {"scan.png", "copy.png"}


def test_a_page_that_fails_is_named_and_the_others_are_kept(share: Share) -> None:
    content = bytearray(tiff(RENT, DEPOSIT, CELLAR))
    with Image.open(BytesIO(bytes(content))) as image:
        image.seek(1)
        start = image.tag_v2[273][0]  # type: ignore[attr-defined]  # only TIFF images have it
    content[start : start + 40] = bytes(40)
    share.write("damaged.tif", bytes(content))
    share.write("empty.png", written(Image.new("L", (800, 800), 255)))
    share.scan()
    share.recognize_all()
    state, _, note = share.describe("damaged.tif")
    assert state == "read" and note and note.startswith("Page 2 could not be recognised: The picture is damaged"), note
    assert {passage.label for passage in share.found("rent cellar")} == {"page 1, recognised", "page 3, recognised"}
    assert share.describe("empty.png")[:2] == ("failed", "No text was recognised on its pages.")
    library.retry(share.pool, "empty.png", None)
    share.scan()
    share.recognize_all()
    assert share.describe("empty.png")[0] == "failed"


def test_a_file_that_is_replaced_before_it_is_recognised(share: Share) -> None:
    share.write("lease.pdf", pdf(CELLAR, picture(RENT)))
    share.write("scan.png", written(picture(RENT)))
    share.scan()
    share.write("lease.pdf", pdf(CELLAR, picture(DEPOSIT)))
    (share.folder / "scan.png").unlink()
    share.recognize_all()
    assert share.sql("SELECT FROM recognized_pages") == [], "the files are others, or gone: they are tried again later"
    share.scan()
    assert share.recognize_all() == 2
    assert [passage.text for passage in share.found("deposit")] == [DEPOSIT]
    notes = share.sql("SELECT index_note FROM versions WHERE state = 'indexed' AND seen_to IS NOT NULL")
    assert notes == [{"index_note": "1 of 2 pages has no text: 2."}]


def test_versions_of_the_past_are_recognised_from_snapshots(share: Share) -> None:
    share.write("#snapshot/GMT+01-2024.01.14-05.00.00/lease.pdf", pdf(CELLAR, picture(RENT)))
    share.write("#snapshot/GMT+01-2024.06.01-05.00.00/scan.png", written(picture(DEPOSIT)))
    share.write("lease.pdf", pdf(CELLAR, picture("The monthly rent is 950 EUR.")))
    share.scan()
    share.recognize_all()
    queued: list[Any] = [None]
    while queued:
        queued.clear()
        service.import_snapshots(share.pool, share.dependencies.settings, lambda: None)
        service.queue_earlier(share.pool, queued.append)
        for version in queued:
            ingest_earlier(share.dependencies, version)
    assert share.recognize_all() > 0
    texts = [row["text"] for row in share.sql("SELECT text FROM passages WHERE NOT searchable ORDER BY text")]
    assert texts == [DEPOSIT, RENT]
    assert (
        share.sql("SELECT FROM recognitions") == [] and share.sql("SELECT FROM versions WHERE state = 'pending'") == []
    )


def test_a_scanned_letter_is_answered_with_a_citation(stack: Stack) -> None:
    path = "letters/caretaker.jpg"
    (stack.share / "letters").mkdir(exist_ok=True)
    text = "The caretaker of the house is Ottokar Brandl.\nHis workshop is behind the laundry."
    (stack.share / path).write_bytes(written(page(text, points=14), "JPEG", quality=80))
    assert wait_for_state(stack, path, "indexed", RECOGNITION_S)["pages"] == 1
    [first, *_] = stack.get("/api/search", q="caretaker Ottokar Brandl")["results"]
    assert first["path"] == path and first["label"] == "page 1, recognised" and "Ottokar Brandl" in first["text"]
    events = ask(stack, "Who is the caretaker of the house?")
    [source] = [source for source in events[0][1]["sources"] if source["path"] == path]
    cited = [citation for citation in events[-1][1]["citations"] if citation["source"] == source["id"]]
    assert {citation["label"] for citation in cited} == {"page 1, recognised"}
    (stack.share / path).unlink()
    wait_until_gone(stack, path)
