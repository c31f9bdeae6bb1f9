# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole demonstration from the built packages, in an empty folder: only with `./tars test -m packages`."""

from __future__ import annotations

import pytest

from .conftest import Installation

pytestmark = pytest.mark.packages


def test_the_demo_answers_from_the_sample_documents(installed: Installation, before: dict[str, set[str]]) -> None:
    try:
        done = installed.run("tars-provision", "demo", timeout_s=1500)
    finally:
        installed.run("tars-provision", "lab", "down")
    assert "E15" in done.stdout and "dishwasher" in done.stdout, done.stdout
    past = done.stdout.split("has changed.", 1)[1]
    assert "Excess: 150" in past and "+ Excess: 250" in past, done.stdout
    assert "tars-provision ask -i /var/lib/tars-lab/site" in done.stdout
    assert not list(installed.folder.iterdir()), "the demonstration left files in the current folder"
