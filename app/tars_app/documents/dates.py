# SPDX-License-Identifier: GPL-3.0-or-later
"""The date that a document claims, and where it stands: mail header, front matter, name, folder, text, or metadata.

Metadata count last: they state when the file was made, as by a scanner, more often than when the letter was written. A
later place that agrees with an earlier one, but is more precise, is preferred to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tars_app.adapters.postgres import Pool
from tars_app.documents.parsers.model import Parsed, Section
from tars_app.kit.dates import dates_of_name, find_dates, first_day

NO_DATE = "none"
"""In place of where the date stands: the document claims none."""
HEAD_CHARACTERS, HEAD_SECTIONS = 2000, 20
"""Only the head of a document is searched: further down, dates are those of events in it."""
_HEAD_LINES = 25
_LATEST_AHEAD = timedelta(days=1)
_BATCH = 200
_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FRONT_MATTER_KEYS = ("date", "datum", "updated", "modified", "lastmod", "last_modified", "published", "created")
_TIME_MARK = re.compile(r"(?<=\d)t(?=\d)")
MAIL_HEADER = "mail header"
"""Where a mail's date stands. It counts first."""
# Not "due date", "Ablaufdatum": only dates of the document as a whole.
_LABEL = re.compile(
    r"(?:(?:\A|[.,;|])[\W_]*(?:(?:invoice|letter|document|contract|billing|statement|issue|policy) )?"
    r"date(?: of issue)?|\b(?:dated|issued(?: on)?|(?:last )?updated(?: on)?|version of|stand|ausgestellt am"
    r"|(?:rechnungs|beleg|brief|vertrags|ausstellungs)?datum|aktualisiert am|letzte änderung))"
    r"\s*[:.]?\s*(?:vom|den)?\s*\Z",
    re.IGNORECASE,
)
_PLACE = re.compile(r"(?:[^\W\d_][\w .()/-]{0,40},)?\s*(?:den|the|on)?\s*\Z", re.IGNORECASE)
_HEADING_CHARACTERS = 80


@dataclass(frozen=True)
class ClaimedDate:
    """A date as in tars_app.kit.dates, and the place where the document claims it."""

    date: str
    place: str


def claimed_date(path: str, parsed: Parsed, observed: datetime) -> ClaimedDate | None:
    """Return the date that a document claims; None for none, or one that was in the future when it was observed."""
    best: ClaimedDate | None = None
    for candidate in _candidates(path, parsed):
        if first_day(candidate.date) > observed.date() + _LATEST_AHEAD:
            continue
        if best is None or (len(candidate.date) > len(best.date) and candidate.date.startswith(best.date)):
            best = candidate
    return best


def _candidates(path: str, parsed: Parsed) -> Iterator[ClaimedDate]:
    # A text may be divided at its headings.
    first = [section.text for section in parsed.sections[:HEAD_SECTIONS] if section.number == parsed.sections[0].number]
    head = "".join(first)[:HEAD_CHARACTERS]
    own = [ClaimedDate(parsed.date, parsed.dated_by)] if parsed.date else []
    yield from own if parsed.dated_by == MAIL_HEADER else ()
    yield from (ClaimedDate(value, "front matter") for value in _in_front_matter(head))
    *folders, name = path.split("/")
    yield from (ClaimedDate(value, "name") for value in dates_of_name(name))
    for folder in reversed(folders):
        yield from (ClaimedDate(value, "folder") for value in dates_of_name(folder))
    yield from (ClaimedDate(value, "text") for value in _in_text(head))
    yield from own if parsed.dated_by != MAIL_HEADER else ()


def _in_front_matter(head: str) -> Iterator[str]:
    """Yield the date of the first of the keys that has one, as in `date: 2023-05-04`."""
    if not (block := _FRONT_MATTER.match(head)):
        return
    entries = dict(line.partition(":")[::2] for line in reversed(block[1].lower().splitlines()) if ":" in line)
    values = {key.strip(): value for key, value in entries.items()}
    for key in _FRONT_MATTER_KEYS:
        for entry in find_dates(_TIME_MARK.sub(" ", values.get(key, "")), years=True):
            yield entry.date
            return


def _in_text(head: str) -> Iterator[str]:
    """Yield dates after a label ("Date:"), then those alone in a line ("Berlin, 3. Mai 2023"), then the heading's."""
    head = _FRONT_MATTER.sub("", head, count=1)
    lines = [line for line in head.splitlines() if line.strip()][:_HEAD_LINES]
    alone = []
    for line in lines:
        for entry in find_dates(line, years=True):
            before = line[: entry.start]
            if _LABEL.search(before):
                yield entry.date
            elif len(entry.date) == len("2023-05-04") and _is_alone(line, entry.start, entry.end):
                alone.append(entry.date)
    yield from alone
    heading = lines[0].strip(" \t#*_)") if lines else ""
    if len(heading) <= _HEADING_CHARACTERS and ":" not in heading:
        yield from (entry.date for entry in find_dates(heading, years=True) if entry.end == len(heading))


def _is_alone(line: str, start: int, end: int) -> bool:
    before = line[:start].strip(" \t#*_|>")
    return not line[end:].strip(" \t.*_|") and bool(_PLACE.fullmatch(before))


def date_versions(pool: Pool) -> int:
    """Determine the dates of versions that were indexed before dates were recorded; return how many.

    Their metadata were not kept, so that the other places count alone.
    """
    dated = 0
    while True:
        with pool.connection() as connection:
            rows = connection.execute(
                """SELECT v.id, d.path, v.seen_from, left(t.before[1] || p.text, %s) AS head
                   FROM versions v JOIN documents d ON d.id = v.document_id
                   JOIN version_texts t ON t.version_id = v.id JOIN passages p ON p.hash = t.hashes[1]
                   WHERE v.dated_by IS NULL ORDER BY v.id LIMIT %s""",
                (HEAD_CHARACTERS, _BATCH),
            ).fetchall()
            for row in rows:
                claimed = claimed_date(row["path"], Parsed([Section(0, row["head"])]), row["seen_from"])
                connection.execute(
                    "UPDATE versions SET dated = %s, dated_by = %s WHERE id = %s",
                    (claimed and claimed.date, claimed.place if claimed else NO_DATE, row["id"]),
                )
        dated += len(rows)
        if len(rows) < _BATCH:
            return dated
