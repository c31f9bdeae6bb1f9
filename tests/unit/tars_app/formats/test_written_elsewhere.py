# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that other libraries write, with all the parts that programs add."""

from __future__ import annotations

from datetime import date
from io import BytesIO

import docx as python_docx
import odfdo
import xlsxwriter
from pptx import Presentation
from pptx.util import Inches

from .citations import parse


def test_a_document_of_python_docx() -> None:
    document = python_docx.Document()
    document.add_heading("Rent contract", 1)
    document.add_paragraph("The rent is ").add_run("900 €").bold = True
    document.add_paragraph("First item", style="List Bullet")
    table = document.add_table(2, 3)
    for row, texts in zip(table.rows, (("Item", "Amount", "Paid"), ("Heating", "120.50", "yes")), strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    table.add_row().cells[0].merge(table.rows[2].cells[1]).text = "Together"
    document.sections[0].header.paragraphs[0].text = "Doe and Co"
    out = BytesIO()
    document.save(out)
    assert parse("a.docx", out.getvalue()).sections[0].text.split("\n\n") == [
        *("Doe and Co", "Rent contract", "The rent is 900 €", "First item"),
        "Item\tAmount\tPaid\nHeating\t120.50\tyes\nTogether",
    ]


def test_a_presentation_of_python_pptx() -> None:
    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = "The roof", "It costs 900 €.\nIt is due in May."
    slide.notes_slide.notes_text_frame.text = "Ask twice."
    second = presentation.slides.add_slide(presentation.slide_layouts[5])
    table = second.shapes.add_table(1, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    table.cell(0, 0).text, table.cell(0, 1).text = "Item", "Amount"
    out = BytesIO()
    presentation.save(out)
    assert [(section.label, section.text) for section in parse("a.pptx", out.getvalue()).sections] == [
        ("slide 1", "The roof\n\nIt costs 900 €.\n\nIt is due in May.\n\nAsk twice."),
        ("slide 2", "Item\tAmount"),
    ]


def test_a_text_and_a_spreadsheet_of_odfdo() -> None:
    text = odfdo.Document("text")
    text.body.clear()
    text.body.append(odfdo.Header(1, "Rent contract"))
    text.body.append(odfdo.Paragraph("The rent is 900 €."))
    text.body.append(odfdo.List(["First item", "Second item"]))
    out = BytesIO()
    text.save(out)
    parsed = parse("a.odt", out.getvalue())
    assert parsed.sections[0].text == "Rent contract\n\nThe rent is 900 €.\n\nFirst item\n\nSecond item"
    book = odfdo.Document("spreadsheet")
    book.body.clear()
    table = odfdo.Table("Costs")
    table.set_values([["Item", "Amount"], ["Heating", 120]])
    book.body.append(table)
    out = BytesIO()
    book.save(out)
    (section,) = parse("a.ods", out.getvalue()).sections
    assert (section.label, section.text) == ("sheet Costs", "Item\tAmount\nHeating\t120")


def spreadsheet(chart: bool) -> bytes:
    out = BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet("Costs")
        sheet.write_row(0, 0, ["Item", "Amount", "Paid on", "Share"])
        sheet.write(1, 0, "Heating")
        sheet.write_number(1, 1, 1120.5, book.add_format({"num_format": "#,##0.00"}))
        sheet.write_datetime(1, 2, date(2024, 3, 1), book.add_format({"num_format": "d mmm yyyy"}))
        sheet.write_formula(1, 3, "=B2/2241", book.add_format({"num_format": "0%"}), 0.5)
        if chart:
            book.add_chartsheet()
    return out.getvalue()


def test_a_spreadsheet_of_xlsxwriter() -> None:
    (section,) = parse("a.xlsx", spreadsheet(chart=False)).sections
    assert section.text == "Item\tAmount\tPaid on\tShare\nHeating\t1,120.50\t1 Mar 2024\t50%"


def test_a_spreadsheet_on_which_openpyxl_fails() -> None:
    parsed = parse("a.xlsx", spreadsheet(chart=True))
    assert [(section.label, section.text) for section in parsed.sections] == [
        ("sheet Costs", "Item\tAmount\tPaid on\tShare\nHeating\t1120.5\t2024-03-01\t0.5")
    ]
    assert parsed.notes == [
        "The file is damaged: numbers and dates are shown without their formats, and some may be missing."
    ]
