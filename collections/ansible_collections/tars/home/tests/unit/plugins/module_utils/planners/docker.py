# SPDX-License-Identifier: GPL-3.0-or-later
"""The planners of Docker Engine, its daemon, and Compose projects. A current state goes with the goal of its case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.docker import compose, daemon_plan, images, installation
from ansible_collections.tars.home.plugins.module_utils.docker.service import Service
from ansible_collections.tars.home.plugins.module_utils.system import apt_sources
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planners.planner import Case, Planner

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

Daemon = tuple[daemon_plan.State, daemon_plan.Goal]
Installation = tuple[installation.State, installation.Goal]


def _daemon(case: Case) -> Daemon:
    current = dict(case["current"])
    service = Service(command=(), **current.pop("service"))
    return daemon_plan.State(service, **current), daemon_plan.Goal(**case["desired"])


def _predict_daemon(current: Daemon, changes: Sequence[daemon_plan.Change]) -> Daemon:
    return daemon_plan.predict(current[0], changes, current[1]), current[1]


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


def _project(case: Case) -> compose.State:
    return compose.State(case["desired"], [compose.Container(**container) for container in case["current"]])


Images = tuple[images.State, images.Goal]


def _images(case: Case) -> Images:
    desired = case["desired"]
    goal = images.Goal(desired["images"], desired.get("recorded", {}), "recorded/images.yml")
    return images.State(case["current"]["present"], full=case["current"].get("full", "")), goal


PLANNERS: dict[str, Planner] = {
    "docker/compose": Planner(_project, lambda case, state: compose.plan(state, "tars"), compose.predict),
    "docker/daemon": Planner(_daemon, lambda case, current: daemon_plan.plan(*current), _predict_daemon),
    "docker/images": Planner(
        _images,
        lambda case, current: images.plan(*current),
        lambda current, changes: (images.predict(current[0], changes, current[1]), current[1]),
    ),
    "docker/installation": Planner(
        _installation, lambda case, current: installation.plan(*current), _predict_installation
    ),
}
