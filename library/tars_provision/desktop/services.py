# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the services' containers, from the contract and from what docker reports about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

RUNNING = ("healthy", "starting", "")
"""States of health in which a running service needs no attention; empty for one without a health check."""


@dataclass(frozen=True)
class Service:
    """A service of the stack. `since` is when it was started or, if it does not run, when it ended (ISO 8601, UTC)."""

    name: str
    container: str
    image: str
    state: str
    health: str = ""
    since: str = ""
    restarts: int = 0
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether it runs and is not unhealthy."""
        return self.state == "running" and self.health in RUNNING


def services(contract: Mapping[str, Any], inspected: Iterable[Mapping[str, Any]]) -> list[Service]:
    """Return the services of the contract by name; one whose container does not exist is `missing`."""
    by_name = {str(entry["Name"]).lstrip("/"): entry for entry in inspected}
    return [
        _service(name, service, by_name.get(service["container"]))
        for name, service in sorted(contract["services"].items())
    ]


def _service(name: str, service: Mapping[str, Any], entry: Mapping[str, Any] | None) -> Service:
    container = service["container"]
    if entry is None:
        return Service(name, container, service["image"], "missing", detail="no such container")
    state = entry["State"]
    health = state.get("Health") or {}
    running = state["Status"] == "running"
    return Service(
        name,
        container,
        entry["Config"]["Image"],
        state["Status"],
        # docker keeps the last health of a container that has stopped.
        health.get("Status", "") if running else "",
        state["StartedAt"] if running else state["FinishedAt"],
        entry["RestartCount"],
        _detail(state, health),
    )


def _detail(state: Mapping[str, Any], health: Mapping[str, Any]) -> str:
    """Return why a service does not run, or is unhealthy, in docker's words."""
    if state["Status"] != "running":
        parts = [
            f"exit code {state['ExitCode']}",
            "out of memory" if state.get("OOMKilled") else "",
            state.get("Error"),
        ]
        return ", ".join(filter(None, parts))
    if health.get("Status") == "unhealthy" and health.get("Log"):
        return " ".join(str(health["Log"][-1]["Output"]).split())[:200]
    return ""


def age(seconds: float) -> str:
    """Return a duration: `3 d 4 h`, `3 h 5 min`, `5 min`, `42 s`."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{rest} s"
