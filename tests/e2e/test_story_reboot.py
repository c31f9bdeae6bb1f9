# SPDX-License-Identifier: GPL-3.0-or-later
"""Both machines start again, as after a power cut, and the service is back: nobody logs in, nothing is run."""

from collections.abc import Callable
from typing import Any

import pytest

from tars_lab import cgroups, layout

from ..conftest import tars
from .conftest import AUTHORITY, eventually, host, playbook
from .test_story import ask, get, put, states

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

BOTH = ("xps8950", "ds1515plus")
KEY = b"The key of the bicycle shed hangs behind the blue door, says note QF-2093.\n"
PATIENCE_S = 300


@pytest.fixture(scope="module", autouse=True)
def known(provisioned: None) -> None:
    """A document that a question can be about."""
    written = host("client").run(f"cat > /root/tars-ca.pem <<'END'\n{AUTHORITY.read_text()}\nEND")
    assert written.rc == 0, written.stderr
    put("shed.txt", KEY)
    eventually(lambda: states().get("shed.txt") == "indexed", seconds=90)


def answered(path: str, wanted: Callable[[Any], object]) -> bool:
    """Whether the service answers ``client`` as wanted; a machine that starts answers nothing at first."""
    try:
        return bool(wanted(get(path)))
    except AssertionError:
        return False


def documents(available: bool) -> bool:
    """Whether the service says so of the documents on the NAS. After its start it first says what it said last."""
    return answered("/api/documents", lambda told: all(one["available"] is available for one in told["sources"]))


def leaders() -> dict[str, int | None]:
    """The first process of each machine, another one after every start."""
    lab = layout.recorded()
    return {name: cgroups.init(lab, name) for name in BOTH}


def test_the_service_comes_back_when_both_machines_reboot_at_once() -> None:
    before = leaders()
    for name in BOTH:
        # Goes on after the connection is gone.
        assert host(name).run("systemd-run --on-active=1 --timer-property=AccuracySec=100ms systemctl reboot").rc == 0
    eventually(lambda: all(now not in (None, before[name]) for name, now in leaders().items()), seconds=PATIENCE_S)
    eventually(lambda: answered("/ready", lambda told: told["ready"]) and documents(available=True), seconds=PATIENCE_S)
    events = ask("Where does the key of the bicycle shed hang?")
    quotes = [citation["quote"] for citation in events["done"]["citations"]]
    assert events["token"].strip() and any("QF-2093" in quote for quote in quotes), events


def test_the_desktop_waits_for_a_nas_that_starts_after_it() -> None:
    tars("lab", "stop", "ds1515plus")
    before = leaders()["xps8950"]
    assert host("xps8950").run("systemd-run --on-active=1 --timer-property=AccuracySec=100ms systemctl reboot").rc == 0
    eventually(lambda: leaders()["xps8950"] not in (None, before), seconds=PATIENCE_S)
    eventually(lambda: answered("/api/search?q=bicycle+shed", lambda told: told["results"]), seconds=PATIENCE_S)
    eventually(lambda: documents(available=False), seconds=PATIENCE_S)
    tars("lab", "start", "ds1515plus")
    eventually(lambda: documents(available=True), seconds=PATIENCE_S)
    put("attic.txt", b"The ladder to the attic is in the garage.\n")
    eventually(lambda: states().get("attic.txt") == "indexed", seconds=PATIENCE_S)
    run = playbook("verify")
    assert run.code == 0, run.output
