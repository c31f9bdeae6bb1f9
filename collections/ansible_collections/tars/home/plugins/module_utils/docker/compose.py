# SPDX-License-Identifier: GPL-3.0-or-later
"""A Compose project: the containers that its file describes, those that exist, and what differs.

Read from configuration hashes and container states, never from what docker compose prints.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..resource.change import Change
from ..resource.errors import ResourceError

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
HASH_LABEL = "com.docker.compose.config-hash"


class ComposeError(ResourceError):
    """The project cannot be read or started, or its page does not answer. The message has the next step."""


@dataclass(frozen=True)
class Container:
    """A container of the project. `health` is empty where the service has no health check."""

    id: str
    service: str
    config_hash: str
    status: str
    health: str
    exit_code: int
    one_shot: bool

    @property
    def working(self) -> bool:
        """Whether it runs and is not unhealthy, or, for one that runs once, has ended with 0."""
        if self.one_shot:
            return self.status == "exited" and self.exit_code == 0
        return self.status == "running" and self.health in ("", "healthy")

    @property
    def description(self) -> str:
        """Return its state in words."""
        if self.status == "exited":
            return f"ended with {self.exit_code}"
        return self.health or self.status


@dataclass(frozen=True)
class State:
    """A project's state.

    Attributes:
        hashes: hash of the configuration by service, as the Compose file describes it.
        containers: the containers of the project, sorted by service.
        readable: false where docker or the Compose file does not exist yet.
        page: why the page does not answer; empty if it does, or if none is checked.
    """

    hashes: Mapping[str, str] = field(default_factory=dict)
    containers: Sequence[Container] = ()
    readable: bool = True
    page: str = ""


def parse_hashes(output: str) -> dict[str, str]:
    """Return the hash of each service's configuration from `docker compose config --hash '*'`."""
    return {service: digest for service, digest in (line.split() for line in output.splitlines() if line.strip())}


def parse_containers(inspected: str) -> list[Container]:
    """Return the containers from `docker inspect`. A service with `restart: "no"` runs once."""
    containers = []
    for item in json.loads(inspected or "[]"):
        labels, state = item["Config"].get("Labels") or {}, item["State"]
        containers.append(
            Container(
                id=item["Id"],
                service=labels.get(SERVICE_LABEL, item["Name"].lstrip("/")),
                config_hash=labels.get(HASH_LABEL, ""),
                status=state["Status"],
                health=(state.get("Health") or {}).get("Status", ""),
                exit_code=state.get("ExitCode", 0),
                one_shot=item["HostConfig"]["RestartPolicy"]["Name"] in ("", "no"),
            )
        )
    return sorted(containers, key=lambda container: container.service)


def plan(state: State, project: str) -> list[Change]:
    """Return the changes, one for each service that differs.

    A change is `create`, `recreate`, `start` (stopped or unhealthy) or `remove` of a service, or `create` of the whole
    project.

    Raises:
        ComposeError: nothing differs, but the page does not answer.
    """
    if not state.readable:
        return [Change("create", f"project {project}")]
    by_service: dict[str, list[Container]] = {}
    for container in state.containers:
        by_service.setdefault(container.service, []).append(container)
    changes = []
    for service, digest in sorted(state.hashes.items()):
        present = by_service.get(service, [])
        if not present:
            changes.append(Change("create", service))
        elif any(container.config_hash != digest for container in present):
            changes.append(Change("recreate", service))
        elif not all(container.working for container in present):
            changes.append(Change("start", service))
    changes += [Change("remove", service) for service in sorted(by_service) if service not in state.hashes]
    if not changes and state.page:
        raise ComposeError(state.page)
    return changes


def predict(state: State, changes: Sequence[Change]) -> State:
    """Return the state after the changes: one healthy container for each changed service."""
    kinds = {change.subject: change.kind for change in changes}
    kept = [container for container in state.containers if container.service not in kinds]
    new = [
        Container("", service, digest, "running", "healthy", 0, False)
        for service, digest in state.hashes.items()
        if service in kinds
    ]
    return replace(state, containers=sorted([*kept, *new], key=lambda container: container.service), readable=True)


def show(state: State) -> dict[str, Any]:
    """Return the state as return values."""
    return {"services": summary(state.containers)}


def diff(before: State, after: State) -> dict[str, str]:
    """Return the containers as diff mode shows them."""
    return {"before": listing(before.containers), "after": listing(after.containers)}


def listing(containers: Sequence[Container]) -> str:
    """Return one line for each container: service, ID, state."""
    return "".join(
        f"{container.service} {container.id[:12] or '(new)'} {container.description}\n" for container in containers
    )


def summary(containers: Sequence[Container]) -> str:
    """Return one line with the state of every service."""
    return ", ".join(f"{container.service} {container.description}" for container in containers) or "no container yet"
