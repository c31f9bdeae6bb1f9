# SPDX-License-Identifier: GPL-3.0-or-later
"""Room on the file systems that something is going to be written to."""

from __future__ import annotations

import re
from typing import List, Sequence

# A place that is not there yet will be made in the nearest folder above it that is.
_ASK = """
for place; do
    while [ ! -e "${place:-/}" ]; do place=${place%/*}; done
    df --block-size=1M --output=avail,target "${place:-/}" | tail -n 1
done
"""


def query(places: Sequence[str]) -> List[str]:
    """The command that tells the free MiB and the mount point of each place, one line a place."""
    return ["sh", "-c", _ASK, "sh", *places]


def refusal(places: Sequence[str], mib: int, answer: str) -> str:
    """What to say to people where a place has less than so many MiB. Empty where all have enough."""
    told = [match.groups() for line in answer.splitlines() if (match := re.match(r"\s*(\d+)\s+(/.*?)\s*$", line))]
    if len(told) == len(places) and all(int(free) >= mib for free, _ in told):
        return ""
    low = dict.fromkeys(f"{free} MiB on {mount}" for free, mount in told if int(free) < mib)
    return (
        f"{mib} MiB free are wanted on the file system of each of {', '.join(places)}. Found: "
        f"{', '.join(low) or ' '.join(answer.split()) or 'nothing that df would tell'}. Nothing was changed. "
        "Make room there, or lower room.mib (stack_free_mib of the role tars.home.stack)."
    )
