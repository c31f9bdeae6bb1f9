# SPDX-License-Identifier: GPL-3.0-or-later
"""Free disk space on the file systems that will be written to."""

from __future__ import annotations

import re
from collections.abc import Sequence

# A folder that does not exist yet will be created in the nearest one above it that does.
_QUERY = """
for folder; do
    while [ ! -e "${folder:-/}" ]; do folder=${folder%/*}; done
    df --block-size=1M --output=avail,target "${folder:-/}" | tail -n 1
done
"""


def query(folders: Sequence[str]) -> list[str]:
    """Return the command that prints the free MiB and the mount point of each folder, one line a folder."""
    return ["sh", "-c", _QUERY, "sh", *folders]


def refusal(folders: Sequence[str], mib: int, output: str) -> str:
    """Return a message if the file system of a folder has less than so many MiB free; empty if all have enough."""
    rows = [match.groups() for line in output.splitlines() if (match := re.match(r"\s*(\d+)\s+(/.*?)\s*$", line))]
    if len(rows) == len(folders) and all(int(free) >= mib for free, _ in rows):
        return ""
    low = dict.fromkeys(f"{free} MiB on {mount}" for free, mount in rows if int(free) < mib)
    return (
        f"{', '.join(folders)}: found {', '.join(low) or ' '.join(output.split()) or 'no output of df'}, expected "
        f"{mib} MiB free on the file system of each. Nothing was changed. Next: free disk space, or lower "
        "disk_space.mib (stack_free_mib of the role tars.home.stack), then run again."
    )
