# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of a NAS's snapshots, which state when each was taken."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

FOLDER = "#snapshot"
"""Folder of a share in which DSM shows its snapshots, if they are visible."""
_NAME = re.compile(
    r"(?:@?GMT(?:(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)?)?-)?"
    r"(?P<time>\d{4}\.\d\d\.\d\d-\d\d\.\d\d\.\d\d)",
    re.ASCII,
)
_MOST_OFFSET = timedelta(hours=14)


def time_of(name: str, zone: tzinfo) -> datetime | None:
    """Return the time in the name of a snapshot in UTC; None where the name is none of a snapshot.

    DSM writes the offset of its clock from UTC, and the local time: GMT+01-2024.01.14-05.00.00. Samba writes UTC:
    @GMT-2024.01.14-04.00.00. A name without either is a time in `zone`; of an hour that occurs twice, as at the end of
    daylight saving, the first one.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        local = datetime.strptime(match["time"], "%Y.%m.%d-%H.%M.%S")
        return local.replace(tzinfo=_zone_of(match, zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone_of(match: re.Match[str], zone: tzinfo) -> tzinfo:
    if match["sign"]:
        offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
        if offset > _MOST_OFFSET:
            raise ValueError(f"no clock differs from UTC by {offset}")
        return timezone(-offset if match["sign"] == "-" else offset)
    return UTC if "GMT" in match[0] else zone
