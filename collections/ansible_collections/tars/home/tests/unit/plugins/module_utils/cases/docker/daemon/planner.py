# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of Docker's daemon. A current state goes with the goal of its case."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.tars.home.plugins.module_utils.docker import daemon_plan
from ansible_collections.tars.home.plugins.module_utils.docker.service import Service
from ansible_collections.tars.home.plugins.module_utils.resource.change import Change
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner

Daemon = tuple[daemon_plan.State, daemon_plan.Goal]


def _daemon(case: Case) -> Daemon:
    current = dict(case["current"])
    service = Service(command=(), **current.pop("service"))
    return daemon_plan.State(service, **current), daemon_plan.Goal(**case["desired"])


def _predict_daemon(current: Daemon, changes: Sequence[Change]) -> Daemon:
    return daemon_plan.predict(current[0], changes, current[1]), current[1]


PLANNER = Planner(_daemon, lambda case, current: daemon_plan.plan(*current), _predict_daemon)
