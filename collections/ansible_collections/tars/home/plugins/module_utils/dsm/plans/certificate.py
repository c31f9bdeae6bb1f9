# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan whether a NAS must import a certificate and show it. Pure: no network, no Ansible."""

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
    """A certificate as DSM lists it, without its fingerprint; `desktop`: DSM's own pages use it."""

    id: str
    description: str
    default: bool = False
    desktop: bool = False


@dataclass(frozen=True)
class Certificates:
    """The stored certificates, and in `shown` the SHA-256 (hex) of the one that the NAS shows."""

    shown: str
    stored: tuple[Stored, ...] = ()


@dataclass(frozen=True)
class Change:
    """`action` is import (replacing `id`, or as a new certificate if that is empty) or bind.

    `fingerprint` is empty for a certificate that is not created yet.
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
            f"{how} the certificate {self.description!r} ({self.fingerprint or 'not created yet'}) as the default one"
        )


def from_api(data: Mapping[str, Any], shown: str) -> Certificates:
    """Return the answer of SYNO.Core.Certificate.CRT list with the fingerprint of the certificate that is shown."""
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
    """Tell whether a service is DSM's own web page."""
    return all(service.get(key) == value for key, value in DESKTOP.items())


def to_dict(current: Certificates) -> dict[str, Any]:
    """Return the certificates as plain data, for diffs and return values, without DSM's random ids."""
    rows = [{key: value for key, value in dataclasses.asdict(row).items() if key != "id"} for row in current.stored]
    return {"shown": current.shown, "certificates": sorted(rows, key=lambda row: str(row["description"]))}


def plan(current: Certificates, description: str, fingerprint: str) -> list[Change]:
    """Return the changes after which the certificate with this SHA-256 is the default and is shown.

    A stored certificate is identified by its description.

    Raises:
        PlanError: there is no description, or several stored certificates have it.
    """
    if not description:
        raise PlanError(["the certificate has no description, which identifies it. Set description."])
    matching = [row for row in current.stored if row.description == description]
    if len(matching) > 1:
        raise PlanError(
            [
                f"{len(matching)} certificates on the NAS have the description {description!r}, expected at most one. "
                "Delete all but one in Control Panel > Security > Certificate."
            ]
        )
    row = matching[0] if matching else Stored("", description)
    if row.default and row.desktop and current.shown == fingerprint:
        return []
    changes = [Change("import", description, fingerprint, row.id)]
    # Services that use the default certificate follow it by themselves.
    follows = row.desktop or any(other.default and other.desktop for other in current.stored)
    return changes if follows else [*changes, Change("bind", description, fingerprint, row.id)]


def predict(current: Certificates, changes: Sequence[Change]) -> Certificates:
    """Return the state after the changes, for check mode and for the tests of `plan`."""
    for change in changes:
        if change.action == "bind":
            stored = tuple(
                dataclasses.replace(row, desktop=row.description == change.description) for row in current.stored
            )
        else:
            moves = any(row.default and row.desktop for row in current.stored)
            own = [row for row in current.stored if row.description == change.description]
            others = [row for row in current.stored if row.description != change.description]
            desktop = moves or any(row.desktop for row in own)
            stored = (
                *(dataclasses.replace(row, default=False, desktop=row.desktop and not desktop) for row in others),
                Stored(change.id, change.description, True, desktop),
            )
        shows = any(row.desktop and row.description == change.description for row in stored)
        current = Certificates(change.fingerprint if shows else current.shown, stored)
    return current
