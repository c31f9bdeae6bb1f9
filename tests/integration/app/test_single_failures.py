# SPDX-License-Identifier: GPL-3.0-or-later
"""One bad file, folder, or record never stops the rest, and is named with its reason."""

from __future__ import annotations

import os
import random
import shutil
import string
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tars_app.adapters.file_names import to_text

from .conftest import Stack, wait_for
from .helpers import (
    assert_stores_agree,
    document,
    found_paths,
    log_entries,
    readiness,
    wait_for_state,
    wait_until_gone,
)

pytestmark = pytest.mark.integration

YEAR_S = 365.2425 * 86400
# PostgreSQL's own names of errors (appendix A of its documentation) that concern one statement only.
REFUSALS = [
    "program_limit_exceeded",
    "statement_too_complex",
    "query_canceled",
    "out_of_memory",
    "lock_not_available",
    "deadlock_detected",
    "character_not_in_repertoire",
    "numeric_value_out_of_range",
    "internal_error",
]


def assert_others_are_read(stack: Stack, name: str) -> None:
    """A file that sorts after all others is read, and the service is ready."""
    (stack.share / f"zz {name}.txt").write_text(f"Written after {name}.")
    wait_for_state(stack, f"zz {name}.txt", "indexed")
    wait_for(lambda: readiness(stack)[0] == 200, "readiness")


def dated(folder: Path, year: int, text: str) -> Path:
    """Write a file that its share dates to the middle of a year."""
    file = folder / f"dated {int((year - 1970 + 0.5) * YEAR_S)}.txt"
    file.write_text(text)
    return file


def test_files_dated_in_the_future_are_read_with_the_time_of_reading(stack: Stack, faulty: tuple[Path, Path]) -> None:
    years = (2263, 2300, 9998, 30_000, 200_000_000)
    began = datetime.now(UTC)
    files = {year: dated(faulty[0], year, f"The tax folder of {year} stands in the attic.") for year in years}
    for year, file in files.items():
        entry = wait_for_state(stack, file.name, "indexed")
        assert began <= datetime.fromisoformat(entry["modified"]) <= datetime.now(UTC), year
        assert f"is dated {year}-" in entry["note"] if year < 10_000 else "after the year 9999" in entry["note"]
        assert found_paths(stack, f"tax folder of {year}")[0] == file.name
    assert_others_are_read(stack, "the future")


def test_files_dated_before_all_file_systems_are_read(stack: Stack, faulty: tuple[Path, Path]) -> None:
    for file in [dated(faulty[0], year, f"The deed of {year} hangs in the hall.") for year in (-5000, 1, 1850)]:
        entry = wait_for_state(stack, file.name, "indexed")
        assert entry["modified"].startswith("1900-01-01") and "1900-01-01 is used instead" in entry["note"], file.name
    assert_others_are_read(stack, "the past")


def test_a_plausible_time_takes_the_note_away(stack: Stack) -> None:
    file = stack.share / "touched in 2300.txt"
    file.write_text("The time of this file was a mistake of the camera.")
    os.utime(file, (0, 330.5 * YEAR_S))
    wait_for(lambda: "2300" in ((document(stack, file.name) or {}).get("note") or ""), "the note")
    os.utime(file, (0, 1_600_000_000))
    entry = wait_for(lambda: (e := document(stack, file.name)) and e["note"] is None and e, "the note to go")
    assert entry["modified"].startswith("2020-09-13")


def test_a_sparse_file_of_exabytes_is_refused_by_its_size(stack: Stack) -> None:
    file = stack.share / "sparse.txt"
    with file.open("wb") as sparse:
        try:
            sparse.truncate(2**62)
        except OSError:
            sparse.truncate(2**43)  # ext4 ends at 16 TiB
    try:
        assert f"{file.stat().st_size:,} bytes" in wait_for_state(stack, file.name, "failed")["error"]
        assert_others_are_read(stack, file.name)
    finally:
        file.unlink()


def test_a_path_longer_than_an_index_row_is_read(stack: Stack) -> None:
    letters = random.Random(8).choices(string.ascii_letters, k=14 * 200)  # PostgreSQL compresses what repeats
    folder = "/".join("".join(letters[start : start + 200]) for start in range(0, len(letters), 200))
    path = f"{folder}/fuses.txt"
    assert len(path.encode()) > 2704, "PostgreSQL refuses a path of this length in a B-tree index"
    (stack.share / folder).mkdir(parents=True)
    (stack.share / path).write_text("The spare fuses lie in the piano stool.")
    wait_for_state(stack, path, "indexed")
    assert found_paths(stack, "Where are the spare fuses?")[0] == path
    assert_others_are_read(stack, "the long path")
    (stack.share / path).unlink()
    wait_until_gone(stack, path)
    (stack.share / path).write_text("The spare fuses lie in the piano stool.")
    wait_for_state(stack, path, "indexed")
    assert_stores_agree(stack)
    shutil.rmtree(stack.share / folder.split("/")[0])
    wait_until_gone(stack, path)


def test_a_path_longer_than_the_kernel_takes_is_reported(stack: Stack) -> None:
    top = stack.share / "deep"
    top.mkdir()
    before = os.getcwd()
    os.chdir(top)
    try:
        for _ in range(20):
            os.mkdir("x" * 250)
            os.chdir("x" * 250)
        Path("hidden.txt").write_text("Nobody gets here by one path.")
    finally:
        os.chdir(before)
    try:
        wait_for(lambda: "File name too long" in str(share(stack, "LLM_docs")["detail"]), "the report")
        assert share(stack, "LLM_docs")["available"]
        assert_others_are_read(stack, "the deep folder")
    finally:
        shutil.rmtree(top)


def test_strange_characters_in_names_and_texts_are_read(stack: Stack) -> None:
    contents = {
        "nul.txt": (b"The safe\x00word is cantaloupe." + b" Padding." * 40, "cantaloupe"),
        "surrogate.txt": (b"The password hint \xed\xa0\x80 is marmalade.", "marmalade"),
        "noncharacter \uffff\ufdd0.txt": ("The noncharacter \uffff means nectarine.".encode(), "nectarine"),
        "line\nbreak \t tab.txt": (b"The line break hides a quince.", "quince"),
    }
    for name, (content, _) in contents.items():
        (stack.share / name).write_bytes(content)
    for name, (_, word) in contents.items():
        wait_for_state(stack, to_text(name), "indexed")
        assert to_text(name) in found_paths(stack, word)
    assert_others_are_read(stack, "strange characters")


@contextmanager
def refusing(stack: Stack, table: str, refused: str, condition: str) -> Iterator[None]:
    """Let the database refuse the rows of a table for which an expression holds, with the condition of another one."""
    with psycopg.connect(stack.database, autocommit=True) as connection:
        connection.execute(
            f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF {refused} THEN RAISE EXCEPTION 'invented' USING ERRCODE = {condition}; END IF;
                RETURN NEW; END $$;
                CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"""
        )
        try:
            yield
        finally:
            connection.execute("DROP FUNCTION refuse() CASCADE")


def assert_logged(stack: Stack, name: str) -> None:
    """The failure of a file is logged, which is after it is on record."""

    def logged() -> bool:
        entries = [entry for entry in log_entries(stack.worker) if entry.get("path") == name]
        return any("invented" in entry.get("exception", "") for entry in entries)

    wait_for(logged, f"the log to name {name}")


def test_versions_that_the_database_refuses_are_named_and_the_rest_is_read(stack: Stack) -> None:
    names = {f"refused by versions {condition}.txt": 500 + number for number, condition in enumerate(REFUSALS)}
    refused = f"NEW.state = 'pending' AND NEW.size BETWEEN 500 AND {499 + len(REFUSALS)}"
    with refusing(stack, "versions", refused, f"(ARRAY{REFUSALS})[NEW.size - 499]"):
        for name, size in names.items():
            (stack.share / name).write_text("x" * size)
        for name in names:
            assert "invented" in wait_for_state(stack, name, "failed")["error"], name
        assert_others_are_read(stack, "the refused versions")
        for name in names:
            assert_logged(stack, name)
    for name in names:
        wait_for_state(stack, name, "indexed")
    wait_for(lambda: share(stack, "LLM_docs")["detail"] is None, "the report to go")


@pytest.mark.parametrize("condition", REFUSALS[:3])
def test_a_document_that_the_database_refuses_is_named_and_the_rest_is_read(stack: Stack, condition: str) -> None:
    name = f"refused by documents {condition}.txt"
    with refusing(stack, "documents", f"NEW.path = '{name}'", f"'{condition}'"):
        (stack.share / name).write_text("x" * (600 + REFUSALS.index(condition)))
        wait_for(lambda: name in str(share(stack, "LLM_docs")["detail"]), "the report")
        assert_others_are_read(stack, f"the document {condition}")
        assert_logged(stack, name)
    wait_for_state(stack, name, "indexed")
    wait_for(lambda: share(stack, "LLM_docs")["detail"] is None, "the report to go")


def test_a_document_whose_reading_always_fails_is_given_up(stack: Stack) -> None:
    with refusing(stack, "passages", "NEW.text LIKE '%doomed%'", "'statement_too_complex'"):
        (stack.share / "doomed.txt").write_text("This passage is doomed.")
        wait_for(lambda: "invented" in str((document(stack, "doomed.txt") or {}).get("error")), "the reason")
        assert_others_are_read(stack, "the refusal")
        # The queue waits longer before each attempt; the test does not wait for all of them.
        stack.sql("UPDATE versions SET attempts = 5 WHERE error LIKE '%%invented%%' RETURNING 1")
        stack.sql("DELETE FROM volatile.queued RETURNING 1")
        error = wait_for_state(stack, "doomed.txt", "failed")["error"]
        assert error.startswith("Reading the file failed 5 times.") and "invented" in error
    assert_stores_agree(stack)


def test_a_document_that_ends_the_worker_is_given_up(stack: Stack) -> None:
    text = "\n\n".join(f"Chapter {number} of the book that is too much for the worker." for number in range(3000))
    file = stack.share / "too much.txt"
    file.write_text(text)
    # Redis gives the next worker also the task of one that was killed a minute ago, so that an attempt can count twice.
    begun = "SELECT 1 FROM versions WHERE size = %s AND (attempts >= %s OR state = 'failed')"
    for attempt in range(1, 6):
        wait_for(lambda a=attempt: stack.sql(begun, len(text), a), f"attempt {attempt}")  # type: ignore[misc]  # mypy cannot infer the default
        stack.worker.stop(kill=True)
        stack.worker.start(wait=False)
    error = wait_for_state(stack, file.name, "failed")["error"]
    assert error == "Reading the file failed 5 times. The worker ended while it read the file."
    file.unlink()
    assert_others_are_read(stack, "the worker's end")
    assert_stores_agree(stack)


def test_ready_reports_a_pass_that_failed(stack: Stack) -> None:
    wait_for(lambda: readiness(stack)[0] == 200, "readiness")
    with refusing(stack, "sources", "true", "'statement_too_complex'"):
        wait_for(lambda: not readiness(stack)[1]["documents"], "the service to be unready")

        def detail() -> str:
            """What the check states; of one that takes too long on a busy computer, it is another reason."""
            answer = httpx.get(f"{stack.url}/ready", timeout=30, trust_env=False).json()
            return str(answer["checks"]["documents"]["detail"])

        wait_for(lambda: "reading the shares: StatementTooComplex: invented" in detail(), "the reason")
    wait_for(lambda: readiness(stack)[0] == 200, "readiness again")


@pytest.mark.parametrize("error", ["EIO", "ESTALE", "ENAMETOOLONG", "ENOENT"])
def test_an_entry_that_cannot_be_read_is_reported_and_the_rest_is_read(
    stack: Stack, faulty: tuple[Path, Path], error: str
) -> None:
    source, _ = faulty
    (source / f"list-{error}").mkdir()
    (source / f"list-{error}" / "inside.txt").write_text("Inside.")
    (source / f"stat-{error}.txt").write_text("No status.")
    (source / f"open-{error}.txt").write_text("No open.")
    (source / f"read-{error}.txt").write_text("No content.")
    (source / "healthy.txt").write_text(f"The healthy file beside {error} names the greenhouse.")
    wait_for_state(stack, "healthy.txt", "indexed")
    assert found_paths(stack, f"healthy file beside {error} greenhouse")[0] == "healthy.txt"
    wait_for(lambda: f"list-{error}" in str(share(stack, "Faulty")["detail"]), "the report")
    assert share(stack, "Faulty")["available"]
    if error != "ENOENT":  # a file that vanished is not a failure
        assert "and 1 more" in str(share(stack, "Faulty")["detail"])
        for call in ("open", "read"):
            failed = wait_for_state(stack, f"{call}-{error}.txt", "failed")
            assert failed["error"].startswith("The file cannot be read: ")
    wait_for(lambda: readiness(stack)[0] == 200, "readiness")


def test_a_document_below_a_faulty_folder_stays_and_recovers(stack: Stack, faulty: tuple[Path, Path]) -> None:
    source, _ = faulty
    (source / "cellar").mkdir()
    (source / "cellar" / "wine.txt").write_text("The wine list of the cellar names a Silvaner.")
    before = wait_for_state(stack, "cellar/wine.txt", "indexed")
    (source / "cellar").rename(source / "cellar list-EIO")
    (source / "cellar").mkdir()
    # The content is below a folder that cannot be listed now: the document is not deleted for its path, but it moved.
    wait_for(lambda: "list-EIO" in str(share(stack, "Faulty")["detail"]), "the report")
    (source / "cellar").rmdir()
    (source / "cellar list-EIO").rename(source / "cellar")
    wait_for(lambda: share(stack, "Faulty")["detail"] is None, "the report to go")
    assert wait_for_state(stack, "cellar/wine.txt", "indexed")["document_id"] == before["document_id"]


def test_a_server_that_is_down_makes_the_share_unavailable_and_deletes_nothing(
    stack: Stack, faulty: tuple[Path, Path]
) -> None:
    source, dead = faulty
    (source / "kept.txt").write_text("The rain barrel holds 300 litres.")
    before = wait_for_state(stack, "kept.txt", "indexed")
    dead.touch()
    wait_for(lambda: not share(stack, "Faulty")["available"], "the share to be unavailable")
    assert "Input/output error" in str(share(stack, "Faulty")["detail"])
    assert document(stack, "kept.txt") == before
    assert found_paths(stack, "How much does the rain barrel hold?")[0] == "kept.txt"
    dead.unlink()
    wait_for(lambda: share(stack, "Faulty")["available"], "the share to be back")
    assert document(stack, "kept.txt") == before


def share(stack: Stack, name: str) -> dict[str, Any]:
    shares: list[dict[str, Any]] = stack.get("/api/documents")["sources"]
    return next((entry for entry in shares if entry["name"] == name), {"available": False, "detail": None})
