# SPDX-License-Identifier: GPL-3.0-or-later
"""What dpkg and apt-get are asked, and what dpkg's answer means."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, List, Sequence, Tuple

ENVIRONMENT: Tuple[Tuple[str, str], ...] = (("DEBIAN_FRONTEND", "noninteractive"), ("NEEDRESTART_SUSPEND", "1"))

LOCK_TIMEOUT_S = 600
"""Seconds to wait for another program's package lock (unattended upgrades hold it for minutes)."""


def query_command(names: Sequence[str]) -> List[str]:
    """Asks for the state of packages. Exits 1 for unknown names, which are then simply not in the answer."""
    return ["dpkg-query", "--show", "--showformat=${Package}\\t${db:Status-Status}\\t${db:Status-Want}\\n", *names]


def installed(answer: str) -> FrozenSet[str]:
    """The installed packages of dpkg-query's answer."""
    return frozenset(name for name, status, _ in _rows(answer) if status == "installed")


def held(answer: str) -> FrozenSet[str]:
    """The packages of dpkg-query's answer that apt-mark holds, installed or not."""
    return frozenset(name for name, _, want in _rows(answer) if want == "hold")


def missing(names: Sequence[str], answer: str) -> List[str]:
    """Names that are not installed according to dpkg-query's answer, in the order given."""
    there = installed(answer)
    return [name for name in dict.fromkeys(names) if name not in there]


def report(names: Sequence[str], wanted: Sequence[str]) -> Dict[str, Any]:
    """What the module apt_packages says of packages to have, of which `wanted` are missing."""
    before = "".join(f"{name}\n" for name in names if name not in wanted)
    diff = {"before": before, "after": "".join(f"{name}\n" for name in names)}
    return {"changed": bool(wanted), "installed": list(wanted), "diff": diff}


def _rows(answer: str) -> List[List[str]]:
    return [fields for line in answer.splitlines() if len(fields := line.split("\t")) == 3]


def install_command(names: Sequence[str], recommends: bool) -> List[str]:
    """Refreshes the package lists and installs. A shell joins the two, so that they are one job.

    Ends with an error rather than remove a package that stands in the way: that is the owner's to decide.
    """
    options = f"--quiet --yes --option=DPkg::Lock::Timeout={LOCK_TIMEOUT_S}"
    choice = "--install-recommends" if recommends else "--no-install-recommends"
    script = f'apt-get {options} update && exec apt-get {options} --no-remove {choice} install "$@"'
    return ["sh", "-c", script, "apt-get", *names]
