# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles nas_accounts and nas_snapshots through ansible-playbook: a run, and a comparison."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py

SECRET = "correct horse battery"


@pytest.fixture
def play(play_roles: Any) -> Any:
    user = {"name": "tars-backup", "password": SECRET, "groups": ["writers"], "update_password": "always"}
    grants = [{"user": "tars-backup", "access": "rw"}]
    wishes = {
        "nas_accounts_users": [user],
        "nas_accounts_groups": [{"name": "writers"}],
        "nas_accounts_shares": [{"share": "backup", "permissions": grants, "exclusive": True}],
        "nas_snapshots_shares": [{"share": "backup", "schedule": {"hour": 5}, "retention": {"daily": 7}}],
    }
    return play_roles(["nas_accounts", "nas_snapshots"], wishes, SECRET)


def test_a_run_and_a_comparison_that_finds_and_leaves_a_difference(twin: Twin, play: Any) -> None:
    assert not twin.run("dsm_share", shares=[{"name": "backup", "volume": "/volume1"}]).get("failed")
    stats, output = play("--diff")
    assert (stats["failures"], stats["changed"]) == (0, 3), output
    assert twin.state["permissions"]["backup"]["local_user"] == {"tars-backup": "rw"}
    assert twin.state["schedules"]["backup"]["schedule"]["hour"] == 5
    assert not twin.session_file.exists()

    # The accounts are compared first and pass: a password that is set in every run is no difference.
    with twin.nas.state.change() as data:
        data["permissions"]["backup"]["local_user"] = {"guest-user": "rw"}
    stats, output = play("--extra-vars", "entry=verify")
    assert (stats["failures"], stats["changed"]) == (1, 0), output
    assert "user guest-user unset, user tars-backup rw" in output
    assert twin.state["permissions"]["backup"]["local_user"] == {"guest-user": "rw"}
