# SPDX-License-Identifier: GPL-3.0-or-later
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.plans.system import (
    GROUPS,
    System,
    from_api,
    plan,
    predict,
    to_api,
    to_dict,
)
from ansible_collections.tars.home.plugins.module_utils.dsm.values import PlanError
from hypothesis import given
from hypothesis import strategies as st

ADDRESSES = st.sampled_from(["10.77.0.1", "10.77.0.10", "10.77.0.30"])
SERVERS = st.sampled_from(["a.example", "b.example", "10.77.0.1"])
PORTS = st.integers(1, 65535)
NAMES = st.sampled_from(["nas", "DiskStation", "ds1515plus"])
ZONES = st.sampled_from(["Amsterdam", "London"])
SYSTEMS = st.builds(
    System,
    server_name=NAMES,
    gateway=ADDRESSES,
    resolvers=st.lists(ADDRESSES, max_size=2, unique=True).map(tuple),
    time_zone=ZONES,
    ntp_servers=st.lists(SERVERS, max_size=3, unique=True).map(tuple),
    ssh=st.booleans(),
    ssh_port=PORTS,
    sftp=st.booleans(),
    sftp_port=PORTS,
)
DESIRED = st.fixed_dictionaries(
    {},
    optional={
        "server_name": st.none() | NAMES,
        "gateway": ADDRESSES,
        "resolvers": st.lists(ADDRESSES, max_size=3, unique=True),
        "time_zone": ZONES,
        "ntp_servers": st.lists(SERVERS, min_size=1, max_size=3, unique=True),
        "ssh": st.none() | st.booleans(),
        "ssh_port": PORTS,
        "sftp": st.booleans(),
        "sftp_port": PORTS,
    },
)


def objects(system: System) -> dict[str, dict[str, Any]]:
    """DSM's own objects for a system, with neighbours that nobody asked about."""
    primary, secondary = [*system.resolvers, "", ""][:2]
    return {
        "network": {
            "server_name": system.server_name,
            "gateway": system.gateway,
            "dns_manual": bool(system.resolvers),
            "dns_primary": primary,
            "dns_secondary": secondary,
            "arp_ignore": True,
            "gateway_info": {"ip": "10.77.0.20", "mask": "255.255.255.0"},
        },
        "time": {
            "timezone": system.time_zone,
            "enable_ntp": "ntp" if system.ntp_servers else "manual",
            "server": ",".join(system.ntp_servers),
            "hour": 12,
        },
        "terminal": {"enable_ssh": system.ssh, "ssh_port": system.ssh_port, "enable_telnet": True, "ssh_kex": []},
        "sftp": {"enable": system.sftp, "portnum": system.sftp_port},
    }


@given(SYSTEMS, DESIRED)
def test_what_is_sent_makes_what_is_wanted_and_a_second_plan_is_empty(current: System, desired: dict[str, Any]) -> None:
    before = objects(current)
    assert from_api(**{"clock" if group == "time" else group: row for group, row in before.items()}) == current
    try:
        changes = plan(current, desired)
    except PlanError as error:
        assert error.problems
        return
    after = {group: dict(row) for group, row in before.items()}
    for change in changes:
        after[change.group].update(to_api(change, before[change.group]))
    reached = from_api(*(after[group] for group in GROUPS))
    assert reached == predict(current, changes)
    assert plan(reached, desired) == []
    for name, value in to_dict(reached).items():
        wanted = desired.get(name)
        assert value == (to_dict(current)[name] if wanted is None else wanted)
    assert after["terminal"]["enable_telnet"] is True and after["network"]["arp_ignore"] is True


def test_the_network_is_sent_whole_without_what_only_reads() -> None:
    current = System("old", gateway="10.77.0.1")
    change = plan(current, {"server_name": "nas"})[0]
    sent = to_api(change, objects(current)["network"])
    assert sent["server_name"] == "nas" and sent["arp_ignore"] is True and "gateway_info" not in sent


def test_the_clock_fields_are_not_sent_back() -> None:
    current = System("nas", time_zone="Amsterdam", ntp_servers=("a.example",))
    change = plan(current, {"time_zone": "London"})[0]
    assert to_api(change, objects(current)["time"]) == {
        "timezone": "London",
        "enable_ntp": "ntp",
        "server": "a.example",
    }
