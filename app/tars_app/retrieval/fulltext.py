# SPDX-License-Identifier: GPL-3.0-or-later
"""Full-text search in PostgreSQL, ranked by BM25 (Robertson and Zaragoza 2009; k1 = 1.2, b = 0.75).

PostgreSQL's own ts_rank knows nothing of how rare a word is: a question's "need" would weigh as much as its "boiler".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tars_app.adapters.postgres import Pool

_OPERATORS = re.compile(r'"|(?:^|\s)-\w|\sOR\s')

_SEARCH = """
WITH words AS (
    SELECT lexeme, ('''' || replace(replace(lexeme, '\\', '\\\\'), '''', '''''') || '''')::tsquery AS query
    FROM unnest(to_tsvector(%(language)s::regconfig, %(question)s))
), weights AS (
    SELECT w.lexeme, w.query, ln(1 + (n.total - f.found + 0.5) / (f.found + 0.5)) AS idf
    FROM words w,
         (SELECT count(*) AS total FROM passages WHERE searchable) n,
         LATERAL (SELECT count(*) AS found FROM passages WHERE searchable AND terms @@ w.query) f
), candidates AS (
    SELECT hash, terms, length(terms) AS size, avg(length(terms)) OVER () AS usual_size
    FROM passages
    WHERE searchable AND terms @@ (SELECT string_agg(query::text, ' | ')::tsquery FROM weights)
), hits AS (
    SELECT c.hash, w.idf, cardinality(t.positions) AS times, c.size / c.usual_size AS relative_size
    FROM candidates c, LATERAL unnest(c.terms) t JOIN weights w ON w.lexeme = t.lexeme
)
SELECT hash,
       sum(idf) / (SELECT sum(idf) FROM weights) AS coverage,
       sum(idf * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * relative_size))) AS rank
FROM hits GROUP BY hash ORDER BY rank DESC, hash LIMIT %(limit)s
"""


@dataclass(frozen=True)
class TextHit:
    """A passage with words of the question. `coverage` is the share (0..1) of the question's words, by their rarity."""

    hash: bytes
    coverage: float


def search_text(pool: Pool, language: str, question: str, limit: int) -> list[TextHit]:
    """Return the passages that match the question's words best, best first."""
    with pool.connection() as connection:
        rows = connection.execute(_SEARCH, {"language": language, "question": question, "limit": limit})
        return [TextHit(row["hash"], float(row["coverage"])) for row in rows]


def has_operators(question: str) -> bool:
    """Return whether the question uses web search syntax ("a phrase", -without, OR), which results have to match."""
    return bool(_OPERATORS.search(question))
