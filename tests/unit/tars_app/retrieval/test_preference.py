# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID, uuid5

import pytest

from tars_app.retrieval.places import Passage
from tars_app.retrieval.preference import apart, prefer
from tars_app.retrieval.times import TimeInQuestion

BILL = "Municipal works, gas bill. Customer 55. Consumption and total in euros, new monthly instalment: "
SPACE = UUID(int=0)


def passage(path: str, text: str, score: float = 1.0, day: str = "2024-01-01", version: str = "") -> Passage:
    moment = datetime.fromisoformat(f"{day}T00:00:00+00:00").astimezone(UTC)
    ids = uuid5(SPACE, path), uuid5(SPACE, f"{path} {version or day}")
    return Passage(text.encode(), *ids, 1, "docs", path, None, moment, moment, day, None, text, score)


def paths(passages: list[Passage]) -> list[str]:
    return [entry.path for entry in passages]


def test_the_latest_of_a_series_is_first_and_not_any_later_document() -> None:
    bills = [passage(f"gas/bill-{year}.txt", f"{BILL}{year}", day=f"{year}-01-20") for year in (2022, 2025, 2023)]
    service = passage("car/service.md", "Inspection with oil change and new brake pads", 0.9, "2026-03-01")
    assert paths(prefer([bills[0], service, *bills[1:]], None, latest=True)) == [
        "gas/bill-2025.txt",
        "gas/bill-2023.txt",
        "gas/bill-2022.txt",
        "car/service.md",
    ]


def test_letters_with_other_names_in_one_folder_are_a_series_where_they_fit_equally() -> None:
    old = passage("school/lice.pdf", "Dear parents, lice were found.", 0.95, "2024-02-01")
    new = passage("school/trip.pdf", "The class goes to the sea in May.", 0.95, "2025-02-01")
    weak = passage("school/menu.pdf", "Soup on Mondays, fish on Fridays.", 0.75, "2026-02-01")
    assert paths(prefer([old, new, weak], None, latest=True))[0] == "school/trip.pdf"


def test_the_latest_version_of_a_passage_is_first_among_all() -> None:
    time = TimeInQuestion("between", "changed", None, date(2026, 1, 1))
    versions = [
        passage("lease.md", f"The rent is {rent} euros.", day=day)
        for rent, day in ((8, "2021-01-01"), (9, "2024-01-01"))
    ]
    other = passage("lease.md", "Pets need the consent of the landlord, in writing and beforehand.", 0.8, "2021-01-01")
    assert [p.text for p in prefer([versions[0], other, versions[1]], time, latest=False)] == [
        versions[1].text,
        other.text,
        versions[0].text,
    ]


@pytest.mark.parametrize("then", [True, False])
def test_versions_that_existed_in_a_period_precede_those_of_today(then: bool) -> None:
    time = TimeInQuestion("period", "2022", date(2022, 1, 1), date(2022, 12, 31))
    today = passage("lease.md", "The rent is 9 euros.", 1.0, "2024-01-01")
    old = passage("lease.md", "The rent is 8 euros.", 0.9, "2021-01-01")
    ranked = prefer([today, old], time, latest=False, then={old.version_id} if then else set())
    assert (ranked[0] is old) == then


def test_copies_come_after_all_others() -> None:
    text = "The guarantee of the dishwasher lasts five years from the day of purchase, with the receipt."
    copies = [passage(f"copy{number}.txt", f"{text} Copy {number}.") for number in range(4)]
    receipt = passage("receipt.txt", "Paid 749 euros in cash on 12 September.", 0.4)
    assert paths(apart([*copies, receipt], 9)) == ["copy0.txt", "receipt.txt", "copy1.txt", "copy2.txt", "copy3.txt"]
    assert paths(apart([*copies, receipt], 2)) == ["copy0.txt", "receipt.txt"]
