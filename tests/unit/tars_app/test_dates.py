# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tars_app.documents.dates import MAIL_HEADER, ClaimedDate, claimed_date
from tars_app.documents.model import NO_PAGE
from tars_app.documents.parsers.model import Parsed, Section
from tars_app.kit.dates import EARLIEST_YEAR, LATEST_YEAR, find_dates, first_day, iso_date, last_day

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("on 2023-05-04 at noon", ["2023-05-04"]),
        ("4 May 2023, 4th of May, 2023, May 4, 2023 and 4. Mai 2023", ["2023-05-04"] * 4),
        ("den 04.05.2023, den 4. 5. 2023", ["2023-05-04"] * 2),
        (
            "Sept. 3, 2021; 3. Jänner 2020; 1. März 2019; 7 Oct 2018",
            ["2021-09-03", "2020-01-03", "2019-03-01", "2018-10-07"],
        ),
        ("13/05/2023 and 05/13/2023 and 05/05/2023", ["2023-05-13", "2023-05-13", "2023-05-05"]),
        ("04/05/2023", []),  # 4 May or 5 April
        ("May 2023, Mai 2023, 05/2023, 2023-05", ["2023-05"] * 4),
        ("30 February 2023, 31.4.2023, 2023-13-01, 2023-00", []),
        ("invoice INV-2023-0042, RE-2024-05-08-1, 12.2023.4", []),
        ("in 2023", []),
        ("the year 1066", []),
    ],
)
def test_dates_are_found(text: str, dates: list[str]) -> None:
    assert [entry.date for entry in find_dates(text)] == dates


def test_years_that_stand_alone_are_found_where_asked_for() -> None:
    text = "In 2023 (after 2022), not A-2021, 2020/7, 2019.5 or 12019; on 4 May 2018."
    assert [entry.date for entry in find_dates(text, years=True)] == ["2023", "2022", "2018-05-04"]


@given(st.dates(date(EARLIEST_YEAR, 1, 1), date(LATEST_YEAR, 12, 31)))
def test_every_day_is_read_as_written(day: date) -> None:
    forms = [day.isoformat(), f"{day:%d.%m.%Y}", f"{day:%-d %B %Y}", f"{day:%B %-d, %Y}", f"{day:%-d. %b %Y}"]
    for form in forms:
        assert [entry.date for entry in find_dates(f"x {form} x")] == [day.isoformat()], form
    assert first_day(day.isoformat()) == last_day(day.isoformat()) == day
    month, year = iso_date(day.year, day.month), iso_date(day.year)
    assert month and year and first_day(year) <= first_day(month) <= day <= last_day(month) <= last_day(year)


@given(st.text(alphabet="0123456789./- MayMai\n", max_size=60))
def test_the_place_of_a_date_is_where_it_stands(text: str) -> None:
    for entry in find_dates(text, years=True):
        assert [again.date for again in find_dates(text[entry.start : entry.end], years=True)] == [entry.date]


def claim(path: str, text: str, date: str | None = None, dated_by: str = "PDF metadata") -> tuple[str, str] | None:
    claimed = claimed_date(path, Parsed([Section(NO_PAGE, text)], date, dated_by), NOW)
    return (claimed.date, claimed.place) if claimed else None


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            "a.md",
            "---\ntitle: Lease\ncreated: 2020-01-01\ndate: 2023-05-04T10:00:00Z\n---\nHi",
            ("2023-05-04", "front matter"),
        ),
        ("a.md", "---\nDatum: 4. Oktober 2023\n---\n", ("2023-10-04", "front matter")),
        ("bills/bill-2022.pdf", "Gas bill", ("2022", "name")),
        ("2023-05-04 lease.pdf", "", ("2023-05-04", "name")),
        ("Scan_20230504_101112.txt", "", ("2023-05-04", "name")),
        ("Rechnung 04.05.2023.txt", "", ("2023-05-04", "name")),
        ("report_2023_05.txt", "", ("2023-05", "name")),
        ("Newsletter May 2023.txt", "", ("2023-05", "name")),
        ("INV-2023-0042.txt", "", ("2023", "name")),
        ("bills/2022/gas.pdf", "", ("2022", "folder")),
        ("bill-2022.txt", "Invoice date: 3 May 2022\nDue date: 3 June 2022", ("2022-05-03", "text")),
        ("bill-2022.txt", "Invoice date: 3 May 2021", ("2022", "name")),
        ("a.txt", "Due date: 3 June 2022\nRechnungsdatum: 03.05.2022", ("2022-05-03", "text")),
        ("a.txt", "Invoice 12, date: 3 May 2022", ("2022-05-03", "text")),
        ("a.txt", "Ablaufdatum: 3. Mai 2022\nexpiry date: 3 May 2022", None),
        ("a.txt", "Stand: Mai 2023\n", ("2023-05", "text")),
        ("a.txt", "Jane Doe\nHill Road 4\n\nBerlin, den 3. Mai 2023\n\nDear Sir", ("2023-05-03", "text")),
        ("a.txt", "Gas bill 2022\n\nYou pay 400.", ("2022", "text")),
        ("a.txt", "The boiler was serviced on 3 May 2023.\n", None),
        ("a.txt", "Member since: 3 May 1980\nPhone 2023", None),
        ("plan-2031.txt", "Date: 3 May 2024", ("2024-05-03", "text")),  # written in 2026, not in 2031
        ("a.txt", "\n" * 3000 + "Date: 3 May 2024", None),
        ("a.txt", "Hello", None),
    ],
)
def test_the_claimed_date_has_the_place_where_it_stands(path: str, text: str, expected: tuple[str, str] | None) -> None:
    assert claim(path, text) == expected


def test_the_metadata_of_a_pdf_count_last() -> None:
    metadata = "2023-05-04"
    assert claim("a.pdf", "Lease", metadata) == ("2023-05-04", "PDF metadata")
    assert claim("a.pdf", "Date: 3 May 2021", metadata) == ("2021-05-03", "text")
    assert claim("bill-2023.pdf", "", metadata) == ("2023-05-04", "PDF metadata")
    assert claim("bill-2022.pdf", "", metadata) == ("2022", "name")
    assert claim("a.pdf", "", None) is None


def test_the_date_of_a_mail_counts_first() -> None:
    assert claim("2022/a.eml", "Date: 3 May 2021", "2023-05-04", MAIL_HEADER) == ("2023-05-04", "mail header")


@given(st.text(max_size=30), st.text(max_size=300), st.sampled_from([None, "2023", "2023-05", "2023-05-04"]))
def test_any_document_claims_a_date_or_none(path: str, text: str, metadata: str | None) -> None:
    claimed = claimed_date(path, Parsed([Section(NO_PAGE, text)], metadata, "Office metadata"), NOW)
    assert claimed is None or isinstance(claimed, ClaimedDate)
