# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wished for on a machine, out of the module's parameters and what was found there."""

import pytest
from ansible_collections.tars.home.plugins.module_utils.dns import dnsmasq as host
from ansible_collections.tars.home.plugins.module_utils.dns import dnsmasq_config as text
from ansible_collections.tars.home.plugins.modules import dnsmasq_zone

OTHERS = "nameserver 192.0.2.1\n"
ASKING = f"nameserver 127.0.0.1\n{OTHERS}"
PARAMS = {
    "zone": "home.arpa",
    "networks": [],
    "records": [],
    "address": "10.77.0.10",
    "upstream": [],
    "state": "present",
}
BARE = host.State("", "", OTHERS, False, False)


def resolver(kind, content=OTHERS):
    path = {"file": host.RESOLV_CONF, "resolved": host.RESOLVED_DROP_IN}.get(kind, "")
    return host.Resolver(kind, path, content, ("192.0.2.1",), "/source")


@pytest.fixture(autouse=True)
def nothing_else_configured(monkeypatch):
    monkeypatch.setattr(host, "others", dict)


@pytest.mark.parametrize(
    ("kind", "content", "after"),
    [
        ("file", OTHERS, ASKING),
        ("resolved", "", text.resolved_drop_in("home.arpa", [])),
        ("NetworkManager", "", ""),
    ],
)
def test_the_machine_asks_itself_where_its_resolver_can_be_told(kind, content, after):
    here = resolver(kind, content)
    wish = dnsmasq_zone.wanted(PARAMS, here, BARE)
    assert (wish.resolver, wish.running, wish.at_boot, wish.unit) == (after, True, True, host.UNIT_TEXT)
    assert ("resolv-file=/source" in wish.drop_in) == (kind == "resolved")
    again = dnsmasq_zone.wanted(PARAMS, resolver(kind, after), wish)
    assert dnsmasq_zone.difference(wish, again, here) == []


def test_the_machine_itself_is_nobody_to_forward_to():
    params = {**PARAMS, "upstream": ["10.77.0.10", "192.0.2.7", "127.0.0.1"]}
    assert "server=192.0.2.7\n" in dnsmasq_zone.wanted(params, resolver("file"), BARE).drop_in
    assert dnsmasq_zone.asked({**PARAMS, "upstream": ["10.77.0.10"]}) == []


@pytest.mark.parametrize(("ours", "after"), [("file of ours", OTHERS), ("", ASKING)])
def test_taking_it_back_takes_back_what_was_ours(ours, after):
    before = host.State(ours, "", ASKING, True, True)
    wish = dnsmasq_zone.wanted({**PARAMS, "state": "absent"}, resolver("file", ASKING), before)
    assert (wish.drop_in, wish.unit, wish.resolver) == ("", "", after)
    assert dnsmasq_zone.wanted({**PARAMS, "state": "absent"}, resolver("resolved", "x"), before).resolver == ""


def test_a_package_that_excludes_waiting_for_addresses_is_respected(monkeypatch):
    monkeypatch.setattr(host, "others", lambda: {"/etc/dnsmasq.d/libvirt-daemon": "bind-interfaces\n"})
    assert "bind-dynamic" not in dnsmasq_zone.wanted(PARAMS, resolver("file"), BARE).drop_in
