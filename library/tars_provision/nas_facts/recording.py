# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings: the answers of a NAS in a file that its owner can read, share and replay."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tars_provision import next_step
from tars_provision.errors import ProvisionError, message, unusable
from tars_provision.files import write_atomic
from tars_provision.nas_facts.recorder import Exchange
from tars_provision.nas_facts.redact import Redaction

FORMAT = 1


def save(path: Path, calls: Iterable[Exchange]) -> None:
    """Write calls and answers, redacted, one call a line; identical calls once. Raises ProvisionError."""
    redaction = Redaction()
    lines = {_key(call): json.dumps(asdict(redaction.exchange(call)), ensure_ascii=False) for call in calls}
    text = f'{{"format": {FORMAT}, "calls": [\n' + ",\n".join(lines.values()) + "\n]}\n"
    write_atomic(path, text.encode(), 0o600)


def load(path: Path) -> list[Exchange]:
    """Return the calls of a recording. Raises ProvisionError."""
    try:
        data = json.loads(path.read_text())
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']}")
        return [Exchange(**call) for call in data["calls"]]
    except FileNotFoundError as error:
        step = f"{next_step.command('nas', 'facts', '--save', path)} creates one"
        raise ProvisionError(message(path, found="no such file", expected="a recording", next_step=step)) from error
    except OSError as error:
        raise ProvisionError(unusable(path, error, expected="a recording")) from error
    except (ValueError, KeyError, TypeError) as error:
        actual, expected = f"other content ({error})", f"a recording of format {FORMAT}"
        raise ProvisionError(message(path, found=actual, expected=expected)) from error


def _key(call: Exchange) -> tuple[Any, ...]:
    return (call.api, call.method, call.version, json.dumps(call.params, sort_keys=True))
