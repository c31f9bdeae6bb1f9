# SPDX-License-Identifier: GPL-3.0-or-later
"""The files behind citations: downloaded as they were read, shown as pages, sheets and mails, or refused."""

from __future__ import annotations

import csv
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import openpyxl
import pytest
from PIL import Image
from pydantic import SecretStr

from tars_app.adapters.deadline import Deadline
from tars_app.dependencies import make_dependencies
from tars_app.kit.errors import UnavailableError
from tars_app.originals.service import Originals
from tars_app.settings import Settings

from ..conftest import Stack, wait_for
from ..helpers import wait_for_state, wait_until_gone, write_pdf

pytestmark = pytest.mark.integration

FOLDER = "originals"
PDF = "Wärme “pumpe”.pdf"
BEDS = [["Plant", "Bed"], ["Zucchini Ambassador", "north"], ["Bean Neckarkönigin", "south"]]
HEADER = {
    "From": "Ada Kramer <ada@example.org>",
    "To": "house@example.org",
    "Date": "Mon, 04 May 2026 18:20:00 +0200",
    "Subject": "Chimney sweep",
}
PAGES = ["The first page has other words.", "The pump is the model\nNIBE S1255 and weighs\n150 kilograms."]


def link_outside(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def link_inside(path: Path) -> None:
    path.rename(path.with_name("same content.txt"))
    path.symlink_to("same content.txt")


def link_folder(path: Path) -> None:
    outside = path.parents[4] / "outside"
    shutil.move(path.parent, outside)
    path.parent.symlink_to(outside)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


REPLACEMENTS = {"outside": link_outside, "inside": link_inside, "folder": link_folder, "pipe": pipe}
"""What is put in place of a file, by the name of its folder."""


def get(stack: Stack, path: str, **query: Any) -> httpx.Response:
    return httpx.get(f"{stack.url}{path}", params=query, timeout=60, trust_env=False)


def put(stack: Stack, name: str, content: bytes) -> Path:
    path = stack.share / FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def first_version(stack: Stack, name: str) -> str:
    rows = stack.sql(
        """SELECT v.id::text FROM versions v JOIN documents d ON d.id = v.document_id
           WHERE d.path IN (%s, %s) ORDER BY v.seen_from LIMIT 1""",
        name,
        f"{FOLDER}/{name}",
    )
    return str(rows[0][0])


def found(stack: Stack, query: str, name: str) -> dict[str, Any]:
    results = [result for result in stack.get("/api/search", q=query)["results"] if result["title"] == name]
    assert results, query
    result: dict[str, Any] = results[0]
    return result


def file_of(stack: Stack, version: str) -> httpx.Response:
    return get(stack, f"/api/originals/{version}/file")


def make_workbook() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Costs"
    sheet.append(["Item", "Amount", "Paid by"])
    for number in range(2, 402):
        sheet.append([f"Receipt {number * 7919}", number * 1.25, "Ada" if number % 2 else "Ben"])
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def make_mail() -> bytes:
    message = EmailMessage()
    for name, value in HEADER.items():
        message[name] = value
    filler = [f"Paragraph {number} of a long mail about the garden and its {number} trees." for number in range(60)]
    message.set_content("\n\n".join([*filler, "The sweep Quirin Lorch comes on 12 May at nine."]))
    return message.as_bytes()


@pytest.fixture(scope="module")
def files(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files on the share that are read, by name."""
    path = tmp_path_factory.mktemp("pdf") / "pump.pdf"
    write_pdf(path, PAGES)
    contents = {
        PDF: path.read_bytes(),
        "costs.xlsx": make_workbook(),
        "beds.csv": "\n".join(";".join(row) for row in BEDS).encode(),
        "sweep.eml": make_mail(),
        "changing.txt": b"The code of the shed is 1111.",
        "unnoticed.txt": b"The old gate is green.",
        "longer.txt": b"The old fence is green.",
        "missing.txt": b"The old hedge is green.",
        "key.txt": b"The spare key hangs behind the water meter.",
        "snapped.txt": b"The hall is white.",
        "secret.txt": b"The diary of 1994 is under the bed.",
        **{f"{name}/closed.txt": f"The {name} of the attic is closed in winter.".encode() for name in REPLACEMENTS},
    }
    for name, content in contents.items():
        put(stack, name, content)
    for name in contents:
        wait_for_state(stack, f"{FOLDER}/{name}", "indexed")
    return contents


def test_a_file_is_downloaded_as_it_was_read(stack: Stack, files: dict[str, bytes]) -> None:
    content, version = files[PDF], first_version(stack, PDF)
    answer = file_of(stack, version)
    assert answer.status_code == 200 and answer.content == content
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-length"] == str(len(content))
    disposition = (
        "attachment; filename=\"W_rme _pumpe_.pdf\"; filename*=UTF-8''W%C3%A4rme%20%E2%80%9Cpumpe%E2%80%9D.pdf"
    )
    assert answer.headers["content-disposition"] == disposition
    assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    described = stack.get(f"/api/originals/{version}")
    assert (described["path"], described["size"], described["name"]) == (f"{FOLDER}/{PDF}", len(content), PDF)


def test_the_page_of_a_citation_is_a_picture_with_marks(stack: Stack, files: dict[str, bytes]) -> None:
    passage = found(stack, "How much does the NIBE S1255 weigh?", PDF)
    quote = "model\nNIBE S1255 and weighs\n150 kilograms."
    view = stack.get(f"/api/passages/{passage['chunk_id']}")
    assert view["has_page"] and view["version_id"] == first_version(stack, PDF)
    page = stack.get(f"/api/passages/{passage['chunk_id']}/page", quote=quote)
    assert (page["page"], page["note"], len(page["marks"])) == (2, None, 3)
    picture = get(stack, f"/api/originals/{page['version_id']}/pages/2")
    assert picture.headers["content-type"] == "image/png"
    with Image.open(BytesIO(picture.content)) as image:
        assert abs(image.width / image.height - page["width"] / page["height"]) < 0.001
        for mark in page["marks"]:
            width, height = image.size
            corners = (mark["left"] * width, mark["top"] * height, mark["right"] * width, mark["bottom"] * height)
            assert min(image.convert("L").crop(corners).tobytes()) < 100, "there is text under each mark"
    elsewhere = stack.get(f"/api/passages/{passage['chunk_id']}/page", quote="words that are not there")
    assert elsewhere["marks"] == [] and "nothing is marked" in elsewhere["note"]
    missing = get(stack, f"/api/originals/{page['version_id']}/pages/3")
    assert missing.status_code == 409 and "no page 3" in missing.json()["message"] and missing.json()["next_step"]


def test_the_cell_of_a_sheet_is_marked_with_the_rows_around_it(stack: Stack, files: dict[str, bytes]) -> None:
    number = 300
    item, amount = f"Receipt {number * 7919}", f"{number * 1.25:g}"
    passage = found(stack, f"What is the amount of {item}?", "costs.xlsx")
    view = stack.get(f"/api/passages/{passage['chunk_id']}", quote=f"{item}\t{amount}")
    table = view["table"]
    assert (table["columns"], table["titles"]) == (["A", "B", "C"], ["Item", "Amount", "Paid by"])
    assert [row["number"] for row in table["rows"]] == list(range(number - 4, number + 5))
    sheet = openpyxl.load_workbook(BytesIO(files["costs.xlsx"]))["Costs"]  # which numbers the rows by itself
    for row in table["rows"]:
        assert [cell["text"] for cell in row["cells"]] == [str(cell.value) for cell in sheet[row["number"]]]
        assert [cell["marked"] for cell in row["cells"]] == [row["number"] == number] * 2 + [False]
    assert not view["has_page"] and get(stack, f"/api/passages/{passage['chunk_id']}/page").status_code == 409


def test_a_table_as_text_has_rows_and_columns_too(stack: Stack, files: dict[str, bytes]) -> None:
    passage = found(stack, "Where is the Neckarkönigin?", "beds.csv")
    table = stack.get(f"/api/passages/{passage['chunk_id']}", quote="south")["table"]
    marked = [(row["number"], n) for row in table["rows"] for n, cell in enumerate(row["cells"]) if cell["marked"]]
    assert marked == [(3, 1)] and table["titles"] == []  # the header row is among them
    rows = list(csv.reader(files["beds.csv"].decode().splitlines(), delimiter=";"))
    assert [[cell["text"] for cell in row["cells"]] for row in table["rows"]] == rows


def test_a_mail_has_its_header(stack: Stack, files: dict[str, bytes]) -> None:
    passage = found(stack, "When does Quirin Lorch come?", "sweep.eml")
    view = stack.get(f"/api/passages/{passage['chunk_id']}")
    assert {field["name"]: field["value"] for field in view["mail"]} == HEADER
    assert "From:" not in view["before"]


def test_a_file_that_was_replaced_is_gone_until_it_is_back(stack: Stack, files: dict[str, bytes]) -> None:
    version = first_version(stack, "changing.txt")
    put(stack, "changing.txt", b"The code of the shed is 2222.")
    wait_for(lambda: file_of(stack, version).status_code == 410, "the new version to be on record")
    body = file_of(stack, version).json()
    assert "was replaced by another content on 20" in body["message"] and body["next_step"]
    put(stack, "changing.txt", files["changing.txt"])
    wait_for(lambda: file_of(stack, version).status_code == 200, "the first content to be back")


def test_a_deleted_file_is_gone_with_its_date_and_a_copy_takes_its_place(stack: Stack, files: dict[str, bytes]) -> None:
    version = first_version(stack, "key.txt")
    (stack.share / FOLDER / "key.txt").unlink()
    wait_until_gone(stack, f"{FOLDER}/key.txt")
    gone = file_of(stack, version)
    assert gone.status_code == 410 and "was deleted on 20" in gone.json()["message"]
    put(stack, "copy of the key.txt", files["key.txt"])
    wait_for(lambda: file_of(stack, version).status_code == 200, "a file with its content to be on record")
    assert file_of(stack, version).content == files["key.txt"]


def test_a_version_that_a_snapshot_of_the_nas_still_has(stack: Stack, files: dict[str, bytes]) -> None:
    version = first_version(stack, "snapped.txt")
    put(stack, "snapped.txt", b"The hall is green.")
    wait_for(lambda: file_of(stack, version).status_code == 410, "the new version to be on record")
    name = "GMT+00-2024.01.14-05.00.00"
    stack.sql(
        """INSERT INTO volatile.snapshots (source, name, taken, state)
           SELECT 'LLM_docs', %s, seen_from, 'watched' FROM versions WHERE id = %s::uuid RETURNING 1""",
        name,
        version,
    )
    snapped = stack.share / "#snapshot" / name / FOLDER / "snapped.txt"
    snapped.parent.mkdir(parents=True)
    snapped.write_bytes(b"Another text.")
    other = file_of(stack, version)
    assert other.status_code == 410 and "was replaced" in other.json()["message"]
    snapped.write_bytes(files["snapped.txt"])
    assert file_of(stack, version).content == files["snapped.txt"]
    assert stack.get(f"/api/originals/{version}")["snapshot"] == name
    stack.sql("DELETE FROM volatile.snapshots RETURNING 1")
    shutil.rmtree(stack.share / "#snapshot")


def test_a_forgotten_document_is_not_handed_out(stack: Stack, files: dict[str, bytes]) -> None:
    version = first_version(stack, "secret.txt")
    document = stack.get("/api/history", document=f"{FOLDER}/secret.txt")["document_id"]
    body = {"document": document, "confirm": document}
    httpx.post(f"{stack.url}/api/forget", json=body, timeout=60, trust_env=False).raise_for_status()
    assert (stack.share / FOLDER / "secret.txt").exists()
    answer = file_of(stack, version)
    assert (answer.status_code, answer.json()["code"]) == (404, "no_original")
    assert get(stack, f"/api/originals/{version}").status_code == 404


def test_what_no_scan_has_noticed_yet_is_noticed(stack: Stack, files: dict[str, bytes]) -> None:
    """Other content, links and pipes in place of a file, also where the content behind a link is the one on record."""
    names = ["unnoticed.txt", "longer.txt", "missing.txt", *(f"{name}/closed.txt" for name in REPLACEMENTS)]
    versions = {name: first_version(stack, name) for name in names}
    stack.worker.stop()
    try:
        put(stack, "unnoticed.txt", files["unnoticed.txt"].replace(b"green", b"white"))
        put(stack, "longer.txt", files["longer.txt"] + b" Or was.")
        (stack.share / FOLDER / "missing.txt").unlink()
        for name, replace in REPLACEMENTS.items():
            replace(put(stack, f"{name}/closed.txt", files[f"{name}/closed.txt"]))
        answers = {name: file_of(stack, version) for name, version in versions.items()}
    finally:
        stack.worker.start()
    codes = {name: (answer.status_code, answer.json()["code"]) for name, answer in answers.items()}
    assert codes == {
        "unnoticed.txt": (409, "original_changed"),
        "longer.txt": (409, "original_changed"),
        "missing.txt": (410, "original_gone"),
        **{f"{name}/closed.txt": (409, "original_unreadable") for name in REPLACEMENTS},
    }
    for name, answer in answers.items():
        assert answer.json()["message"].startswith(f"LLM_docs/{FOLDER}/{name}: ") and answer.json()["next_step"]
        assert "/etc" not in answer.text and str(stack.share) not in answer.text
    for name in REPLACEMENTS:
        folder = stack.share / FOLDER / name
        folder.unlink() if folder.is_symlink() else shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "../../etc/passwd", "LLM_docs/originals/costs.xlsx", "1"])
def test_a_path_is_not_an_original(stack: Stack, name: str) -> None:
    for path in (f"/api/originals/{name}", f"/api/originals/{name}/file", f"/api/originals/{name}/pages/1"):
        assert get(stack, path).status_code in (404, 422)


def test_an_unknown_version_has_a_reason(stack: Stack) -> None:
    for path in ("", "/file", "/pages/1"):
        answer = get(stack, f"/api/originals/{uuid4()}{path}")
        assert answer.status_code == 404 and answer.json()["message"] and answer.json()["next_step"]
    version = uuid4()
    assert get(stack, f"/api/passages/{version}.1/page").status_code == 404
    for number in ("0", "-1", "x", "99999999999"):
        assert get(stack, f"/api/originals/{version}/pages/{number}").status_code == 422


def settings_of(stack: Stack) -> Settings:
    values: dict[str, Any] = {
        name.removeprefix("TARS_").lower(): value for name, value in stack.settings.items() if "TARS_" in name
    }
    values.pop("secrets_dir")
    return Settings(**{**values, "postgres_password": SecretStr("not-asked-for")})


def test_a_nas_that_hangs_or_is_off_is_named_and_blocks_nothing(stack: Stack, faulty: tuple[Path, Path]) -> None:
    source, dead = faulty
    (source / "tank.txt").write_text("The oil tank holds 3000 litres.")
    wait_for_state(stack, "tank.txt", "indexed")
    version = first_version(stack, "tank.txt")
    dead.touch()
    off = file_of(stack, version)
    assert off.status_code == 503 and "Input/output error" in off.json()["message"]
    assert off.json()["next_step"] == "Check that the NAS is on and its share is mounted."
    dependencies = make_dependencies(settings_of(stack))
    dead.write_text("hang")
    with dependencies.pool, ThreadPoolExecutor(1) as other:
        waiting = other.submit(file_of, stack, version)
        with pytest.raises(UnavailableError, match="The share Faulty is not available: it has not answered in time"):
            Originals(dependencies, Deadline(1)).find(UUID(version))
        # Both are answered while the share still hangs.
        assert get(stack, "/health").status_code == 200 and get(stack, "/api/library").status_code == 200
        dead.unlink()
        answer = waiting.result(180)
    assert answer.status_code in (200, 503)
    wait_for(lambda: file_of(stack, version).status_code == 200, "the share to be back")
    assert file_of(stack, version).content == (source / "tank.txt").read_bytes()
