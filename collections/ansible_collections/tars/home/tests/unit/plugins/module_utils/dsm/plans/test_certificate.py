# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible_collections.tars.home.plugins.module_utils.dsm.plans.certificate import (
    Certificates,
    Stored,
    plan,
    predict,
)
from ansible_collections.tars.home.plugins.module_utils.dsm.values import PlanError
from hypothesis import given
from hypothesis import strategies as st


def test_a_certificate_needs_a_description() -> None:
    with pytest.raises(PlanError, match="no description"):
        plan(Certificates("old"), "", "new")


NAMES = st.sampled_from(["", "household", "by hand", "old one"])


@st.composite
def nas(draw: st.DrawFn) -> Certificates:
    """A NAS as it can be: one default certificate, one that DSM shows."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    default, desktop = draw(st.sampled_from(names)), draw(st.sampled_from(names))
    stored = [Stored(f"id{at}", name, name == default, name == desktop) for at, name in enumerate(names)]
    return Certificates(draw(st.sampled_from(["old", "new"])), tuple(stored))


@given(nas())
def test_it_is_shown_and_the_others_stay(current: Certificates) -> None:
    changes = plan(current, "household", "new")
    after = predict(current, changes)
    assert after.shown == "new"
    assert plan(after, "household", "new") == []
    assert [(row.default, row.desktop) for row in after.stored if row.description == "household"] == [(True, True)]
    assert sum(row.default for row in after.stored) == sum(row.desktop for row in after.stored) == 1
    assert {row.description for row in current.stored} <= {row.description for row in after.stored}
