# SPDX-License-Identifier: GPL-3.0-or-later
"""Spreadsheets: the cells, where they are, and what people see in them, compared with what calamine reads."""

from __future__ import annotations

from datetime import date, datetime
from io import BytesIO
from zipfile import ZipFile

import pytest
import xlrd
from openpyxl import Workbook
from openpyxl.utils import get_column_letter
from python_calamine import CalamineWorkbook

from tars_app.documents.cells import cell_place, column_name, is_sheet
from tars_app.documents.parsers.model import Section, UnreadableError
from tars_app.documents.parsers.office import sheets

from .binary_workbook import xls
from .citations import by_label, parse
from .office_files import archive, odf


def xlsx() -> bytes:
    book = Workbook()
    costs = book.active
    costs.title = "Costs"
    costs["B2"], costs["C2"], costs["D2"] = "Item", "Amount", "Paid on"
    costs["B3"], costs["C3"], costs["D3"] = "Rent", 1234.5, date(2024, 3, 1)
    costs["C3"].number_format, costs["D3"].number_format = "#,##0.00\\ [$€-407]", "dd.mm.yyyy"
    costs["B6"], costs["C6"] = "Share\nof all", 0.19
    costs["C6"].number_format = "0%"
    hidden = book.create_sheet("Secret")
    hidden.sheet_state = "hidden"
    hidden["A1"] = "The code is 4711."
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def place(section: Section, quotation: str) -> str:
    return cell_place(section.text[: section.text.index(quotation)], quotation, section.header)


def test_rows_and_columns_stand_where_they_are() -> None:
    parsed = parse("a.xlsx", xlsx())
    costs, secret = parsed.sections
    assert (costs.number, costs.label, costs.header) == (1, "sheet Costs", "\tItem\tAmount\tPaid on")
    assert costs.text.split("\n") == [
        *("", "\tItem\tAmount\tPaid on", "\tRent\t1.234,50 €\t01.03.2024", "", "", "\tShare of all\t19%")
    ]
    assert (secret.number, secret.label, secret.text) == (2, "sheet Secret (hidden)", "The code is 4711.")
    assert place(costs, "1.234,50 €") == "row 3, column C (Amount)"
    assert place(costs, "Share") == "row 6, column B (Item)"


def test_every_cell_is_cited_where_calamine_reads_it() -> None:
    content = xlsx()
    sections = by_label(parse("a.xlsx", content))
    shown = {1234.5: "1.234,50 €", date(2024, 3, 1): "01.03.2024", 0.19: "19%", "Share\nof all": "Share of all"}
    cells = 0
    for sheet in CalamineWorkbook.from_filelike(BytesIO(content)).sheet_names:
        section = next(section for label, section in sections.items() if label.startswith(f"sheet {sheet}"))
        values = CalamineWorkbook.from_filelike(BytesIO(content)).get_sheet_by_name(sheet)
        for row, entries in enumerate(values.to_python(skip_empty_area=False), 1):
            for column, value in enumerate(entries, 1):
                value = value.date() if isinstance(value, datetime) else value
                if value != "":
                    cited = place(section, str(shown.get(value, value)))
                    assert cited.startswith(f"row {row}, column {get_column_letter(column)}"), (value, cited)
                    cells += 1
    assert cells == 9


XLS = xls(
    {"Costs": [[], ["", "Item", "Amount"], ["", "Rent", 1234.5]], "Secret": [["The code is 4711."]]}, hidden="Secret"
)


def test_a_binary_spreadsheet() -> None:
    costs, secret = parse("a.xls", XLS).sections
    assert (costs.label, costs.text, costs.header) == (
        "sheet Costs",
        "\n\tItem\tAmount\n\tRent\t1234.5",
        "\tItem\tAmount",
    )
    assert (secret.label, secret.text) == ("sheet Secret (hidden)", "The code is 4711.")
    assert place(costs, "1234.5") == "row 3, column C (Amount)"
    sheet = xlrd.open_workbook(file_contents=XLS).sheet_by_name("Costs")
    assert (sheet.cell_value(2, 2), sheet.cell_value(1, 2)) == (1234.5, "Amount")


def ods(rows: str) -> bytes:
    hidden = '<style:style style:name="ta2"><style:table-properties table:display="false"/></style:style>'
    return odf(
        "spreadsheet",
        f'<table:table table:name="Costs">{rows}</table:table><table:table table:name="Secret" table:style-name="ta2">'
        "<table:table-row><table:table-cell><text:p>The code is 4711.</text:p></table:table-cell></table:table-row>"
        "</table:table>",
        styles=hidden,
    )


def cell(text: str, **attributes: str) -> str:
    attributes = {"office_value-type": "string", **attributes} if text else attributes
    values = "".join(f' {name.replace("_", ":", 1)}="{value}"' for name, value in attributes.items())
    return f"<table:table-cell{values}>{f'<text:p>{text}</text:p>' if text else ''}</table:table-cell>"


ROWS = (
    f"<table:table-row>{cell('')}{cell('Item')}{cell('Amount')}</table:table-row>"
    f'<table:table-row table:number-rows-repeated="2">{cell("")}</table:table-row>'
    f"<table:table-row>{cell('')}{cell('Rent')}"
    f'<table:table-cell office:value-type="float" office:value="1234.5"><office:annotation><text:p>Why?</text:p>'
    f"</office:annotation><text:p>1.234,50 €</text:p></table:table-cell></table:table-row>"
    '<table:table-row table:number-rows-repeated="1048572"><table:table-cell table:number-columns-repeated="1024"/>'
    "</table:table-row>"
)


def test_a_sheet_of_opendocument_has_the_text_that_was_shown() -> None:
    costs, secret = parse("a.ods", ods(ROWS)).sections
    assert costs.text == "\tItem\tAmount\n\n\n\tRent\t1.234,50 €"
    assert place(costs, "1.234,50 €") == "row 4, column C (Amount)"
    assert (secret.label, secret.text) == ("sheet Secret (hidden)", "The code is 4711.")
    read = CalamineWorkbook.from_filelike(BytesIO(ods(ROWS))).get_sheet_by_name("Costs")
    rows = read.to_python(skip_empty_area=False)
    assert (rows[3][1], rows[3][2], rows[0][1]) == ("Rent", 1234.5, "Item")


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"Item,Amount\r\nRent,900\r\n", ["Item\tAmount", "Rent\t900"]),
        ("Posten;Betrag\nMiete;1.234,50 €\nStrom;80,00 €\n".encode("cp1252"), None),
        (b"Item\tAmount\nRent\t900\n", ["Item\tAmount", "Rent\t900"]),
        (b'sep=|\n"Item"|"Amount, net"\n\n"two\nlines"|"a ""b"""\n', ["Item\tAmount, net", "", 'two lines\ta "b"']),
        (b"Item;Amount\nRent, cold, warm, old, new;900\n", ["Item\tAmount", "Rent, cold, warm, old, new\t900"]),
        (b"one column\nonly\n", ["one column", "only"]),
    ],
)
def test_delimiters_and_encodings_of_tables(content: bytes, rows: list[str] | None) -> None:
    (section,) = parse("a.csv", content).sections
    assert section.label == "table"
    assert section.text.split("\n") == (rows or ["Posten\tBetrag", "Miete\t1.234,50 €", "Strom\t80,00 €"])


def test_the_cell_of_a_quotation() -> None:
    assert cell_place("", "x") == "row 1, column A"
    header = "Subject: Bill\nFrom: x\nItem\tPrice\tAmount"
    assert cell_place("a\tb\n\tc\t", "9", header) == "row 2, column C (Amount)"
    assert cell_place("a\tb\n\t", "c\t9\td", header) == "row 2, columns B (Price) to D"
    assert cell_place("a\tb\n\t", "c\n9\td", header) == "rows 2 to 3"
    assert [column_name(number) for number in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]
    assert [column_name(number) for number in range(2000)] == [get_column_letter(number + 1) for number in range(2000)]
    labels = ("sheet Costs", "sheet A, b (hidden)", "table", "attachment a.csv, table", "attachment a.xlsx, sheet B")
    assert all(map(is_sheet, labels))
    assert not any(map(is_sheet, ("", "page 3", "slide 1", "message", "attachment table", "chapter 1: sheet metal")))


def test_a_first_row_with_numbers_is_no_header() -> None:
    assert parse("a.csv", b"2024,900\n2025,950\n").sections[0].header == ""


def test_bounds_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_ROWS", 3)
    monkeypatch.setattr(sheets, "MOST_COLUMNS", 2)
    parsed = parse("a.csv", b"a,b,c\n" * 5)
    assert parsed.sections[0].text == "a\tb\na\tb\na\tb"
    assert parsed.notes == ["Of table, the first 3 rows are read.", "Of table, the first 2 columns are read."]
    monkeypatch.setattr(sheets, "MOST_CELLS", 5)
    with pytest.raises(UnreadableError, match="cells; split it"):
        parse("a.csv", b"a,b\n" * 5)


def test_a_formula_is_read_by_its_stored_value() -> None:
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    with ZipFile(BytesIO(xlsx())) as book:
        parts: dict[str, str | bytes] = {entry: book.read(entry) for entry in book.namelist()}
    row = '<row r="1"><c r="A1"><f>40+2</f><v>42</v></c></row>'
    parts["xl/worksheets/sheet2.xml"] = f'<worksheet xmlns="{namespace}"><sheetData>{row}</sheetData></worksheet>'
    assert parse("a.xlsx", archive(parts)).sections[1].text == "42"
