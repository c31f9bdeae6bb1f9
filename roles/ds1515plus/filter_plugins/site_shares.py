# SPDX-License-Identifier: GPL-3.0-or-later
"""The spec's shares in the words of the role nas_shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def site_shares(site: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every share of the spec, as tars.home.dsm_share wants it."""
    return [
        {"name": name, "volume": share["volume"], "description": share.get("description") or ""}
        for name, share in site["shares"].items()
    ]


def site_exports(site: Mapping[str, Any], squash: str) -> list[dict[str, Any]]:
    """Every share's whole list of rules: its clients by address, as tars.home.dsm_nfs wants it."""
    machines = {**site["hosts"], **site.get("machines", {})}
    return [
        {
            "share": name,
            "rules": [
                {"client": machines[client]["address"], "access": grant["access"], "squash": squash}
                for client, grant in share.get("clients", {}).items()
            ],
        }
        for name, share in site["shares"].items()
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"site_shares": site_shares, "site_exports": site_exports}
