# SPDX-License-Identifier: GPL-3.0-or-later
"""What dpkg and apt-get are asked, and what dpkg's answer means."""

from __future__ import annotations

from typing import List, Sequence, Tuple

ENVIRONMENT: Tuple[Tuple[str, str], ...] = (("DEBIAN_FRONTEND", "noninteractive"), ("NEEDRESTART_SUSPEND", "1"))

LOCK_TIMEOUT_S = 600
"""Seconds to wait for another program's package lock (unattended upgrades hold it for minutes)."""


def query_command(names: Sequence[str]) -> List[str]:
    """Asks for the state of packages. Exits 1 for unknown names, which are then simply not in the answer."""
    return ["dpkg-query", "--show", "--showformat=${Package}\\t${db:Status-Status}\\n", *names]


def missing(names: Sequence[str], answer: str) -> List[str]:
    """Names that are not installed according to dpkg-query's answer, in the order given."""
    lines = [line.split("\t") for line in answer.splitlines()]
    installed = {fields[0] for fields in lines if len(fields) == 2 and fields[1] == "installed"}
    return [name for name in dict.fromkeys(names) if name not in installed]


def install_command(names: Sequence[str], recommends: bool) -> List[str]:
    """Refreshes the package lists and installs. A shell joins the two, so that they are one job."""
    options = f"--quiet --yes --option=DPkg::Lock::Timeout={LOCK_TIMEOUT_S}"
    choice = "--install-recommends" if recommends else "--no-install-recommends"
    script = f'apt-get {options} update && exec apt-get {options} {choice} install "$@"'
    return ["sh", "-c", script, "apt-get", *names]
