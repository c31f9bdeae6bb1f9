# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a NAS has to take a certificate in, and show it. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..values import PlanError, boolean, text

# The service whose certificate DSM's own web server shows.
DESKTOP = {"subscriber": "system", "service": "default"}


@dataclass(frozen=True)
class Stored:
    """A certificate as DSM lists it, which is without its fingerprint; `desktop` says that DSM's pages show it."""

    id: str
    description: str
    default: bool = False
    desktop: bool = False


@dataclass(frozen=True)
class Certificates:
    """`shown` is the SHA-256 (hex) of the certificate that the NAS really shows."""

    shown: str
    stored: tuple[Stored, ...] = ()


@dataclass(frozen=True)
class Change:
    """`action` is import (in the place of `id`, or as a new one where that is empty) or bind.

    `fingerprint` is empty for a certificate that is not made yet.
    """

    action: str
    description: str
    fingerprint: str
    id: str = ""

    def __str__(self) -> str:
        if self.action == "bind":
            return f"let DSM show the certificate {self.description!r}"
        how = "replace" if self.id else "import"
        return (
            f"{how} the certificate {self.description!r} ({self.fingerprint or 'still to be made'}) as the default one"
        )


def from_api(data: Mapping[str, Any], shown: str) -> Certificates:
    """The answer of SYNO.Core.Certificate.CRT list, and what the NAS shows."""
    return Certificates(
        shown,
        tuple(
            Stored(
                text(row.get("id")),
                text(row.get("desc")),
                boolean(row.get("is_default")),
                any(is_desktop(service) for service in row.get("services") or []),
            )
            for row in data.get("certificates") or []
        ),
    )


def is_desktop(service: Mapping[str, Any]) -> bool:
    return all(service.get(key) == value for key, value in DESKTOP.items())


def to_dict(current: Certificates) -> dict[str, Any]:
    """The certificates as plain data, for diffs and return values; DSM makes their ids up."""
    rows = [{key: value for key, value in dataclasses.asdict(row).items() if key != "id"} for row in current.stored]
    return {"shown": current.shown, "certificates": sorted(rows, key=lambda row: str(row["description"]))}


def plan(current: Certificates, description: str, fingerprint: str) -> list[Change]:
    """What makes the certificate with that SHA-256 the default and the shown one, known by its description.

    Raises PlanError where it cannot be told which stored certificate is meant.
    """
    if not description:
        raise PlanError(["the certificate has no description to know it by. Set description."])
    found = [row for row in current.stored if row.description == description]
    if len(found) > 1:
        raise PlanError(
            [
                f"{len(found)} certificates on the NAS are described as {description!r}, so it cannot be told which is "
                "meant. Delete all but one in Control Panel > Security > Certificate."
            ]
        )
    row = found[0] if found else Stored("", description)
    if row.default and row.desktop and current.shown == fingerprint:
        return []
    changes = [Change("import", description, fingerprint, row.id)]
    # Services that show the default one follow it by themselves.
    follows = row.desktop or any(other.default and other.desktop for other in current.stored)
    return changes if follows else [*changes, Change("bind", description, fingerprint, row.id)]


def predict(current: Certificates, changes: Sequence[Change]) -> Certificates:
    """The model of what DSM does with the changes; for check mode and for the tests of `plan`."""
    for change in changes:
        if change.action == "bind":
            stored = tuple(
                dataclasses.replace(row, desktop=row.description == change.description) for row in current.stored
            )
        else:
            moves = any(row.default and row.desktop for row in current.stored)
            mine = [row for row in current.stored if row.description == change.description]
            others = [row for row in current.stored if row.description != change.description]
            desktop = moves or any(row.desktop for row in mine)
            stored = (
                *(dataclasses.replace(row, default=False, desktop=row.desktop and not desktop) for row in others),
                Stored(change.id, change.description, True, desktop),
            )
        shows = any(row.desktop and row.description == change.description for row in stored)
        current = Certificates(change.fingerprint if shows else current.shown, stored)
    return current
