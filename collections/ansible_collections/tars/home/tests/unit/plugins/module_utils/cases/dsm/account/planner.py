# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of users and groups."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.dsm.plans import account
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner

OWN_ACCOUNT = "tars-admin"


def _directory(case: Case) -> account.Directory:
    current = case["current"]
    users = [
        account.user_from_row(
            row, [group["name"] for group in current["groups"] if row["name"] in group.get("members", [])]
        )
        for row in current["users"]
    ]
    groups = [account.group_from_row(row) for row in current["groups"]]
    return account.Directory({user.name: user for user in users}, {group.name: group for group in groups})


PLANNER = Planner(
    _directory,
    lambda case, current: account.plan(current, case["users"], case["groups"], OWN_ACCOUNT),
    account.predict,
    replan=lambda case, current: account.plan(
        current, case["users"], case["groups"], OWN_ACCOUNT, case.get("written", ())
    ),
)
