# SPDX-License-Identifier: GPL-3.0-or-later
"""Both machines reboot, as after a power failure, and the service works again without any intervention."""

from collections.abc import Callable
from typing import Any

import pytest

from tars_lab import cgroups, layout

from ..conftest import tars
from .conftest import AUTHORITY, eventually, host, playbook
from .test_story import ask, get, put, states

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

BOTH = ("xps8950", "ds1515plus")
KEY = b"The key of the bicycle shed hangs behind the blue cupboard, according to note QF-2093.\n"
PATIENCE_S = 300


@pytest.fixture(scope="module", autouse=True)
def document(provisioned: None) -> None:
    """Add a document for the questions."""
    written = host("client").run(f"cat > /root/tars-ca.pem <<'END'\n{AUTHORITY.read_text()}\nEND")
    assert written.rc == 0, written.stderr
    put("shed.txt", KEY)
    eventually(lambda: states().get("shed.txt") == "indexed")


def answers(path: str, condition: Callable[[Any], object]) -> bool:
    """Return whether the service answers ``client`` and the answer fulfils a condition; not while a machine boots."""
    try:
        return bool(condition(get(path)))
    except AssertionError:
        return False


def documents(available: bool) -> bool:
    """Return whether the service reports all shares as `available`; at first it reports the state before its start."""
    return answers(
        "/api/documents", lambda answer: all(source["available"] is available for source in answer["sources"])
    )


def leaders() -> dict[str, int | None]:
    """Return the first process of each machine, which is another one after every boot."""
    lab = layout.recorded()
    return {name: cgroups.init(lab, name) for name in BOTH}


def test_the_service_works_again_after_both_machines_reboot_at_once() -> None:
    before = leaders()
    for name in BOTH:
        # By a timer, because the connection ends with the reboot.
        assert host(name).run("systemd-run --on-active=1 --timer-property=AccuracySec=100ms systemctl reboot").rc == 0
    eventually(lambda: all(now not in (None, before[name]) for name, now in leaders().items()), seconds=PATIENCE_S)
    eventually(
        lambda: answers("/ready", lambda answer: answer["ready"]) and documents(available=True), seconds=PATIENCE_S
    )
    events = ask("Where does the key of the bicycle shed hang?")
    quotes = [citation["quote"] for citation in events["done"]["citations"]]
    assert events["token"].strip() and any("QF-2093" in quote for quote in quotes), events


def test_the_desktop_waits_for_a_nas_that_boots_later() -> None:
    tars("lab", "stop", "ds1515plus")
    before = leaders()["xps8950"]
    assert host("xps8950").run("systemd-run --on-active=1 --timer-property=AccuracySec=100ms systemctl reboot").rc == 0
    eventually(lambda: leaders()["xps8950"] not in (None, before), seconds=PATIENCE_S)
    eventually(lambda: answers("/api/search?q=bicycle+shed", lambda answer: answer["results"]), seconds=PATIENCE_S)
    eventually(lambda: documents(available=False), seconds=PATIENCE_S)
    tars("lab", "start", "ds1515plus")
    eventually(lambda: documents(available=True), seconds=PATIENCE_S)
    put("attic.txt", b"The ladder to the attic is in the garage.\n")
    eventually(lambda: states().get("attic.txt") == "indexed", seconds=PATIENCE_S)
    run = playbook("verify")
    assert run.code == 0, run.output
