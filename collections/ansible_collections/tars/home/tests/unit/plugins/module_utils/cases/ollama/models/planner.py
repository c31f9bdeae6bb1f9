# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of an Ollama server's models. A current state goes with the goal of its case."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.ollama import models
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner


def _models(case: Case) -> tuple[models.State, models.Goal]:
    return models.State(**case["current"]), models.Goal(**case["desired"], record="recorded/models.yml")


PLANNER = Planner(
    _models,
    lambda case, current: models.plan(*current),
    lambda current, changes: (models.predict(current[0], changes), current[1]),
)
