# SPDX-License-Identifier: GPL-3.0-or-later
"""A compose project: what its files ask for, what runs, and what differs.

Read from configuration hashes and container states, never from what docker compose says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Dict, List, Mapping, Sequence

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
HASH_LABEL = "com.docker.compose.config-hash"


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
    def at_work(self) -> bool:
        """Whether it does what it is there for: runs and is not ill, or has run once to a good end."""
        if self.one_shot:
            return self.status == "exited" and self.exit_code == 0
        return self.status == "running" and self.health in ("", "healthy")

    @property
    def description(self) -> str:
        if self.status == "exited":
            return f"ended with {self.exit_code}"
        return self.health or self.status


def parse_hashes(output: str) -> Dict[str, str]:
    """`docker compose config --hash '*'` to service -> hash of its configuration."""
    return {service: digest for service, digest in (line.split() for line in output.splitlines() if line.strip())}


def parse_containers(inspected: str) -> List[Container]:
    """`docker inspect` of containers. A service that is not restarted (`restart: "no"`) is one that runs once."""
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


def plan(hashes: Mapping[str, str], containers: Sequence[Container]) -> Dict[str, str]:
    """Service -> what has to happen: `create`, `recreate`, `start` (it does not run, or is ill) or `remove`.

    Empty where all is well.
    """
    steps = {}
    by_service: Dict[str, List[Container]] = {}
    for container in containers:
        by_service.setdefault(container.service, []).append(container)
    for service, wanted in sorted(hashes.items()):
        present = by_service.get(service, [])
        if not present:
            steps[service] = "create"
        elif any(container.config_hash != wanted for container in present):
            steps[service] = "recreate"
        elif not all(container.at_work for container in present):
            steps[service] = "start"
    steps.update({service: "remove" for service in sorted(by_service) if service not in hashes})
    return steps


def summary(containers: Sequence[Container]) -> str:
    """One line for people: every service and how it is."""
    return ", ".join(f"{container.service} {container.description}" for container in containers) or "no container yet"
