# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of each format, by the format's name in the registry, from which hostile ones are made."""

from __future__ import annotations

from tars_app.documents.parsers.registry import find_format

from ....letters import page, written
from ..formats.samples import FILES
from .pdfs import draw, lines, scan

SAMPLES: dict[str, bytes] = {
    "Text": "Die Miete beträgt 900 € im Monat.\n\nName\tBetrag\nGas\t80\n".encode(),
    "Markdown": "---\ndate: 2023-05-04\n---\n# Lease\n\n| Year | Rent |\n|---|---|\n| 2023 | 900 € |\n".encode(),
    "PDF": draw(lines("The rent is 900 EUR, see RE-", "2024."), scan(), lambda canvas: canvas.acroForm.textfield("a")),
    "Scan or photo": written(page("Rent: 900 €", points=14).crop((100, 100, 500, 300)), "PNG"),
}
SAMPLES |= {form.name: content for name, content in FILES.items() if (form := find_format(name))}
