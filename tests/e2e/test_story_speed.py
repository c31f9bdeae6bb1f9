# SPDX-License-Identifier: GPL-3.0-or-later
"""The speed of the desktop, measured with the command `benchmark`.

The name of this file places it late in the story, when the other tests have ended: a busy computer distorts the times.
"""

import json

import pytest

from tars_provision.assistant import benchmark_history

from ..conftest import INVENTORY, tars
from .conftest import host

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]


def test_the_chat_model_is_measured_and_recorded() -> None:
    before = len(benchmark_history.history(INVENTORY.parent))
    measured = json.loads(tars("benchmark", "--json").stdout)
    run = measured["run"]
    assert len(run["answers"]) == 6
    assert measured["objections"] == []
    # Other programs may delay what the client receives of some answers.
    ratios = [answer["client_decode_tps"] / answer["decode_tps"] for answer in run["answers"]]
    assert any(ratio == pytest.approx(1, rel=0.05) for ratio in ratios), "the server's counters and the clock disagree"
    listed = host("xps8950").check_output("docker exec tars-ollama-1 ollama list")
    assert run["identity"]["digest"][:12] in listed
    history = benchmark_history.history(INVENTORY.parent)
    assert len(history) == before + 1 and history[-1]["time"] == run["time"]
