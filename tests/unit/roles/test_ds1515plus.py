# SPDX-License-Identifier: GPL-3.0-or-later
"""The NAS's profile: what it makes of the spec, and that its roles ask for what the modules take."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

SNAPSHOTS = {"hour": 3, "keep": {"daily": 2}}
SITE = {
    "network": {"dns": ["fd00::1", "10.77.0.10", "10.77.0.1", "9.9.9.9"]},
    "hosts": {
        "xps8950": {"profile": "xps8950", "address": "10.77.0.10"},
        "nas": {"profile": "ds1515plus", "address": "10.77.0.20", "dsm": {"port": 5443}, "open_ports": [445]},
    },
    "machines": {"client": {"address": "10.77.0.30"}},
    "shares": {
        "LLM_docs": {
            "volume": "/volume1",
            "description": "Documents",
            "clients": {"xps8950": {"access": "ro", "mount": "/srv/docs"}, "client": {"access": "rw"}},
        },
        "quiet": {"volume": "/volume2", "description": None, "clients": {}},
    },
    "backup": {
        "share": "kept",
        "volume": "/volume1",
        "account": "keeper",
        "snapshots": {"hour": 3, "keep": {"daily": 2}},
    },
    "firewall": {"enabled": True, "manage": ["10.77.0.30", "10.0.0.0/24"], "use": ["10.77.0.0/24"]},
}
BARE = {**SITE, "network": {"dns": None}, "backup": None, "firewall": None}


@pytest.fixture(scope="module")
def filters(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_nas", root / "roles/ds1515plus/filter_plugins/site_nas.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_shares_of_the_spec_and_the_backups(filters: ModuleType) -> None:
    shares = [
        {"name": "LLM_docs", "volume": "/volume1", "description": "Documents"},
        {"name": "quiet", "volume": "/volume2", "description": ""},
    ]
    assert filters.site_shares(BARE) == shares
    assert filters.site_shares(SITE) == [
        *shares,
        {"name": "kept", "volume": "/volume1", "description": "Backups of T.A.R.S."},
    ]


def test_clients_are_known_by_their_addresses_and_the_backups_are_the_desktops(filters: ModuleType) -> None:
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
    assert filters.site_exports(BARE, "all_to_admin") == exports
    kept = {"share": "kept", "rules": [{"client": "10.77.0.10", "access": "rw", "squash": "all_to_admin"}]}
    assert filters.site_exports(SITE, "all_to_admin") == [*exports, kept]


def test_the_backups_have_an_account_and_snapshots_of_their_own(filters: ModuleType) -> None:
    assert filters.site_accounts(SITE, "x") == [
        {"name": "keeper", "password": "x", "description": "Backups of T.A.R.S."}
    ]
    assert filters.site_permissions(SITE) == [
        {"share": "kept", "permissions": [{"user": "keeper", "access": "rw"}], "exclusive": True}
    ]
    assert filters.site_snapshots(SITE) == [{"share": "kept", "schedule": {"hour": 3}, "retention": {"daily": 2}}]
    assert [*filters.site_accounts(BARE, "x"), *filters.site_permissions(BARE), *filters.site_snapshots(BARE)] == []


def test_the_nas_is_moved_only_where_the_spec_says_what_to_know_it_by(filters: ModuleType) -> None:
    assert filters.site_static_address(SITE, "nas") is None
    first = {"address": "10.77.0.99", "serial": "15A0LKN000000"}
    network = {"cidr": "10.77.0.0/22", "gateway": "10.77.0.1"}
    hosts = {"nas": {**SITE["hosts"]["nas"], "connect": first}}
    assert filters.site_static_address({"network": network, "hosts": hosts}, "nas") == {
        "serial": "15A0LKN000000",
        "found_at": "10.77.0.99",
        "address": "10.77.0.20",
        "prefix": 22,
        "gateway": "10.77.0.1",
    }


def test_the_nas_takes_two_name_servers_that_it_can_reach(filters: ModuleType) -> None:
    assert filters.site_resolvers(SITE) == ["10.77.0.10", "10.77.0.1"]
    assert filters.site_resolvers(BARE) is None


def test_the_nas_asks_the_desktop_first_and_somebody_else_when_that_is_off(filters: ModuleType) -> None:
    network = {"gateway": "10.77.0.1", "dns": None}
    served, ended = ({**SITE, "network": network, "names": {"enabled": on}} for on in (True, False))
    assert filters.site_resolvers(served) == ["10.77.0.10", "10.77.0.1"]
    assert filters.site_resolvers(ended) == ["10.77.0.1"]
    assert filters.site_resolvers({**SITE, "names": {"enabled": True}}) == ["10.77.0.10", "10.77.0.1"]
    assert filters.site_resolvers({**served, "network": {**network, "dns": ["fd00::1", "9.9.9.9"]}}) == [
        "10.77.0.10",
        "9.9.9.9",
    ]


def test_the_firewall_lets_in_who_is_named(filters: ModuleType) -> None:
    (section,) = filters.site_firewall(SITE, "nas", 22)
    assert (section["adapter"], section["policy"]) == ("global", "drop")
    assert [(rule["protocol"], rule["ports"], rule["sources"]) for rule in section["rules"]] == [
        ("tcp", ["5443", "22"], ["10.77.0.30"]),
        ("tcp", ["5443", "22"], ["10.0.0.0/24"]),
        ("all", ["111", "892", "2049"], ["10.77.0.10", "10.77.0.30"]),
        ("tcp", ["445"], ["10.77.0.0/24"]),
    ]
    assert filters.site_firewall(BARE, "nas", 22) == []
    assert [filters.site_manages(SITE, address) for address in ("10.77.0.10", "10.0.0.7")] == [False, True]
    assert filters.site_manages(BARE, "10.77.0.10")


def shape(options: dict[str, Any]) -> dict[str, Any]:
    """Names, types, choices and defaults of options, without their words."""
    return {
        name: {key: option[key] for key in ("type", "elements", "required", "choices", "default") if key in option}
        | {"options": shape(option.get("suboptions") or option.get("options") or {})}
        for name, option in options.items()
    }


@pytest.mark.parametrize(
    "variable, module, option",
    [
        ("nas_shares", "dsm_share", "shares"),
        ("nas_exports", "dsm_nfs", "exports"),
        ("nas_users", "dsm_account", "users"),
        ("nas_groups", "dsm_account", "groups"),
        ("nas_permissions", "dsm_permission", "shares"),
        ("nas_snapshots", "dsm_snapshot", "shares"),
        ("nas_packages", "dsm_package", "packages"),
        ("nas_tasks", "dsm_task", "tasks"),
        ("nas_firewall_sections", "dsm_firewall", "sections"),
    ],
)
def test_the_role_asks_for_what_the_module_takes(root: Path, variable: str, module: str, option: str) -> None:
    collection = root / "collections/ansible_collections/tars/home"
    specs = yaml.safe_load((collection / "roles/nas/meta/argument_specs.yml").read_text())["argument_specs"]
    source = (collection / "plugins/modules" / f"{module}.py").read_text()
    documented = re.search(r'DOCUMENTATION = r"""(.*?)"""', source, re.DOTALL)
    assert documented is not None
    theirs = yaml.safe_load(documented.group(1))["options"][option]
    for entry in ("main", "verify"):
        assert shape(specs[entry]["options"][variable]["options"]) == shape(theirs["suboptions"])
