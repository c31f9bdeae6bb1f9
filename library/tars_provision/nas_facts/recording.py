# SPDX-License-Identifier: GPL-3.0-or-later
"""A recording: what a NAS answered, in a file that its owner can read, share and replay."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tars_provision.errors import ProvisionError
from tars_provision.files import write_atomic
from tars_provision.nas_facts.recorder import Exchange
from tars_provision.nas_facts.redact import Redaction

FORMAT = 1


def save(path: Path, calls: Iterable[Exchange]) -> None:
    """Write what was asked and answered, redacted, one call a line; the same call is kept once."""
    redaction = Redaction()
    lines = {_key(call): json.dumps(asdict(redaction.exchange(call)), ensure_ascii=False) for call in calls}
    text = f'{{"format": {FORMAT}, "calls": [\n' + ",\n".join(lines.values()) + "\n]}\n"
    try:
        write_atomic(path, text.encode(), 0o600)
    except OSError as error:
        raise ProvisionError(
            f"{path}: wanted to write the recording there, found {error.strerror}; name another file"
        ) from error


def load(path: Path) -> list[Exchange]:
    """Return the calls of a recording."""
    try:
        data = json.loads(path.read_text())
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']}")
        return [Exchange(**call) for call in data["calls"]]
    except FileNotFoundError as error:
        step = "`tars-provision doctor --nas-facts --save FILE` makes one"
        raise ProvisionError(f"{path}: wanted a recording, found no such file; {step}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ProvisionError(
            f"{path}: wanted a recording of format {FORMAT}, found something else ({error})"
        ) from error


def _key(call: Exchange) -> tuple[Any, ...]:
    return (call.api, call.method, call.version, json.dumps(call.params, sort_keys=True))
