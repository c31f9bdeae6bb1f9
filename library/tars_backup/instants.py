# SPDX-License-Identifier: GPL-3.0-or-later
"""Instants in UTC, and their text in manifests, marks and ids."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

UTC = timezone.utc


def now() -> datetime:
    """Return the current instant, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def to_text(instant: datetime) -> str:
    """Return an instant as 2026-11-29T10:00:00Z."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_text(text: str) -> datetime:
    """Return the instant of such a text.

    Raises:
        ValueError: the text has another form.
    """
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def age(instant: datetime, moment: datetime) -> str:
    """Return how long before `moment` an instant was, as words: `3 days`, `2 h`, `5 min`."""
    passed = moment - instant
    if passed < timedelta(0):
        return "in the future"
    minutes = int(passed.total_seconds()) // 60
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


def ago(instant: datetime, moment: datetime) -> str:
    """Return how long before `moment` an instant was, as words: `3 days ago`, `in the future`."""
    words = age(instant, moment)
    return words if words.startswith("in ") else f"{words} ago"
