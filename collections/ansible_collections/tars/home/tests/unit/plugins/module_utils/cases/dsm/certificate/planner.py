# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of a certificate and the services that use it."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.dsm.plans import certificate
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Planner

PLANNER = Planner(
    lambda case: certificate.from_api({"certificates": case["certificates"]}, case["shown"]),
    lambda case, current: certificate.plan(current, "household", case.get("desired", "new")),
    certificate.predict,
)
