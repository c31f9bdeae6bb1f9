# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.tars.home.plugins.module_utils.dns import dnsmasq
from ansible_collections.tars.home.plugins.module_utils.dns import dnsmasq_config as text
from ansible_collections.tars.home.plugins.module_utils.dns.dnsmasq import Machine, Resolver, Zone

OTHERS = "nameserver 192.0.2.1\n"
LOOPBACK_FIRST = f"nameserver 127.0.0.1\n{OTHERS}"
ZONE = Zone("home.arpa", [], [], "10.77.0.10", [])
ABSENT = dataclasses.replace(ZONE, present=False)
PATHS = {"file": dnsmasq.RESOLV_CONF, "resolved": dnsmasq.RESOLVED_DROP_IN}


def machine(kind: str = "file", content: str = OTHERS, drop_in: str = "", **others: str) -> Machine:
    resolver = Resolver(kind, PATHS.get(kind, ""), content, ("192.0.2.1",), "/source")
    return Machine(drop_in, "", resolver, running=False, at_boot=False, installed=True, others=others)


@pytest.mark.parametrize(
    ("kind", "content", "after"),
    [
        ("file", OTHERS, LOOPBACK_FIRST),
        ("resolved", "", text.resolved_drop_in("home.arpa", [])),
        ("NetworkManager", "", ""),
    ],
)
def test_the_machine_asks_itself_if_its_resolver_may_be_changed(kind: str, content: str, after: str) -> None:
    before = machine(kind, content)
    zone = dnsmasq.resource(ZONE)
    changes = zone.plan(before)
    predicted = zone.predict(before, changes)
    assert (predicted.resolver.content, predicted.running, predicted.at_boot) == (after, True, True)
    assert predicted.unit == dnsmasq.UNIT_TEXT
    assert ("resolv-file=/source" in predicted.drop_in) == (kind == "resolved")
    resolver = [PATHS[kind]] if kind in PATHS else []
    assert [str(change) for change in changes] == [dnsmasq.DROP_IN, dnsmasq.UNIT_DROP_IN, *resolver, dnsmasq.UNIT]
    assert zone.plan(predicted) == []


def test_before_the_installation_only_files_of_dnsmasq_are_written() -> None:
    bare = dataclasses.replace(machine(), installed=False)
    changes = dnsmasq.resource(ZONE, service=False).plan(bare)
    assert [str(change) for change in changes] == [dnsmasq.DROP_IN, dnsmasq.UNIT_DROP_IN]
    whole = dnsmasq.resource(ZONE).plan(bare)
    assert [str(change) for change in whole[2:]] == [dnsmasq.RESOLV_CONF, dnsmasq.UNIT]


@pytest.mark.parametrize(("running", "at_boot"), [(False, True), (True, False)])
def test_a_stopped_or_disabled_service_is_a_change(running: bool, at_boot: bool) -> None:
    zone = dnsmasq.resource(ZONE)
    complete = zone.predict(machine(), zone.plan(machine()))
    drifted = dataclasses.replace(complete, running=running, at_boot=at_boot)
    assert [str(change) for change in zone.plan(drifted)] == [dnsmasq.UNIT]
    assert dnsmasq.diff(drifted, complete)[0]["after"] == "running: True\nat boot: True\n"


def test_the_machine_itself_is_not_an_upstream_server() -> None:
    zone = dataclasses.replace(ZONE, upstream=["10.77.0.10", "192.0.2.7", "127.0.0.1"])
    assert zone.servers == ["192.0.2.7"]
    assert "server=192.0.2.7\n" in dnsmasq.desired(machine(), zone).drop_in
    assert dataclasses.replace(ZONE, upstream=["10.77.0.10"]).servers == []


@pytest.mark.parametrize(("drop_in", "after"), [("a file of ours", OTHERS), ("", LOOPBACK_FIRST)])
def test_absent_removes_what_was_ours(drop_in: str, after: str) -> None:
    before = machine("file", LOOPBACK_FIRST, drop_in)
    desired = dnsmasq.desired(before, ABSENT)
    assert (desired.drop_in, desired.unit, desired.resolver.content) == ("", "", after)
    assert dnsmasq.plan(desired, dnsmasq.desired(desired, ABSENT)) == []
    assert dnsmasq.desired(machine("resolved", "x"), ABSENT).resolver.content == ""


def test_a_package_that_excludes_waiting_for_addresses_is_respected() -> None:
    libvirt = machine(**{"/etc/dnsmasq.d/libvirt-daemon": "bind-interfaces\n"})
    assert "bind-dynamic" not in dnsmasq.desired(libvirt, ZONE).drop_in


def test_a_plain_resolv_conf_is_the_file_to_change() -> None:
    resolv_conf = "nameserver 127.0.0.1\nnameserver 192.0.2.10\nnameserver 192.0.2.1\n"
    resolver = dnsmasq.resolver("192.0.2.10", resolv_conf, dnsmasq.RESOLV_CONF, "", {})
    assert (resolver.kind, resolver.path) == ("file", dnsmasq.RESOLV_CONF)
    assert (resolver.content, resolver.upstream) == (resolv_conf, ("192.0.2.1",))


@pytest.mark.parametrize("real", ["/run/systemd/resolve/stub-resolv.conf", "/etc/resolv.conf"])
def test_systemd_resolved_has_its_own_servers(real: str) -> None:
    own = "nameserver 127.0.0.1\nnameserver 192.0.2.1\n"
    ours = {dnsmasq.RESOLVED_DROP_IN: "DNS=127.0.0.1\n"}
    resolver = dnsmasq.resolver("192.0.2.10", "nameserver 127.0.0.53\n", real, own, ours)
    assert (resolver.kind, resolver.upstream) == ("resolved", ("192.0.2.1",))
    assert resolver.source == "/run/systemd/resolve/resolv.conf" and resolver.path == dnsmasq.RESOLVED_DROP_IN
    assert resolver.content == "DNS=127.0.0.1\n" and not resolver.obstacle


def test_global_servers_of_systemd_resolved_are_an_obstacle_with_a_warning() -> None:
    files = {
        "/usr/lib/systemd/resolved.conf.d/10-a.conf": "DNS=192.0.2.8\n",
        "/etc/systemd/resolved.conf.d/10-a.conf": "DNS=192.0.2.9\n",
    }
    resolver = dnsmasq.resolver("192.0.2.10", "nameserver 127.0.0.53\n", "/etc/resolv.conf", "", files)
    assert (resolver.path, resolver.obstacle) == ("", "it asks 192.0.2.9 for everything, by resolved.conf")
    fixed = dataclasses.replace(machine(), resolver=resolver)
    (warning,) = dnsmasq.warnings(fixed, ZONE)
    assert "does not ask its own dnsmasq for home.arpa" in warning and "Next: name 127.0.0.1 there" in warning
    assert dnsmasq.warnings(fixed, ABSENT) == [] and dnsmasq.warnings(machine(), ZONE) == []


def test_the_file_of_another_program_is_not_changed() -> None:
    signed = dnsmasq.resolver("192.0.2.10", f"# Generated by NetworkManager\n{OTHERS}", dnsmasq.RESOLV_CONF, "", {})
    linked = dnsmasq.resolver("192.0.2.10", OTHERS, "/run/other.conf", "", {})
    assert (signed.path, signed.upstream, linked.path, linked.upstream) == ("", ("192.0.2.1",), "", ("192.0.2.1",))
    assert "NetworkManager" in signed.obstacle and "/run/other.conf" in linked.obstacle


def test_a_machine_without_an_upstream_server_is_refused() -> None:
    alone = dataclasses.replace(machine(), resolver=dnsmasq.resolver("192.0.2.10", "", dnsmasq.RESOLV_CONF, "", {}))
    with pytest.raises(dnsmasq.NameServerError, match=r"no server but this machine.*Next: set upstream servers"):
        dnsmasq.require_upstream(alone)
    dnsmasq.require_upstream(dataclasses.replace(alone, others={"/etc/dnsmasq.d/own.conf": "server=192.0.2.1\n"}))


SHOW = "ActiveState=active\nUnitFileState=enabled\nFragmentPath=/lib/systemd/system/dnsmasq.service\n"


def probed(configuration: str, show: tuple[int, str] = (0, SHOW), test: tuple[int, str] = (0, "OK")) -> str:
    resolver = [(0, OTHERS), (0, f"{dnsmasq.RESOLV_CONF}\n"), (1, ""), (0, "")]
    outputs = [*resolver, (0, configuration), (0, dnsmasq.UNIT_TEXT), show, test]
    return "".join(f"{output}\x1e{status}\x1e" for status, output in outputs)


CONFIGURATION = f"\x1d{dnsmasq.CONFIG}\n# none\n\x1d{dnsmasq.DROP_IN}\nours\n\x1d/etc/dnsmasq.d/a.dpkg-old\nx\n"


def test_the_probe_reads_the_machine() -> None:
    read = dnsmasq.parse(ZONE, probed(CONFIGURATION))
    assert read is not None and read == Machine(
        "ours\n",
        dnsmasq.UNIT_TEXT,
        Resolver("file", dnsmasq.RESOLV_CONF, OTHERS, ("192.0.2.1",), dnsmasq.RESOLV_CONF),
        running=True,
        at_boot=True,
        installed=True,
        others={dnsmasq.CONFIG: "# none\n"},
    )
    assert dnsmasq.accepted(read) is read
    assert dnsmasq.parse(ZONE, probed("", show=(1, ""))) is None and dnsmasq.parse(ZONE, "") is None


def test_a_configuration_that_dnsmasq_refuses_is_left_to_the_module() -> None:
    read = dnsmasq.parse(ZONE, probed(CONFIGURATION, test=(1, "dnsmasq: bad option at line 1\n")))
    assert read is not None and read.refusal == "dnsmasq: bad option at line 1"
    assert dnsmasq.accepted(read) is None and dnsmasq.accepted(None) is None


def test_dnsmasq_names_the_file_that_it_refuses() -> None:
    broken = machine(**{"/etc/dnsmasq.d/own.conf": "no-such-option\n"})
    with pytest.raises(dnsmasq.NameServerError, match=r"refuses the configuration, .*/etc/dnsmasq\.d/own\.conf"):
        dnsmasq.check("", broken)
    dnsmasq.check(dnsmasq.desired(machine(), ZONE).drop_in, machine())
