# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the NAS's roles."""

from __future__ import annotations

from typing import Any

import pytest

from tars_provision.profiles import nas, role_variables
from tars_provision.spec.model import Nas, Site

from .conftest import SPEC, MakeSite


def nas_variables(site: Site) -> Any:
    host = site.hosts["nas"]
    assert isinstance(host, Nas)
    return nas.nas_variables(site, "nas", host)


def test_shares_are_those_of_the_spec_and_the_backup_share(make_site: MakeSite) -> None:
    shares = [
        {"name": "LLM_docs", "volume": "/volume1", "description": "Documents"},
        {"name": "quiet", "volume": "/volume2", "description": ""},
    ]
    backup = {"name": "kept", "volume": "/volume1", "description": "Backups of T.A.R.S."}
    assert nas.shares(make_site(backup=None)) == shares
    assert nas.shares(make_site()) == [*shares, backup]


def test_the_backup_share_can_have_a_quota_and_snapshots_by_the_hour(make_site: MakeSite) -> None:
    backup = {**SPEC["backup"], "quota_gib": 2, "snapshots": {"hour": 5, "every_hours": 2, "keep": {"hourly": 24}}}
    site = make_site(backup=backup)
    assert nas.shares(site)[-1]["quota_mib"] == 2048
    assert site.backup is not None
    # From 01:00 on, so that 05:00 is one of them.
    assert nas.snapshots(site.backup)["schedule"] == {"hour": 1, "every_hours": 2}
    assert nas.snapshots(site.backup)["retention"]["hourly"] == 24


def test_exports_name_clients_by_address_and_open_backups_to_the_desktop_alone(make_site: MakeSite) -> None:
    exports = [
        {
            "share": "LLM_docs",
            "rules": [
                {"client": "10.77.0.10", "access": "ro", "squash": "all_to_admin"},
                {"client": "10.77.0.30", "access": "rw", "squash": "all_to_admin"},
            ],
        },
        {"share": "quiet", "rules": []},
    ]
    backup = {"share": "kept", "rules": [{"client": "10.77.0.10", "access": "rw", "squash": "all_to_admin"}]}
    assert nas.exports(make_site(backup=None)) == exports
    assert nas.exports(make_site()) == [*exports, backup]


def test_backups_have_their_own_account_permissions_and_snapshots(make_site: MakeSite) -> None:
    variables = role_variables(make_site(), "nas")
    assert variables["ds1515plus_accounts"] == [{"name": "backup", "description": "Backups of T.A.R.S."}]
    assert variables["nas_permissions"] == [
        {"share": "kept", "permissions": [{"user": "backup", "access": "rw"}], "exclusive": True}
    ]
    assert variables["nas_snapshots"] == [
        {
            "share": "kept",
            "schedule": {"hour": 3},
            "retention": {"hourly": 0, "daily": 2, "weekly": 0, "monthly": 0, "yearly": 0},
        }
    ]
    without = role_variables(make_site(backup=None), "nas")
    assert [without[name] for name in ("ds1515plus_accounts", "nas_permissions", "nas_snapshots")] == [[], [], []]


def test_snapshots_of_documents_are_shown_or_hidden(make_site: MakeSite) -> None:
    clients = {"xps8950": {"access": "ro", "mount": "/srv/tars/documents/papers"}}
    shares = {**SPEC["shares"], "docs": {"volume": "/volume1", "clients": clients}}
    for enabled in (True, False):
        variables = role_variables(make_site(shares=shares, history={"enabled": enabled}, backup=None), "nas")
        assert variables["nas_snapshots"] == [{"share": "docs", "visible": enabled}]
    variables = role_variables(make_site(shares=shares, history={}), "nas")
    snapshots = variables["nas_snapshots"]
    assert isinstance(snapshots, list) and [entry["share"] for entry in snapshots] == ["docs", "kept"]


def test_the_address_is_managed_only_if_the_spec_names_a_serial_number(make_site: MakeSite) -> None:
    assert nas_variables(make_site())["nas_static_address"] is None
    connect = {"address": "10.77.0.99", "serial": "15A0LKN000000"}
    hosts = {**SPEC["hosts"], "nas": {**SPEC["hosts"]["nas"], "connect": connect}}
    assert nas_variables(make_site(hosts=hosts))["nas_static_address"] == {
        "serial": "15A0LKN000000",
        "found_at": "10.77.0.99",
        "address": "10.77.0.20",
        "prefix": 22,
        "gateway": "10.77.0.1",
    }


@pytest.mark.parametrize(
    ("dns", "names", "expected"),
    [
        (["fd00::1", "10.77.0.10", "10.77.0.1", "9.9.9.9"], None, ["10.77.0.10", "10.77.0.1"]),
        (None, None, None),
        (["fd00::1"], None, None),
        (None, {"enabled": True}, ["10.77.0.10", "10.77.0.1"]),
        (None, {"enabled": False}, ["10.77.0.1"]),
        (["10.77.0.10", "10.77.0.1"], {"enabled": True}, ["10.77.0.10", "10.77.0.1"]),
        (["fd00::1", "9.9.9.9"], {"enabled": True}, ["10.77.0.10", "9.9.9.9"]),
    ],
)
def test_resolvers_are_at_most_two_ipv4_servers_and_the_desktop_first_if_it_serves_names(
    make_site: MakeSite, dns: list[str] | None, names: dict[str, bool] | None, expected: list[str] | None
) -> None:
    network = {**SPEC["network"], "dns": dns}
    assert nas.resolvers(make_site(network=network, names=names)) == expected


def test_the_firewall_accepts_the_named_sources_and_drops_all_else(make_site: MakeSite) -> None:
    (section,) = nas_variables(make_site())["nas_firewall_sections"]
    assert (section["adapter"], section["policy"]) == ("global", "drop")
    assert [(rule["protocol"], rule["ports"], rule["sources"]) for rule in section["rules"]] == [
        ("tcp", ["5443", "22"], ["10.77.0.30"]),
        ("tcp", ["5443", "22"], ["10.0.0.0/24"]),
        ("all", ["111", "892", "2049"], ["10.77.0.10", "10.77.0.30"]),
        ("tcp", ["445"], ["10.77.0.0/22"]),
    ]
    assert nas_variables(make_site(firewall=None))["nas_firewall_sections"] == []


@pytest.mark.parametrize(
    ("manage", "changes", "closed"),
    [
        (["household"], {}, True),
        (["household", "xps8950"], {}, False),
        (["household", "10.77.0.10"], {}, False),
        (["household"], {"backup": None}, False),
        (["client"], {}, False),
    ],
)
def test_dsm_is_closed_to_the_desktop_unless_the_spec_lists_it(
    make_site: MakeSite, manage: list[str], changes: dict[str, Any], closed: bool
) -> None:
    site = make_site(firewall={**SPEC["firewall"], "manage": manage}, **changes)
    first = nas_variables(site)["nas_firewall_sections"][0]["rules"][0]
    assert (first.get("action") == "drop" and first["sources"] == ["10.77.0.10"]) is closed
    assert nas.manages(site, "10.77.0.10") is ("household" in manage and not closed)
    assert nas.manages(site, "10.77.0.10") is role_variables(site, "nas")["ds1515plus_desktop_manages"]


def test_nobody_mounts_means_no_rule_for_nfs(make_site: MakeSite) -> None:
    site = make_site(backup=None, shares={"quiet": {"volume": "/volume2"}})
    (section,) = nas_variables(site)["nas_firewall_sections"]
    assert "all" not in {rule["protocol"] for rule in section["rules"]}
    assert role_variables(site, "nas")["ds1515plus_desktop_mounts"] is False


def test_who_manages_the_nas_follows_from_the_firewall(make_site: MakeSite) -> None:
    site = make_site()
    assert [nas.manages(site, address) for address in ("10.77.0.10", "10.0.0.7")] == [False, True]
    assert nas.manages(make_site(firewall=None), "10.77.0.10")
    assert nas.manages(make_site(firewall={**SPEC["firewall"], "enabled": False}), "10.77.0.10")


def test_the_certificate_is_for_all_names_and_the_address(make_site: MakeSite) -> None:
    assert role_variables(make_site(), "nas")["authority_certificates"] == [
        {"name": "nas", "names": ["nas.home.arpa"], "addresses": ["10.77.0.20"]}
    ]
