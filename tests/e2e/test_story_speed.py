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
    assert run["summary"]["decode_tps"]["mean"] == pytest.approx(
        run["summary"]["client_decode_tps"]["mean"], rel=0.05
    ), "the server's counters and the clock disagree"
    listed = host("xps8950").check_output("docker exec tars-ollama-1 ollama list")
    assert run["identity"]["digest"][:12] in listed
    history = benchmark_history.history(INVENTORY.parent)
    assert len(history) == before + 1 and history[-1]["time"] == run["time"]
