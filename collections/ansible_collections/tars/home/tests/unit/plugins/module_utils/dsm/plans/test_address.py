# SPDX-License-Identifier: GPL-3.0-or-later
import dataclasses
import ipaddress

import pytest
from ansible_collections.tars.home.plugins.module_utils.dsm.plans.address import (
    NAS,
    OTHER,
    REFUSED,
    SILENT,
    Desired,
    Place,
    Port,
    Sighting,
    choose,
    from_api,
    plan,
    predict,
    to_api,
)
from ansible_collections.tars.home.plugins.module_utils.dsm.values import PlanError
from hypothesis import given
from hypothesis import strategies as st

ADDRESSES = st.integers(0, 2**10).map(lambda number: str(ipaddress.IPv4Address("10.77.0.0") + number))
PORTS = st.builds(
    Port,
    name=st.sampled_from(["eth0", "eth1"]),
    use_dhcp=st.booleans(),
    ip=st.just("") | ADDRESSES,
    mask=st.sampled_from(["255.255.255.0", "255.255.252.0"]),
    gateway=st.just("") | ADDRESSES,
    vlan=st.booleans(),
)
DESIRED = st.builds(
    Desired, ADDRESSES, st.integers(0, 32), st.none() | st.just("") | ADDRESSES, st.sampled_from(["", "eth0", "eth1"])
)


@given(st.lists(PORTS, max_size=2), DESIRED, st.booleans())
def test_a_second_plan_is_empty_and_what_is_asked_for_is_what_comes(
    listed: list[Port], desired: Desired, may_move: bool
) -> None:
    ports = {port.name: port for port in listed}
    place = Place(next(iter(ports), ""), desired.address, may_move)
    try:
        changes = plan(ports, desired, place)
    except PlanError as error:
        assert error.problems
        return
    after = predict(ports, changes)
    assert plan(after, desired, place) == []
    port = after[desired.interface or place.carrier]
    assert (port.use_dhcp, port.ip) == (False, desired.address)
    assert ipaddress.IPv4Interface(f"{port.ip}/{port.mask}").network.prefixlen == desired.prefix
    assert may_move or not any(change.port.name == place.carrier for change in changes)
    for change in changes:
        sent = to_api(change)
        row = {**dataclasses.asdict(change.before), **sent}
        assert from_api([row])[change.port.name] == dataclasses.replace(change.port, vlan=False)


@pytest.mark.parametrize(
    "desired",
    [
        Desired("10.77.0", 24),
        Desired("10.77.0.0", 24),
        Desired("10.77.0.255", 24),
        Desired("169.254.0.9", 16),
        Desired("224.0.0.9", 24),
        Desired("10.77.0.20", 31),
        Desired("10.77.0.20", 0),
        Desired("10.77.0.20/24", 24),
    ],
    ids=str,
)
def test_an_address_no_machine_can_have_is_refused(desired: Desired) -> None:
    with pytest.raises(PlanError, match=r"prefix|address"):
        plan(
            {"eth0": Port("eth0", True, "10.77.0.120", "255.255.255.0")}, desired, Place("eth0", desired.address, True)
        )


WANTED, BEFORE = "10.77.0.20", "10.77.0.120"


@pytest.mark.parametrize(
    ("wanted", "before", "chosen"),
    [
        (Sighting(WANTED, NAS, "A1"), None, WANTED),
        (Sighting(WANTED, SILENT), Sighting(BEFORE, NAS, "A1"), BEFORE),
        (Sighting(WANTED, SILENT), None, "found_at is not set"),
        (Sighting(WANTED, SILENT), Sighting(BEFORE, SILENT), "nothing answers; 10.77.0.20: nothing answers"),
        (Sighting(WANTED, SILENT), Sighting(BEFORE, NAS, "B2"), "serial number B2 answers"),
        (Sighting(WANTED, SILENT), Sighting(BEFORE, OTHER, detail="a printer"), r"something else answers \(a printer"),
        (Sighting(WANTED, NAS, "B2"), Sighting(BEFORE, NAS, "A1"), "is taken"),
        (Sighting(WANTED, REFUSED), Sighting(BEFORE, NAS, "A1"), "is taken"),
        (Sighting(WANTED, OTHER), Sighting(BEFORE, NAS, "A1"), "is taken"),
    ],
    ids=str,
)
def test_where_to_work(wanted: Sighting, before: Sighting, chosen: str) -> None:
    if chosen in (WANTED, BEFORE):
        assert choose(wanted, before, "A1").address == chosen
    else:
        with pytest.raises(PlanError, match=chosen):
            choose(wanted, before, "A1")
