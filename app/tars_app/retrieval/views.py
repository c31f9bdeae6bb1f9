# SPDX-License-Identifier: GPL-3.0-or-later
"""A passage as its file shows it: the rows of a sheet, and the header of a mail."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from tars_app.adapters.postgres import Pool
from tars_app.documents.cells import Line, column_name, is_sheet, read_lines
from tars_app.documents.parsers.registry import find_format, has_pages
from tars_app.retrieval.places import Passage, lines_before, place, text_around
from tars_app.retrieval.schemas import Cell, MailField, PassageView, Row, Table

_ROWS_AROUND = 4
_MOST_ROWS = 60
_MOST_COLUMNS = 40
_COLUMNS_BEFORE = 3
"""Columns that are shown before the marked one where not all of them are shown."""
_FIRST_PASSAGES = 3
"""Of a mail: with as many, its header is complete."""
_HEADER = re.compile(r"(?:(?:From|To|Cc|Date|Subject): .*(?:\n|\Z))+")
_BEGIN = f"""
SELECT coalesce(string_agg(piece, '' ORDER BY ordinal), '') AS text
FROM (SELECT e.ordinal, e.before || p.text || e.after AS piece
      FROM version_texts t
      CROSS JOIN LATERAL unnest(t.hashes, t.pages, t.before, t.after)
          WITH ORDINALITY AS e (hash, page, before, after, ordinal)
      JOIN passages p ON p.hash = e.hash
      WHERE t.version_id = %(version)s AND e.page = t.pages[%(ordinal)s]
      ORDER BY e.ordinal LIMIT {_FIRST_PASSAGES}) AS first_passages
"""  # noqa: S608  constants


def view(pool: Pool, passage: Passage, before: str, after: str, quotation: str | None) -> PassageView:
    """Return a passage with the text around it, as its file shows it, with a quotation (None: all of it) marked."""
    with pool.connection() as connection:
        table = _table(connection, passage, quotation)
        mail = _mail(connection, passage)
    return PassageView.model_validate(
        {
            **place(passage),
            "text": passage.text,
            "header": passage.header,
            "before": before,
            "after": after,
            "has_page": passage.page is not None and has_pages(passage.path),
            "table": table,
            "mail": mail,
        }
    )


def _table(connection: Connection[dict[str, Any]], passage: Passage, quotation: str | None) -> Table | None:
    """Return the rows around a quotation, None for a passage that does not stand in a sheet."""
    if not is_sheet(passage.label):
        return None
    ended, _ = lines_before(connection, passage)
    before, after = text_around(connection, passage.version_id, passage.ordinal)
    if ended > before.count("\n"):
        before = before.partition("\n")[2]  # its first line may be incomplete
    start = passage.text.find(quotation) if quotation else 0
    length = len(quotation or passage.text)
    begin = len(before) + start
    text = before + passage.text + after
    lines = list(read_lines(text, 1 + ended - before.count("\n"), begin, begin + length if start >= 0 else begin))
    titles = passage.header.rpartition("\n")[2].split("\t") if passage.header else []
    return _excerpt(lines, titles)


def _excerpt(lines: Sequence[Line], titles: Sequence[str]) -> Table:
    marked = [index for index, line in enumerate(lines) if line.marked] or [0]
    shown = lines[max(0, marked[0] - _ROWS_AROUND) : marked[-1] + _ROWS_AROUND + 1][:_MOST_ROWS]
    width = max(len(line.cells) for line in shown)
    places = {place for line in shown for place in line.marked} or {0}
    first = 0 if max(places) < _MOST_COLUMNS else max(0, min(places) - _COLUMNS_BEFORE)
    last = min(width, first + _MOST_COLUMNS)
    is_shown = any(line.cells == list(titles) for line in shown)
    return Table(
        columns=[column_name(column) for column in range(first, last)],
        titles=[] if is_shown else list(titles[first:last]),
        rows=[
            Row(
                number=line.number,
                cells=[
                    Cell(text=text, marked=place in line.marked)
                    for place, text in enumerate(line.cells[first:last], first)
                ],
            )
            for line in shown
        ],
    )


def _mail(connection: Connection[dict[str, Any]], passage: Passage) -> list[MailField]:
    """Return the header of the mail in which, or in an attachment of which, a passage stands."""
    form = find_format(passage.path)
    if form is None or form.place != "message":
        return []
    parameters = {"version": passage.version_id, "ordinal": passage.ordinal}
    [row] = connection.execute(_BEGIN, parameters).fetchall()
    header = _HEADER.match(row["text"]) or _HEADER.match(passage.header)
    lines = header[0].splitlines() if header else []
    return [MailField(name=name, value=value) for name, _, value in (line.partition(": ") for line in lines)]
