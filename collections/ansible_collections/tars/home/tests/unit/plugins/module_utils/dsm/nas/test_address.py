# SPDX-License-Identifier: GPL-3.0-or-later
"""What is believed of a NAS after its address was changed: who answers where, not what was answered."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from ansible_collections.tars.home.plugins.module_utils.dsm.nas.address import View, settle
from ansible_collections.tars.home.plugins.module_utils.dsm.plans.address import (
    NAS,
    SILENT,
    Change,
    Desired,
    Port,
    Ports,
    Sighting,
)
from ansible_collections.tars.home.plugins.module_utils.resource.errors import Incomplete

OLD = Port("eth0", True, "10.77.0.120", "255.255.255.0", "10.77.0.1", default=True)
NEW = replace(OLD, use_dhcp=False, ip="10.77.0.20")
GONE: Port | None = None
DEADLINE_S = 10


def course(serial: str, **seen: Sequence[Port | None]) -> Ports:
    """The ports at the end, where `new` and `old` list what successive observations find; the last one stays."""
    places = {"new": NEW.ip, "old": OLD.ip}
    script = {places[name]: list(ports) for name, ports in seen.items()}
    now = 0.0

    def observe(address: str) -> View:
        left = script[address]
        port = left.pop(0) if len(left) > 1 else left[0]
        if port is None:
            return View(Sighting(address, SILENT), {})
        return View(Sighting(address, NAS, serial), {"eth0": port}, address)

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    desired = Desired(NEW.ip, 24)
    return settle(observe, Change(OLD, NEW), desired, "A1", NEW.ip, OLD.ip, DEADLINE_S, sleep, lambda: now)


def test_it_comes_after_a_while() -> None:
    assert course("A1", new=[GONE, GONE, NEW], old=[GONE])["eth0"] == NEW


def test_it_answers_before_its_settings_are_there() -> None:
    leased = replace(NEW, use_dhcp=True)
    assert course("A1", new=[leased, leased, NEW], old=[GONE])["eth0"] == NEW


@pytest.mark.parametrize(
    ("serial", "new", "old", "changed", "parts"),
    [
        (
            "A1",
            [GONE],
            [OLD],
            False,
            ["10.77.0.20: nothing answers", "is 10.77.0.120 (by DHCP)", "Nothing was"],
        ),
        ("A1", [GONE], [GONE], True, ["10.77.0.20: nothing answers; 10.77.0.120: nothing answers", "reset button"]),
        ("B2", [NEW], [GONE], True, ["the NAS with serial number B2 answers"]),
        ("A1", [replace(NEW, use_dhcp=True)], [GONE], True, ["its eth0 is 10.77.0.20 (by DHCP)"]),
        ("A1", [GONE], [replace(OLD, use_dhcp=False)], True, ["its eth0 is 10.77.0.120 (static)"]),
    ],
)
def test_the_message_reports_what_is_known(
    serial: str, new: Sequence[Port | None], old: Sequence[Port | None], changed: bool, parts: list[str]
) -> None:
    with pytest.raises(Incomplete) as caught:
        course(serial, new=new, old=old)
    assert bool(caught.value.done) is changed
    for part in parts:
        assert part in str(caught.value)
