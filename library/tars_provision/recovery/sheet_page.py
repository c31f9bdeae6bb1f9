# SPDX-License-Identifier: GPL-3.0-or-later
"""The recovery sheet as an HTML file and as a PDF, each made to be printed on two pages of A4."""

from __future__ import annotations

import html
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import segno

from tars_provision.recovery import check_words
from tars_provision.recovery.sheet import Sheet

TITLE = "Recovery sheet of T.A.R.S."
WARNING = (
    "Secret. Whoever has this sheet can read every backup and every password of the house. Keep it where fire, water "
    "and burglars do not reach both it and the NAS, and delete the file when it is printed."
)
TYPING = (
    "Type each group of four characters and the word after it. The words reveal typing mistakes. Underlined characters "
    "are digits."
)
QR = (
    "The whole sheet, with the two files that open the repository. Scan it with a telephone or with `zbarimg --raw`, "
    "and save the text as a file."
)
STEPS = (
    "You need the NAS or a copy of its share, and a computer with Linux and T.A.R.S. of the same or a newer version.",
    "Install Debian or Ubuntu on a new desktop, connect it to the home network, and give your computer access by ssh.",
    "Run `./tars recover --sheet FILE --desktop USER@ADDRESS`. Without --sheet it asks for what is printed here.",
    "The command reads the site's folder out of the newest backup, sets up the machines, and restores the data.",
    "If the NAS is lost too, connect the disk with the copy, and add `--repository /PATH/repository`.",
    "Without T.A.R.S.: RECOVERY.md on the share describes the way with restic alone.",
    "Every half year, try this sheet: `./tars backup key verify --sheet FILE`.",
)


@dataclass(frozen=True)
class Row:
    """A line of the table of facts."""

    name: str
    value: str


def facts(sheet: Sheet) -> list[Row]:
    """Return what a person needs besides the secrets."""
    return [
        Row("Made on", sheet.made_on),
        Row("NAS", sheet.nas),
        Row("Share", sheet.share),
        Row("Desktop", f"{sheet.desktop} (the NAS exports the share to this address)"),
        Row("Repository", f"{sheet.repository[:16]} …"),
        Row("restic (SHA-256)", sheet.restic),
    ]


def secrets(sheet: Sheet) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the secrets as headings and groups with check words."""
    return [
        ("Key of the backups", check_words.groups("key", sheet.key)),
        ("Password of the vault", check_words.groups("vault password", sheet.vault)),
    ]


def as_html(sheet: Sheet) -> bytes:
    """Return the sheet as an HTML file without references to other files."""
    rows = "".join(f"<tr><th>{_escaped(row.name)}</th><td>{_escaped(row.value)}</td></tr>" for row in facts(sheet))
    parts = "".join(f"<h2>{heading}</h2><p class=groups>{_groups(groups)}</p>" for heading, groups in secrets(sheet))
    steps = "".join(f"<li>{_code(step)}</li>" for step in STEPS)
    embedded = sheet.text().replace("<", "\\u003c")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{TITLE}</title><style>{_STYLE}</style>\n'
        f'<script type="application/json" id="sheet">{embedded}</script></head>\n'
        f"<body><h1>{TITLE}</h1><p class=warning>{WARNING}</p><table>{rows}</table>\n"
        f"<p>{TYPING}</p>{parts}\n<h2>Steps</h2><ol>{steps}</ol>\n"
        f"<section><h2>QR code</h2><p>{_code(QR)}</p>{_svg(sheet)}</section></body></html>\n"
    ).encode()


def as_pdf(sheet: Sheet) -> bytes:
    """Return the sheet as a PDF."""
    # Takes a quarter of a second, which most commands need not pay.
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import SimpleDocTemplate

    target = io.BytesIO()
    template = SimpleDocTemplate(
        target,
        pagesize=A4,
        title=TITLE,
        leftMargin=18 * mm,
        rightMargin=18 * mm,
        topMargin=15 * mm,
        bottomMargin=15 * mm,
    )
    template.build(list(_flowables(sheet)))
    return target.getvalue()


def code(sheet: Sheet) -> segno.QRCode:
    """Return the QR code of the sheet; it can be read with 15 % of it damaged."""
    return segno.make_qr(sheet.text(), error="m", boost_error=False)


def _flowables(sheet: Sheet) -> Iterator[Any]:
    """Yield the parts of the PDF."""
    from reportlab.graphics.shapes import Drawing, Rect
    from reportlab.lib import colors
    from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
    from reportlab.lib.units import mm
    from reportlab.platypus import ListFlowable, ListItem, PageBreak, Paragraph, Spacer, Table

    styles = getSampleStyleSheet()
    text, heading = styles["BodyText"], styles["Heading2"]
    warning = ParagraphStyle("warning", parent=text, borderColor=colors.red, borderWidth=1.5, borderPadding=6)
    mono = ParagraphStyle("groups", parent=text, fontName="Courier-Bold", fontSize=14, leading=22)
    yield Paragraph(TITLE, styles["Title"])
    yield Spacer(1, 3 * mm)
    yield Paragraph(WARNING, warning)
    yield Spacer(1, 5 * mm)
    cells = [
        [Paragraph(f"<b>{_escaped(row.name)}</b>", text), Paragraph(_escaped(row.value), text)] for row in facts(sheet)
    ]
    yield Table(cells, colWidths=[38 * mm, None])
    yield Paragraph(TYPING, text)
    for title, groups in secrets(sheet):
        yield Paragraph(title, heading)
        yield Paragraph(
            " &nbsp; ".join(f"{_digits(group)}&nbsp;<font size=11>{word}</font>" for group, word in groups), mono
        )
    yield Paragraph("Steps", heading)
    yield ListFlowable([ListItem(Paragraph(_code(step, "font face=Courier", "font"), text)) for step in STEPS])
    yield PageBreak()
    yield Paragraph("QR code", heading)
    yield Paragraph(_code(QR, "font face=Courier", "font"), text)
    matrix = list(code(sheet).matrix_iter(border=4))
    side = 150 * mm / len(matrix)
    drawing = Drawing(150 * mm, 150 * mm)
    for number, line in enumerate(reversed(matrix)):
        for column, dark in enumerate(line):
            if dark:
                # A little larger than the grid, so that no white lines appear between neighbours.
                drawing.add(
                    Rect(column * side, number * side, side * 1.02, side * 1.02, strokeWidth=0, strokeColor=None)
                )
    yield drawing


def _svg(sheet: Sheet) -> str:
    target = io.BytesIO()
    code(sheet).save(target, kind="svg", border=4, xmldecl=False, svgns=True, omitsize=True)
    return target.getvalue().decode()


def _groups(groups: list[tuple[str, str]]) -> str:
    return " ".join(f"<span><b>{_digits(group)}</b> {word}</span>" for group, word in groups)


def _digits(group: str) -> str:
    """Return a group with its digits underlined, which letters can be taken for."""
    return "".join(f"<u>{one}</u>" if one.isdigit() else _escaped(one) for one in group)


def _code(text: str, start: str = "code", end: str = "code") -> str:
    """Return a text in which what is between backticks has a tag."""
    parts = _escaped(text).split("`")
    return "".join(f"<{start}>{part}</{end}>" if number % 2 else part for number, part in enumerate(parts))


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


_STYLE = """
@page { size: A4; margin: 15mm 18mm }
body { font: 11pt/1.4 sans-serif; color: #000; background: #fff; max-width: 174mm; margin: 0 auto }
h1 { font-size: 18pt; margin: 0 0 3mm } h2 { font-size: 13pt; margin: 4mm 0 1mm }
.warning { border: 2px solid #c00; padding: 2mm 3mm; margin: 0 0 3mm }
th { text-align: left; padding-right: 5mm; vertical-align: top; white-space: nowrap } td { overflow-wrap: anywhere }
.groups { font: 14pt/1.7 monospace; margin: 0 } .groups span { white-space: nowrap; margin-right: 5mm }
.groups b { font-weight: bold } code { font-size: 10pt } ol { margin: 0; padding-left: 6mm }
section { break-before: page } svg { width: 150mm; height: 150mm }
"""
