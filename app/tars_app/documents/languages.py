# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of a passage, by which its words are stemmed.

It depends on the text of the passage alone: the same passage may be in documents of several languages, and a search of
the past must not depend on which of them was read first. A passage whose language is not clear is matched by the
analyser of every language that other passages have (`adapters.passage_words.Forms`).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from tars_app.adapters.passage_words import UNDECIDED
from tars_app.adapters.postgres import Pool

ANALYSERS = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
"""PostgreSQL's text search configurations by language (ISO 639-1)."""
ENGLISH = ANALYSERS["en"]
_OTHERS = ("bg", "cs", "et", "fa", "he", "hr", "ja", "ko", "lv", "pl", "sk", "sl", "th", "uk", "vi", "zh")
"""Languages that are recognised, so that they are not taken for one with an analyser."""
_LEAST_PROBABILITY = 0.9
"""Of 9,000 pieces of one to 35 words of household documents in English and German, 4 were named wrongly with it."""
_READ = 2000
_NO_LETTER = re.compile(r"[\W\d_]+")
_BATCH = 1000
_loading = threading.Lock()


@cache
def _load() -> Any:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([*ANALYSERS, *_OTHERS])
    return identifier


def _identifier() -> Any:
    with _loading:  # one thread loads it: that takes 65 MiB of the folder for temporary files
        return _load()


@lru_cache(maxsize=4096)  # the chunks of a text are cut, and then stored
def language_of(text: str) -> str:
    """Return the text search configuration for a text: that of its language, `UNDECIDED` where that is not clear."""
    code, probability = _identifier().classify(_NO_LETTER.sub(" ", text[:_READ]).strip())
    return ANALYSERS.get(code, UNDECIDED) if probability >= _LEAST_PROBABILITY else UNDECIDED


def detect_languages(pool: Pool, progress: Callable[[], None]) -> None:
    """Detect the language of the passages that a former program stored. `progress` is called after each batch."""
    while rows := _undetected(pool):
        names = [language_of(text) for _, text in rows]
        with pool.connection() as connection:
            connection.execute(
                """UPDATE passages p SET language = n.language::regconfig, language_detected = true
                   FROM unnest(%s::bytea[], %s::text[]) AS n (hash, language) WHERE p.hash = n.hash""",
                ([value for value, _ in rows], names),
            )
        progress()


def _undetected(pool: Pool) -> list[tuple[bytes, str]]:
    with pool.connection() as connection:
        rows = connection.execute(
            "SELECT hash, text FROM passages WHERE NOT language_detected ORDER BY hash LIMIT %s", (_BATCH,)
        ).fetchall()
    return [(row["hash"], row["text"]) for row in rows]
