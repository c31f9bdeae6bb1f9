# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan which packages of a NAS to start or stop. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from ...resource.listed import distinct, listed_twice
from ..values import PlanError, boolean, text

RUNNING = "running"
# DSM is still working on the package.
TRANSITIONAL = frozenset({"downloading", "installing", "loading", "queueing", "repairing"}) | frozenset(
    {"starting", "stopping", "uninstalling", "upgrading"}
)


@dataclass(frozen=True)
class Package:
    """An installed package, by DSM's name of it; `status` is DSM's term; only "running" means that it runs."""

    id: str
    title: str
    version: str
    status: str
    startable: bool

    @property
    def running(self) -> bool:
        """Whether the package runs."""
        return self.status == RUNNING


@dataclass(frozen=True)
class Change:
    """`action` is start or stop."""

    action: str
    id: str

    def __str__(self) -> str:
        return f"{self.action} package {self.id}"


def from_row(row: Mapping[str, Any]) -> Package:
    """Return the package of an entry of SYNO.Core.Package list, which has the requested fields in `additional`."""
    extra = {**row, **(row.get("additional") or {})}
    return Package(
        id=text(row.get("id")),
        title=text(row.get("name")),
        version=text(row.get("version")),
        status=text(extra.get("status")),
        startable=boolean(extra.get("startable")),
    )


def to_dict(packages: Mapping[str, Package]) -> dict[str, Any]:
    """Return the packages as plain data, for diffs and return values."""
    return {
        name: {"title": package.title, "version": package.version, "running": package.running}
        for name, package in sorted(packages.items())
    }


def plan(current: Mapping[str, Package], desired: Sequence[Mapping[str, Any]]) -> list[Change]:
    """Return the changes that turn `current` (installed packages by id) into `desired`.

    Raises:
        PlanError: naming everything that cannot be done, which includes the installation of a package.
    """
    problems = listed_twice("package", (item["name"] for item in desired))
    changes: list[Change] = []
    for item in distinct(desired, itemgetter("name")):
        name, state = item["name"], item["state"]
        package = current.get(name)
        if package is None:
            problems.append(
                f"package {name} is not installed (found {', '.join(sorted(current)) or 'none'}), and installing one "
                "through the Web API is not proven. Install it in Package Center, or use DSM's own name of it, such as "
                "SynoFinder for Universal Search."
            )
        elif package.status in TRANSITIONAL:
            problems.append(
                f"package {name} is still {package.status} after the time that this run waited. Check Package "
                "Center, and "
                "run again when it has finished."
            )
        elif state != "present" and package.running != (state == "started"):
            if package.startable:
                changes.append(Change("start" if state == "started" else "stop", name))
            else:
                problems.append(
                    f"package {name} is {package.status or 'in no known state'}, expected {state}, but DSM does "
                    "not allow "
                    "to start or stop it. Set state: present."
                )
    if problems:
        raise PlanError(problems)
    return changes


def predict(current: Mapping[str, Package], changes: Sequence[Change]) -> dict[str, Package]:
    """Return the state after the changes, for check mode and for the tests of `plan`."""
    after = dict(current)
    for change in changes:
        status = RUNNING if change.action == "start" else "stop"
        after[change.id] = dataclasses.replace(after[change.id], status=status)
    return after
