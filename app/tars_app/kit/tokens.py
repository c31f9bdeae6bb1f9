# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounds for the number of a text's tokens, by script, where the model's tokenizer is not at hand.

The upper ones are those of English models, which are the least suited to other scripts: SmolLM2 (language model), and
all-MiniLM-L6-v2 (embedding model). SmolLM2 was counted to need 0.24 tokens for a character of English prose, 0.38 in
German, 0.78 in Russian, 1.9 in Japanese and Thai, 2.0 in Korean, and one for a digit.
"""

from __future__ import annotations

import re
from math import ceil

_SPACE = re.compile(r"\s+")
# Letters and white space of ASCII, digits, other ASCII; other Latin letters and punctuation, alphabets of two bytes
# (Greek, Cyrillic, Arabic ...), those of India and Thailand, and all other scripts.
_CLASSES = (
    re.compile(r"[a-zA-Z\s]+", re.ASCII),
    re.compile(r"[0-9]+"),
    re.compile(r"[!-/:-@\[-`{-\x7f\x00-\x08\x0e-\x1f]+"),
    re.compile("[\u0080-\u024f\u1e00-\u1eff\u2000-\u20cf]+"),
    re.compile("[\u0250-\u07ff]+"),
    re.compile("[\u0900-\u0fff]+"),
)
_MOST = (1 / 2.6, 1.0, 1.0, 2.0, 1.3, 2.0, 3.0)
_LEAST = (1 / 6.0, 1 / 6.0, 1 / 6.0, 0.2, 0.2, 0.2, 0.3)
_EMBEDDED = (1 / 2.2, 0.6, 1.0, 1.0, 1.0, 1.0, 1.2)


def most_tokens(text: str) -> int:
    """Return an upper estimate of a text's tokens for a language model."""
    return ceil(_sum(text, _MOST))


def least_tokens(text: str) -> int:
    """Return a lower estimate of a text's tokens: a model that has counted fewer has not read all of it."""
    return int(_sum(_SPACE.sub(" ", text), _LEAST))


def embedded_tokens(text: str) -> int:
    """Return an upper estimate of a text's tokens for an embedding model."""
    return ceil(_sum(text, _EMBEDDED))


def _sum(text: str, weights: tuple[float, ...]) -> float:
    counts = [sum(map(len, pattern.findall(text))) for pattern in _CLASSES]
    counts.append(len(text) - sum(counts))
    return sum(count * weight for count, weight in zip(counts, weights, strict=True))
