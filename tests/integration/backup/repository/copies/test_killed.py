# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGKILL at the boundaries of steps of a copy: no backup that is listed is bad, and the next command converges."""

from __future__ import annotations

import pytest

from tars_backup.actions.verify import verify

from ..killing import drive
from .pair import Pair, quiet

pytestmark = [pytest.mark.integration, pytest.mark.steps]


def test_a_copy_killed_between_steps(pair: Pair) -> None:
    names = [pair.change("one")]
    assert drive(pair.desktop, "copy")  # with the reading of a part, which is due once a day
    names.append(pair.change("two"))
    outcome = drive(pair.desktop, "copy")
    assert outcome and outcome["code"] == 0 and outcome["steps"] > 20, outcome
    for step in range(1, outcome["steps"] + 1, 4):
        good = pair.names()
        names.append(pair.change(f"step {step}"))
        assert drive(pair.desktop, "copy", step) is None
        listing = pair.listing()
        # The rules keep nine: the oldest one may have gone.
        assert {mark.id for mark in listing.backups} >= set(good[-8:])
        assert not (listing.missing or listing.problems)
        pair.copy()
        listing = pair.listing()
        assert [mark.id for mark in listing.backups] == names[-9:]
        assert not (listing.missing or listing.problems or listing.unfinished)
    assert len(verify(pair.copied, "latest", every=True, data=True, progress=quiet).backups) == 9


def test_bringing_back_killed_between_steps(pair: Pair) -> None:
    names = [pair.change("one"), pair.change("two")]
    pair.copy()
    pair.change("lost with the share")
    pair.lose_share()
    outcome = drive(pair.desktop, "bring_back")
    assert outcome and outcome["code"] == 0 and outcome["steps"] > 20, outcome
    for step in range(1, outcome["steps"] + 1, 4):
        pair.lose_share()
        assert drive(pair.desktop, "bring_back", step) is None
        pair.bring_back()
        listing = pair.desktop.listing()
        assert [mark.id for mark in listing.backups] == names, f"step {step}"
        assert not (listing.missing or listing.problems or listing.unfinished or listing.foreign), f"step {step}"
        assert set(pair.desktop.verify(every=True, data=True).backups) == set(names)
