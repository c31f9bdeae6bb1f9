# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the pictures of the page for the documentation, in Debian's Chromium.

    PYTHONPATH=app:library .venv/bin/python -m tests.integration.page.picture

The documents are those of the demo, and the answers those of the lab's small model, checked and quoted by the
application's own code.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import sync_playwright
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from tars_app.answers.check import NOTES, AnswerCheck, quotes_of
from tars_app.answers.grounding import Evidence
from tars_app.answers.quotes import Quotable
from tars_app.answers.schemas import Citation, Done, SourceEntry, Sources, Token
from tars_app.documents.parsers import process
from tars_app.documents.parsers.model import Section
from tars_app.retrieval.schemas import PassageView
from tars_app.retrieval.service import excerpt

from .conftest import ARGUMENTS
from .originals import make_passage
from .script import SOURCES, Script, Server, make_id

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "library/tars_provision/assistant/samples"


@dataclass(frozen=True)
class Scene:
    """A question, the model's answer, and the page of a sample that it is from; `opened`: with its citation opened."""

    picture: str
    question: str
    answer: str
    document: str
    page: int
    opened: bool = False


SCENES = [
    Scene(
        "docs/page.png",
        "What does error code E15 of the dishwasher mean?",
        "The error code E15 of the dishwasher means that the water has collected in the base tray and the float switch "
        "has stopped the machine.",
        "dishwasher.pdf",
        2,
    ),
    Scene(
        "docs/original.png",
        "What does error code E15 of the dishwasher mean?",
        "The error code E15 of the dishwasher means that the water has collected in the base tray and the float switch "
        "has stopped the machine.",
        "dishwasher.pdf",
        2,
        opened=True,
    ),
    Scene(
        "docs/marks.png",
        "When was the boiler installed?",
        "The boiler was installed on October 20, 2026, by Brandt Heating.",
        "heating.md",
        0,
    ),
]


class Pictured(Script):
    """The scripted API with the demo's documents and one scene."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self.scene = scene
        names = sorted(path.name for path in SAMPLES.iterdir())
        self.documents = [
            self.documents[0].model_copy(update={"document_id": make_id(number), "path": name, "pages": None})
            for number, name in enumerate(names)
        ]
        self.originals.pdf = (SAMPLES / scene.document).read_bytes()
        self.originals.name, self.originals.page = scene.document, scene.page

    async def open_passage(self, _: Request) -> Response:
        page = _page(self.scene)
        place = _source(self.scene, page).model_dump(include=set(PassageView.model_fields))
        passage = make_passage(**place, before="", text=page.text, after="", has_page=True)
        return Response(passage.model_dump_json(), media_type="application/json")

    async def answer(self, question: str) -> AsyncIterator[BaseModel]:
        """Yield the events of the scene, as the application makes them."""
        scene = self.scene
        page = _page(scene)
        yield Sources(sources=[_source(scene, page)])
        check = AnswerCheck(Evidence(question, [(scene.document, page.text)]))
        yield Token(text=scene.answer)
        for sentence in [*check.add(scene.answer), *check.finish()]:
            yield sentence.event()
        quotes = quotes_of(question, check, Quotable(check.evidence.sources, [1.0]))
        yield Done(
            answer=scene.answer,
            support=check.support,
            note=NOTES.get(check.support),
            sentences=[sentence.event() for sentence in check.checked],
            citations=[
                Citation(source=1, quote=quote.text, page=scene.page or None, label=page.label, sentences=numbers)
                for quote, numbers in quotes
            ],
            model="smollm2:135m",
            prompt_tokens=300,
            answer_tokens=30,
            duration_s=1.1,
        )


def _page(scene: Scene) -> Section:
    pages = process.parse(scene.document, (SAMPLES / scene.document).read_bytes()).sections
    return next((page for page in pages if page.number == scene.page), pages[0])


def _source(scene: Scene, page: Section) -> SourceEntry:
    entry = SOURCES[0].model_copy(update={"path": scene.document, "title": scene.document, "also_in": []})
    return entry.model_copy(update={"page": scene.page or None, "label": page.label, "excerpt": excerpt(page.text)})


def main() -> int:
    """Take all pictures; return the exit code."""
    browser_path = shutil.which("chromium")
    if not browser_path:
        print("The pictures need a browser. Next step: apt-get install chromium", file=sys.stderr)
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=ARGUMENTS)
        for scene in SCENES:
            server = Server(ROOT / "no-authority.pem", Pictured(scene)).start()
            page = browser.new_page(viewport={"width": 1200, "height": 720}, reduced_motion="reduce", locale="en-GB")
            page.goto(server.url)
            page.get_by_label("Your question").fill(scene.question)
            page.keyboard.press("Enter")
            page.locator(".made").get_by_text("1 passage").wait_for(timeout=15_000)
            if scene.opened:
                page.locator(".evidence").get_by_role("button").first.click()
                page.locator("#passage rect").first.wait_for(timeout=15_000)
                page.locator("#passage .download a").wait_for(timeout=15_000)
            page.screenshot(path=ROOT / scene.picture)
            page.close()
            server.stop()
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
