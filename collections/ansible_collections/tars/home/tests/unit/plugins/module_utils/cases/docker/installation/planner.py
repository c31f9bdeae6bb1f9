# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of Docker Engine. A current state goes with the goal of its case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.docker import installation
from ansible_collections.tars.home.plugins.module_utils.system import apt_sources
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner

DEBIAN = installation.Family(("docker.io", "docker-cli"), "docker-compose", "docker-buildx")
DOCKER = installation.Family(
    ("docker-ce", "docker-ce-cli", "containerd.io"), "docker-compose-plugin", "docker-buildx-plugin"
)
REPOSITORY = installation.Repository(
    "https://download.docker.com/linux/debian",
    "trixie",
    "/etc/apt/sources.list.d/tars-docker.sources",
    "/etc/apt/keyrings/tars-docker.asc",
)

Installation = tuple[installation.State, installation.Goal]


def _installation(case: Case) -> Installation:
    current, desired = dict(case["current"]), dict(case["desired"])
    platform = desired.pop("platform", "Debian 13")
    families = {"distribution": DEBIAN if platform == "Debian 13" else None, "docker": DOCKER}
    helpers = tuple(desired.pop("helpers", ()))
    goal = installation.Goal(families=families, platform=platform, repository=REPOSITORY, helpers=helpers, **desired)
    files = current.pop("files", {})
    sources = tuple(source for path, text in files.items() for source in apt_sources.parse(path, text))
    if current.get("entry") == "own":
        current["entry"] = REPOSITORY.text
    sets: dict[str, Any] = {
        key: frozenset(current.pop(key, ())) for key in ("installed", "held", "unpacked", "plugins", "lost_keys")
    }
    rootless = tuple(current.pop("rootless", ()))
    return installation.State(**sets, rootless=rootless, sources=sources, **current), goal


def _predict_installation(current: Installation, changes: Sequence[installation.Change]) -> Installation:
    return installation.predict(current[0], changes, current[1]), current[1]


PLANNER = Planner(_installation, lambda case, current: installation.plan(*current), _predict_installation)
