# SPDX-License-Identifier: GPL-3.0-or-later
"""What was met once and is kept to from then on: a YAML file on the controller, name -> digest."""

from __future__ import annotations

import os
from pathlib import Path

import yaml


def read(path: Path) -> dict[str, str]:
    """Name -> digest. Empty where nothing is recorded yet."""
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.exists() else {}


def write(path: Path, digests: dict[str, str], header: str) -> None:
    """Replace the record whole; `header` is a comment for people."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(header + yaml.safe_dump(digests), encoding="utf-8")
    os.replace(fresh, path)
