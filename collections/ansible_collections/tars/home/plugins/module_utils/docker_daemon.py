# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's daemon.json: a desired set of keys merged into what is there."""

from __future__ import annotations

import json
from typing import Any, Dict


class DaemonConfigError(Exception):
    """The present file is not a JSON object."""


def parse(text: str, path: str) -> Dict[str, Any]:
    """The file's content. An empty or absent file (empty text) is an empty object.

    Raises:
        DaemonConfigError: with the place of the mistake.
    """
    if not text.strip():
        return {}
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DaemonConfigError(f"{path} is not JSON: {error}. Correct it, or move it away, then run again.") from None
    if not isinstance(content, dict):
        raise DaemonConfigError(
            f"{path} holds a JSON {type(content).__name__}, an object is needed. Move it away, then run again."
        )
    return content


def merge(current: Dict[str, Any], desired: Dict[str, Any]) -> Dict[str, Any]:
    """Desired keys over current ones; foreign keys stay.

    Objects are merged, other values replaced, a null removes its key.
    """
    merged = dict(current)
    for key, value in desired.items():
        present = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = merge(present if isinstance(present, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def render(content: Dict[str, Any]) -> str:
    """The file's text."""
    return json.dumps(content, indent=2, sort_keys=True) + "\n"
