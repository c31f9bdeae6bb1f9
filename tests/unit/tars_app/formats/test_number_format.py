# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest

from tars_app.documents.parsers.office.number_format import show

MOMENT = datetime(2024, 3, 1, 14, 5, 9)


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (1234.5, "General", "1234.5"),
        (0.1 + 0.2, "General", "0.3"),
        (4111111111111111, "General", "4111111111111111"),
        (1e300, "General", "1e+300"),
        (1234.5, "0", "1235"),
        (1234.567, "0.00", "1234.57"),
        (1234.5, "#,##0.00", "1,234.50"),
        (1234.5, '#,##0.00 "€"', "1.234,50 €"),
        (1234.5, "#,##0.00\\ [$€-407]", "1.234,50 €"),
        (1234.5, "[$£-809]#,##0.00", "£1,234.50"),
        (-5, '"$"#,##0.00_);[Red]("$"#,##0.00)', "($5.00)"),
        (-5, '#,##0.00 "€"', "-5,00 €"),
        (0, '0.00;-0.00;"none"', "none"),
        (0.195, "0.0%", "19.5%"),
        (7, "000", "007"),
        (12.5, "0.##", "12.5"),
        (12, "0.##", "12"),
        (1500000, '0.0,,"M"', "1.5M"),
        (0.5, "# ?/?", "0.5"),
        (12345, "0.00E+00", "12345"),
        (True, "General", "TRUE"),
        (None, "General", ""),
        ("text", "@", "text"),
        (MOMENT, "dd.mm.yyyy", "01.03.2024"),
        (MOMENT, "mm-dd-yy", "2024-03-01 14:05"),
        (datetime(2024, 3, 1), "mm-dd-yy", "2024-03-01"),
        (date(2024, 3, 1), "d/m/yy", "1/3/24"),
        (MOMENT, "d. mmmm yyyy", "1. March 2024"),
        (MOMENT, "[$-407]d. mmmm yyyy", "1. März 2024"),
        (MOMENT, "ddd d mmm", "Fri 1 Mar"),
        (MOMENT, "h:mm AM/PM", "2:05 PM"),
        (MOMENT, "yyyy-mm-dd hh:mm:ss", "2024-03-01 14:05:09"),
        (MOMENT, "[$-F800]dddd, mmmm dd, yyyy", "2024-03-01 14:05"),
        (time(9, 30), "hh:mm", "09:30"),
        (timedelta(hours=30, minutes=5), "[h]:mm", "30:05"),
        (timedelta(hours=-1), "[h]:mm:ss", "-1:00:00"),
    ],
)
def test_a_value_as_people_see_it(value: object, code: str, text: str) -> None:
    assert show(value, code) == text
