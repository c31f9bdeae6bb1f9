# SPDX-License-Identifier: GPL-3.0-or-later
"""The role nas_shares through ansible-playbook: check on a bare NAS, first run, second run."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py


@pytest.fixture
def play(play_roles: Any) -> Any:
    wishes = {
        "nas_shares_shares": [{"name": "LLM_docs", "volume": "/volume1"}],
        "nas_shares_exports": [{"share": "LLM_docs", "rules": [{"client": "10.77.0.10"}]}],
    }
    return play_roles(["nas_shares"], wishes)


def test_check_then_run_then_run_again(twin: Twin, play: Any) -> None:
    stats, output = play("--check", "--diff")
    assert (stats["failures"], stats["changed"]) == (0, 2), output
    assert not (twin.root / "volume1" / "LLM_docs").exists()

    # The last step of the role knocks at NFS's own port, which nothing serves on loopback.
    stats, output = play("--skip-tags", "reach")
    assert (stats["failures"], stats["changed"]) == (0, 2), output
    assert twin.state["rules"]["LLM_docs"][0]["client"] == "10.77.0.10"
    assert not twin.session_file.exists()

    twin.calls.clear()
    stats, output = play("--skip-tags", "reach")
    assert (stats["failures"], stats["changed"]) == (0, 0), output
    assert twin.count("SYNO.API.Auth.login") == 1
    assert twin.count("SYNO.API.Auth.logout") == 1


def test_verify_tells_a_difference_and_leaves_it(twin: Twin, play: Any) -> None:
    play("--skip-tags", "reach")
    stats, output = play("--skip-tags", "reach", "--extra-vars", "entry=verify")
    assert stats["failures"] == 0, output
    twin.run("dsm_nfs", exports=[{"share": "LLM_docs", "rules": []}])
    stats, output = play("--skip-tags", "reach", "--extra-vars", "entry=verify")
    assert stats["failures"] == 1
    assert "export share LLM_docs to 10.77.0.10 ro" in output
    assert twin.state["rules"]["LLM_docs"] == []
