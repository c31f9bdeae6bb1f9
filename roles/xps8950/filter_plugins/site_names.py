# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines of the household and their names, in the words of the role names."""

from __future__ import annotations

from typing import Any


def site_records(site: dict[str, Any], first: str) -> list[dict[str, Any]]:
    """Every machine of the spec, the one named `first` before the others: its own name, its labels', its address."""
    machines = {**site["hosts"], **site["machines"]}
    ordered = [first, *(name for name in machines if name != first)]
    return [record(f"{name}.{site['domain']}", machines[name]) for name in ordered]


def record(own: str, machine: dict[str, Any]) -> dict[str, Any]:
    aliases = [name for name in machine["names"] if name != own]
    return {"name": own, "aliases": aliases, "addresses": [machine["address"]]}


class FilterModule:
    """Makes the functions known to templates."""

    def filters(self) -> dict[str, Any]:
        return {"site_records": site_records}
