# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether files were read, in words; how long reading takes; and reading files again."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Literal

from tars_app.adapters.mounts import FORMAT
from tars_app.adapters.postgres import Pool
from tars_app.documents.parsers.registry import advice
from tars_app.kit.errors import RefusedError
from tars_app.library import repository
from tars_app.library.repository import Row, Selection
from tars_app.library.schemas import Counts, File, Files, Folder, Library, Progress, Retried, Share

MOST_CANDIDATES = 10
_COLUMNS = ("file", "state", "reason", "next_step", "size", "modified", "observed", "dated", "pages", "chunks", "note")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the begin of a formula."""

# Why an entry is not read, and what a person can do about it.
_WORDS: dict[str, tuple[str, str | None]] = {
    "found": ("It was found, and is not on record yet.", "It is read by itself."),
    "writing": ("It is still being written.", "It is read by itself once it no longer changes."),
    "unreadable": (
        "It cannot be read: {detail}.",
        "Let the account that mounts the share read it, or check the disk of the NAS; it is then read by itself.",
    ),
    "forgotten": ("Its content was forgotten, and is not read again.", "tars-provision forget --undo takes that back."),
    "system": ("The NAS or a computer keeps this for its own use.", None),
    "hidden": ("Its name begins with a dot, which hides it.", "Rename it without the dot if it has to be read."),
    "temporary": ("A temporary or lock file of another program.", "Save the document under its own name."),
    "format": ("Files of this format{suffix} are not read.", "Save the document in a format that is read, as PDF."),
    "link": ("A symbolic link. Links are not followed.", "Copy the file itself into the share."),
    "special": ("A pipe, a socket or a device, not a file.", None),
    "loop": ("A folder that contains itself. It is read where it was found first.", None),
}
_REPLACE = "Replace it with a file that can be read; a changed file is read by itself."


class NoFileError(RefusedError):
    """There is no such file on the shares."""

    code = "no_file"


class SeveralFilesError(RefusedError):
    """Several files have this name."""

    code = "several_files"
    status = 409


class NothingToRetryError(RefusedError):
    """The file is not one that can be read again."""

    code = "nothing_to_retry"
    status = 409


def overview(pool: Pool, selection: Selection) -> Library:
    """Return the counts of the shares or of a folder, and of the folders in it, and how far reading has come."""
    of_child: dict[str | None, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in repository.counts(pool, selection):
        of_child[row["child"]][row["state"]] += row["count"]
    shares = [Share(**row) for row in repository.shares(pool)]
    if not selection.folder:
        for share in shares:
            of_child[share.name]  # a share without files is listed too
    folders = [
        Folder(path=f"{selection.folder}/{name}" if selection.folder else name, name=name, counts=Counts(**of_state))
        for name, of_state in sorted((name, of_state) for name, of_state in of_child.items() if name is not None)
    ]
    everything = _sum(of_child.values())
    whole = everything if selection == Selection() else _whole(pool)
    return Library(
        folder=selection.folder,
        counts=everything,
        folders=folders,
        shares=shares,
        progress=progress(whole, repository.rate(pool)),
    )


def _whole(pool: Pool) -> Counts:
    of_state: dict[str, int] = defaultdict(int)
    for row in repository.counts(pool, Selection()):
        of_state[row["state"]] += row["count"]
    return Counts(**of_state)


def _sum(parts: Iterable[Mapping[str, int]]) -> Counts:
    of_state: dict[str, int] = defaultdict(int)
    for part in parts:
        for state, count in part.items():
            of_state[state] += count
    return Counts(**of_state)


def progress(counts: Counts, rate: Row) -> Progress:
    """Return how far reading has come, and about how long it takes.

    Small files are read before large ones. So the time left is that for the number of files or that for their bytes at
    the rate of the last minutes, whichever is longer.
    """
    left = counts.found + counts.waiting + counts.reading
    total = left + counts.read + counts.failed
    minutes = rate["minutes"] or 0.0
    per_minute = rate["files"] / minutes if minutes and rate["files"] else None
    minutes_left = None
    if left and per_minute:
        bytes_per_minute = rate["bytes"] / minutes
        by_bytes = rate["bytes_left"] / bytes_per_minute if bytes_per_minute else 0.0
        minutes_left = max(1, math.ceil(max(left / per_minute, by_bytes)))
    text = f"{counts.read:,} of {total:,} read"
    if counts.failed:
        text += f", {counts.failed:,} not readable"
    if minutes_left:
        text += f", about {_duration(minutes_left)} left"
    return Progress(
        read=counts.read,
        total=total,
        files_per_minute=round(per_minute, 1) if per_minute else None,
        minutes_left=minutes_left,
        text=text,
    )


def _duration(minutes: int) -> str:
    if minutes < 2:
        return "a minute"
    return f"{minutes} minutes" if minutes < 120 else f"{round(minutes / 60)} hours"


def files(pool: Pool, selection: Selection, limit: int, offset: int) -> Files:
    """Return some of the files that are selected."""
    total, rows = repository.page(pool, selection, limit, offset)
    return Files(total=total, files=[describe(row) for row in rows])


def describe(row: Row) -> File:
    """Return a file with the reason why it is not read, and what to do."""
    reason, next_step = _reason(row)
    fields = {name: row[name] for name in File.model_fields if name in row}
    return File.model_validate({**fields, "reason": reason, "next_step": next_step})


def _reason(row: Row) -> tuple[str | None, str | None]:
    if row["because"]:
        reason, next_step = _WORDS[row["because"]]
        suffix = os.path.splitext(row["path"])[1]
        if row["because"] == FORMAT:
            next_step = advice(row["path"]) or next_step
        return reason.format(detail=row["error"], suffix=f" ({suffix})" if suffix else ""), next_step
    if row["state"] == "failed":
        return row["error"], _REPLACE
    if row.get("scanned") and row["state"] in ("reading", "waiting"):
        return _progress_of_pages(row["scanned"], row["remaining"]), "It is read by itself."
    if row["state"] == "waiting":
        return row["error"] or "It waits for its turn.", "It is read by itself."
    return None, None


def _progress_of_pages(scanned: int, remaining: int) -> str:
    """Return how far the recognition of a scan has come."""
    if remaining == scanned:
        return "It is a scan, whose text is recognised after the other documents."
    return f"Its text is being recognised: page {min(scanned - remaining + 1, scanned)} of {scanned}."


def find(pool: Pool, name: str) -> File:
    """Return the file with this path, with or without its share, or this name, and whether it was read.

    Raises:
        NoFileError: there is none.
        SeveralFilesError: there are several that match equally.
    """
    return describe(_find(pool, name))


def _find(pool: Pool, name: str) -> Row:
    rows = repository.named(pool, name, MOST_CANDIDATES)
    if not rows:
        return _find_unlisted(pool, name)
    best = [row for row in rows if row["rank"] == rows[0]["rank"]]
    if len(best) > 1:
        candidates = [f"{row['source']}/{row['path']}" for row in best]
        message = f"file {name!r}: found {', '.join(candidates)}, expected one"
        raise SeveralFilesError(message, "Name its path with the share.", candidates=candidates)
    return best[0]


def _find_unlisted(pool: Pool, name: str) -> Row:
    """Return a file that is on no list: in a folder that is not read, or forgotten."""
    known = [share["name"] for share in repository.shares(pool)]
    share, _, path = name.partition("/")
    nothing = dict.fromkeys(File.model_fields)
    if above := repository.entry_above(pool, name):
        source = above["source"]
        below = name.removeprefix(f"{source}/")
        state = "failed" if above["because"] == "unreadable" else "ignored"
        note = f"It lies in {source}/{above['path']}, which is not read."
        place = {"source": source, "path": below, "state": state, "earlier": False, "note": note}
        return {**nothing, **place, "because": above["because"], "error": above["detail"]}
    places = [(share, path)] if share in known else [(source, name) for source in known]
    for source, below in places:
        if repository.is_forgotten(pool, source, below):
            place = {"source": source, "path": below, "state": "ignored", "earlier": False}
            return {**nothing, **place, "because": "forgotten", "error": None}
    raise NoFileError(
        f"file {name!r}: found none of this path or name on {', '.join(known) or 'any share'}",
        "Check its name and folder on the NAS. A file that was copied just now is found within about a minute.",
    )


def retry(pool: Pool, path: str | None, folder: str | None) -> Retried:
    """Let a file, the failed ones of a folder, or (without either) all failed ones be read again, before all others.

    Raises:
        NoFileError, SeveralFilesError: as `find`.
        NothingToRetryError: the file was read, is being read, or is ignored.
    """
    if path is None:
        return _retried(*repository.retry(pool, Selection(folder or "")))
    row = _find(pool, path)
    name = f"{row['source']}/{row['path']}"
    if row["state"] == "read":
        raise NothingToRetryError(f"{name} was read", "It is read again by itself when it changes.")
    if row["state"] == "reading":
        raise NothingToRetryError(f"{name} is being read", "Wait until it is read.")
    if row["document_id"] is None:
        file = describe(row)
        raise NothingToRetryError(f"{name}: {file.reason}", file.next_step or "There is nothing to do.")
    return _retried(*repository.retry_one(pool, row))


def _retried(again: int, checked: int) -> Retried:
    parts = []
    if again:
        parts.append(f"{_files(again)} read next")
    if checked:
        parts.append(f"{_files(checked)} checked by the next scan")
    text = ", and ".join(parts) + "." if parts else "No file there has failed."
    return Retried(retried=again, checked=checked, text=text[0].upper() + text[1:])


def _files(count: int) -> str:
    return "1 file is" if count == 1 else f"{count:,} files are"


def export(pool: Pool, selection: Selection, form: Literal["csv", "json"]) -> Iterator[str]:
    """Return the text of a table of all files that are selected, in parts.

    Raises:
        UnavailableError: the database cannot be used. Later failures break the text off.
    """
    described = (describe(row) for row in repository.every(pool, selection))
    rows = chain(list(islice(described, 1)), described)
    return _as_csv(rows) if form == "csv" else _as_json(rows)


def _as_csv(rows: Iterable[File]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(_COLUMNS)
    for file in rows:
        values = file.model_dump(mode="json") | {"file": f"{file.source}/{file.path}"}
        writer.writerow([_cell(values[name]) for name in _COLUMNS])
        if buffer.tell() > 1 << 16:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _as_json(rows: Iterable[File]) -> Iterator[str]:
    yield '{"files": ['
    for number, file in enumerate(rows):
        yield (",\n" if number else "\n") + json.dumps(file.model_dump(mode="json"), ensure_ascii=False)
    yield "\n]}\n"
