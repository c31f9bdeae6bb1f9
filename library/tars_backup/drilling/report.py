# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a drill: a page that needs nothing else (no scripts, drawings inline), and the same as JSON."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .. import destination, files, instants, processes
from ..configuration import Configuration
from .outcome import Outcome

_WIDTH, _BAR, _GAP = 640, 18, 10
_HISTORY = 24
"""Drills in the drawings."""

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .25rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.verdict { display: inline-block; padding: .1rem .7rem; border-radius: 1rem; color: #fff; font-weight: 600; }
.ok { background: #1a7f4b; } .failed { background: #b3261e; }
.numbers { display: flex; gap: 2.5rem; flex-wrap: wrap; margin: 1rem 0; }
.numbers b { display: block; font-size: 1.6rem; font-weight: 600; } .quiet { color: #5a6675; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; color: #5a6675; font-weight: 500; }
td, th { padding: .35rem .6rem .35rem 0; vertical-align: top; border-bottom: 1px solid #e3e7ec; }
td:first-child { white-space: nowrap; } .wrong { color: #b3261e; font-weight: 600; }
svg { width: 100%; height: auto; } svg text { font: 13px system-ui, sans-serif; }
.reason { border-left: 4px solid #b3261e; padding: .2rem 1rem; overflow-wrap: anywhere; }
@media print { body { margin: 0; } }
"""


def write(configuration: Configuration, outcome: Outcome) -> Path:
    """Write both files to the folder of the reports, and return the page's path.

    Raises:
        DestinationError: the share cannot be written.
    """
    destination.check_mount(configuration)  # not into the folder of a share that is gone
    folder = configuration.reports
    document = outcome.document()

    def written() -> Path:
        folder.mkdir(mode=0o700, exist_ok=True)
        earlier = _earlier(folder)
        name = f"{outcome.at.astimezone(instants.UTC):%Y-%m-%dT%H%M%SZ}"
        files.write(folder / f"{name}.json", (json.dumps(document, indent=1, sort_keys=True) + "\n").encode())
        path = folder / f"{name}.html"
        files.write(path, page(document, earlier).encode())
        return path

    return processes.isolated(written, subject=folder)


def _earlier(folder: Path) -> list[dict[str, Any]]:
    """Return the newest earlier reports, oldest first; files of another form are left out."""
    documents = []
    for path in sorted(folder.glob("*.json"))[-_HISTORY + 1 :]:
        try:
            document = json.loads(path.read_bytes())
            documents.append({key: document[key] for key in ("at", "ok", "recovery_s", "age_s")})
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return documents


def page(document: dict[str, Any], earlier: Sequence[dict[str, Any]]) -> str:
    """Return the page of a report; `earlier` are older ones, for the drawings of their times."""
    every = [*earlier, document]
    verdict = "passed" if document["ok"] else "failed"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<title>Recovery drill {_text(document['at'])}</title>",
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>',
        f"<h1>Recovery drill of {_moment(document['at'])}</h1>",
        f'<p><span class="verdict {"ok" if document["ok"] else "failed"}">{verdict}</span></p>',
        f'<p class="reason">{_text(document["message"])}</p>' if document["message"] else "",
        _numbers(document),
        _origin(document),
        "<h2>Time of each step</h2>",
        _bars([(step["name"], step["seconds"], True) for step in document["steps"]], _duration),
        "<h2>Comparisons</h2>",
        _table(
            ("", "Found", "Expected"),
            [
                (_mark(check["ok"]) + _text(check["name"]), *map(_text, (check["found"], check["expected"])))
                for check in document["checks"]
            ],
        ),
        "<h2>Questions</h2>",
        _questions(document["questions"]),
        "<h2>Recovery time of the last drills</h2>",
        _history(every, "recovery_s"),
        "<h2>Age of the data in the last drills</h2>",
        _history(every, "age_s"),
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _text(value: object) -> str:
    return html.escape(str(value))


def _moment(text: str) -> str:
    return _text(text.replace("T", " ").replace("Z", " UTC"))


def _mark(ok: bool) -> str:
    return "✓ " if ok else '<span class="wrong">✗</span> '


def _duration(seconds: float | None) -> str:
    """Return a time with the unit that fits it."""
    if seconds is None:
        return "not measured"
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _numbers(document: dict[str, Any]) -> str:
    answered = sum(not asked["problem"] for asked in document["questions"])
    values = (
        (_duration(document["recovery_s"]), "until the restored services had answered"),
        (_duration(document["age_s"]), "of changes would have been lost"),
        (f"{answered} of {len(document['questions'])}", "questions had the expected source"),
    )
    inner = "".join(f'<div><b>{_text(value)}</b><span class="quiet">{label}</span></div>' for value, label in values)
    return f'<div class="numbers">{inner}</div>'


def _origin(document: dict[str, Any]) -> str:
    if not document["backup"]:
        return ""
    versions = ", ".join(f"{name} {version}" for name, version in sorted(document["versions"].items()))
    text = f"Backup {document['backup']} of {document['made_at']}, read from the {document['source']} ({versions})."
    return f'<p class="quiet">{_text(text)} {_text(document["note"])}</p>'


def _questions(asked: Sequence[dict[str, Any]]) -> str:
    if not asked:
        return '<p class="quiet">None was asked.</p>'
    rows = [
        (
            _mark(not entry["problem"]) + ("generated" if entry["generated"] else "household"),
            _text(entry["question"]),
            _text(entry["path"]),
            _text(entry["problem"] or ", ".join(entry["sources"][:3])),
        )
        for entry in asked
    ]
    return _table(("", "Question", "Expected document", "First sources"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return '<p class="quiet">None was made.</p>'
    titles = "".join(f"<th>{title}</th>" for title in head)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{lines}</table>"


def _history(documents: Sequence[dict[str, Any]], key: str) -> str:
    entries = [(entry["at"][:10], entry[key], entry["ok"]) for entry in documents if entry[key] is not None]
    return _bars(entries, _duration)


def _bars(entries: Sequence[tuple[str, float, bool]], label: Callable[[float], str]) -> str:
    """Return horizontal bars with their names and values; those that failed are red."""
    if not entries:
        return '<p class="quiet">Nothing was measured.</p>'
    longest = max(value for _name, value, _ok in entries) or 1
    start, space = 270, _WIDTH - 270 - 80
    shapes = []
    for number, (name, value, ok) in enumerate(entries):
        top = number * (_BAR + _GAP)
        width = max(2.0, space * max(0.0, value) / longest)
        colour = "#2f6fb3" if ok else "#b3261e"
        shapes.append(f'<text x="0" y="{top + 14}">{_text(name)}</text>')
        shapes.append(f'<rect x="{start}" y="{top}" width="{width:.1f}" height="{_BAR}" rx="3" fill="{colour}"/>')
        shapes.append(f'<text x="{start + width + 8:.1f}" y="{top + 14}">{_text(label(value))}</text>')
    height = len(entries) * (_BAR + _GAP)
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img">{"".join(shapes)}</svg>'
