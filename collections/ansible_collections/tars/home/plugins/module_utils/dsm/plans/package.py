# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages of a NAS have to be started or stopped. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..values import PlanError, boolean, text

RUNNING = "running"
# Not there yet: DSM is still at it.
TRANSITIONAL = frozenset({"downloading", "installing", "loading", "queueing", "repairing"}) | frozenset(
    {"starting", "stopping", "uninstalling", "upgrading"}
)


@dataclass(frozen=True)
class Package:
    """An installed package, by DSM's name of it; `status` is DSM's word, of which only "running" is running."""

    id: str
    title: str
    version: str
    status: str
    startable: bool

    @property
    def running(self) -> bool:
        return self.status == RUNNING


@dataclass(frozen=True)
class Change:
    """`action` is start or stop."""

    action: str
    id: str

    def __str__(self) -> str:
        return f"{self.action} package {self.id}"


def from_row(row: Mapping[str, Any]) -> Package:
    """One entry of SYNO.Core.Package list, which keeps what was asked for in `additional`."""
    extra = {**row, **(row.get("additional") or {})}
    return Package(
        id=text(row.get("id")),
        title=text(row.get("name")),
        version=text(row.get("version")),
        status=text(extra.get("status")),
        startable=boolean(extra.get("startable")),
    )


def to_dict(packages: Mapping[str, Package]) -> dict[str, Any]:
    """The packages as plain data, for diffs and return values."""
    return {
        name: {"title": package.title, "version": package.version, "running": package.running}
        for name, package in sorted(packages.items())
    }


def plan(current: Mapping[str, Package], desired: Sequence[Mapping[str, Any]]) -> list[Change]:
    """What turns `current` (installed packages by id) into `desired`.

    Raises PlanError naming everything that cannot be done; to install a package is among it.
    """
    problems: list[str] = []
    changes: list[Change] = []
    seen: set[str] = set()
    for wish in desired:
        name, state = wish["name"], wish["state"]
        package = current.get(name)
        if name in seen:
            problems.append(f"package {name} is listed twice. Keep one entry.")
        elif package is None:
            problems.append(
                f"package {name} is not installed (found {', '.join(sorted(current)) or 'none'}), and installing one "
                "through the Web API is not proven. Install it in Package Center, or correct the name, which is DSM's "
                "own, such as SynoFinder for Universal Search."
            )
        elif package.status in TRANSITIONAL:
            problems.append(
                f"package {name} has been {package.status} for as long as this run waited. Look at Package Center, and "
                "run again when it is done."
            )
        elif state != "present" and package.running != (state == "started"):
            if package.startable:
                changes.append(Change("start" if state == "started" else "stop", name))
            else:
                problems.append(
                    f"package {name} is {package.status or 'in no known state'}, wanted {state}, but DSM lets nobody "
                    "start or stop it. Set state: present."
                )
        seen.add(name)
    if problems:
        raise PlanError(problems)
    return changes


def predict(current: Mapping[str, Package], changes: Sequence[Change]) -> dict[str, Package]:
    """The model of what DSM does with the changes; for check mode and for the tests of `plan`."""
    after = dict(current)
    for change in changes:
        status = RUNNING if change.action == "start" else "stop"
        after[change.id] = dataclasses.replace(after[change.id], status=status)
    return after
