# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the desktop's roles."""

from __future__ import annotations

import pytest

from tars_backup import configuration
from tars_provision.profiles import role_variables

from .conftest import SPEC, MakeSite


def test_the_firewall_opens_ssh_https_and_dns_to_their_sources(make_site: MakeSite) -> None:
    variables = role_variables(make_site(names={}), "xps8950")
    assert variables["host_firewall_services"] == [
        {"name": "ssh", "ports": [2222], "sources": ["10.77.0.30", "10.0.0.0/24"]},
        # The whole household is a source, and so are the IPv6 networks on its link.
        {"name": "https", "ports": [443], "sources": ["10.77.0.0/22", "link6"]},
        {"name": "dns", "ports": [53], "protocol": "dns", "sources": ["10.77.0.0/22", "10.77.0.0/22"]},
    ]


@pytest.mark.parametrize("names", [None, {"enabled": False}])
def test_without_a_name_service_the_dns_port_stays_closed(make_site: MakeSite, names: dict[str, bool] | None) -> None:
    services = role_variables(make_site(names=names), "xps8950")["host_firewall_services"]
    assert isinstance(services, list)
    assert [service["name"] for service in services] == ["ssh", "https"]


def test_parts_that_the_spec_leaves_out_are_not_managed(make_site: MakeSite) -> None:
    variables = role_variables(make_site(firewall=None, names=None), "xps8950")
    assert (variables["xps8950_firewall"], variables["xps8950_names"]) == (False, False)
    assert not [name for name in variables if name.startswith(("host_firewall_", "names_"))]


def test_records_begin_with_the_desktop_and_name_every_machine(make_site: MakeSite) -> None:
    hosts = dict(reversed(SPEC["hosts"].items()))
    assert role_variables(make_site(hosts=hosts, names={}), "xps8950")["names_records"] == [
        {
            "name": "xps8950.home.arpa",
            "aliases": ["tars.home.arpa", "llm.home.arpa"],
            "addresses": ["10.77.0.10"],
        },
        {"name": "nas.home.arpa", "aliases": [], "addresses": ["10.77.0.20"]},
        {"name": "client.home.arpa", "aliases": [], "addresses": ["10.77.0.30"]},
    ]


def test_mounts_are_the_shares_with_a_mount_point(make_site: MakeSite) -> None:
    variables = role_variables(make_site(), "xps8950")
    documents = {"source": "10.77.0.20:/volume1/LLM_docs", "path": "/srv/docs", "read_only": True}
    backups = {"source": "10.77.0.20:/volume1/kept", "path": "/srv/tars/backup", "read_only": False}
    assert variables["nfs_mount_mounts"] == [documents, backups]
    checks = variables["xps8950_mount_checks"]
    assert isinstance(checks, list)
    expected = [r"^10\.77\.0\.20:/volume1/LLM_docs$", r"^10\.77\.0\.20:/volume1/kept$"]
    assert [check["expect"] for check in checks] == expected
    without = role_variables(make_site(backup=None), "xps8950")
    assert without["nfs_mount_mounts"] == [documents] and not without["xps8950_backup"]
    assert not [name for name in without if name.startswith("backup_")]


@pytest.mark.parametrize(("schedule", "silence_h"), [("hourly", 3), ("daily", 27)])
def test_silence_depends_on_the_schedule(make_site: MakeSite, schedule: str, silence_h: int) -> None:
    backup = {**SPEC["backup"], "schedule": schedule}
    alarms = role_variables(make_site(backup=backup), "xps8950")["backup_alarms"]
    assert isinstance(alarms, dict) and alarms["silence_h"] == silence_h
    given = role_variables(make_site(backup={**backup, "alarms": {"silence_h": 9}}), "xps8950")["backup_alarms"]
    assert isinstance(given, dict) and given["silence_h"] == 9


def test_hooks_of_the_alarms(make_site: MakeSite) -> None:
    given: dict[str, dict[str, object]] = {
        "mail": {"to": ["a@example.org"], "sender": "tars@example.org", "server": "smtp.example.org", "user": "tars"},
        "ntfy": {"url": "https://ntfy.sh/{secret}"},
        "webhook": {"url": "http://10.77.0.30:8123/api/webhook/x"},
    }
    alarms = role_variables(make_site(backup={**SPEC["backup"], "alarms": given}), "xps8950")["backup_alarms"]
    assert isinstance(alarms, dict)
    assert [hook["kind"] for hook in alarms["hooks"]] == ["mail", "ntfy", "webhook"]
    assert alarms["hooks"][0] == {"kind": "mail", "port": 587, "encryption": "starttls", **given["mail"]}
    # The program takes what the profile gives it.
    reader = configuration._Reader({"alarms": alarms})
    assert len(configuration._alarms(reader).hooks) == 3 and reader.problems == []


def test_copies_of_the_backups(make_site: MakeSite) -> None:
    server = {"url": "https://b.example/t/", "account": "t", "ca": "~/ca.pem"}
    places = {"cellar": {"disk": "0f3a8d1e"}, "attic": {"nfs": "10.77.0.40:/volume1/c"}, "away": {"server": server}}
    variables = role_variables(make_site(backup={**SPEC["backup"], "copies": places}), "xps8950")
    retention = variables["backup_retention"]
    assert variables["backup_copies"] == {
        "cellar": {"disk": "0f3a8d1e", "retention": retention},
        "attic": {
            "mount": {"path": "/srv/tars/copies/attic", "source": "10.77.0.40:/volume1/c"},
            "repository": "/srv/tars/copies/attic/repository",
            "retention": retention,
        },
        "away": {"server": {"url": "https://b.example/t/", "account": "t", "authority": True}, "retention": retention},
    }
    assert variables["backup_copy_authorities"] == {"away": "~/ca.pem"}
    mounts = variables["nfs_mount_mounts"]
    assert isinstance(mounts, list)
    assert mounts[-1] == {"source": "10.77.0.40:/volume1/c", "path": "/srv/tars/copies/attic", "read_only": False}


@pytest.mark.parametrize(
    ("gpu", "managed", "required"), [("auto", True, False), ("nvidia", True, True), ("none", False, False)]
)
def test_the_card_is_managed_unless_the_spec_excludes_it(
    make_site: MakeSite, gpu: str, managed: bool, required: bool
) -> None:
    variables = role_variables(make_site(gpu=gpu), "xps8950")
    assert (variables["xps8950_nvidia"], variables["nvidia_required"]) == (managed, required)


def test_name_servers_outside_are_those_of_the_spec(make_site: MakeSite) -> None:
    variables = role_variables(make_site(names={}), "xps8950")
    assert variables["host_address_dns"] == variables["names_upstream"] == SPEC["network"]["dns"]
    variables = role_variables(make_site(network={**SPEC["network"], "dns": None}), "xps8950")
    assert variables["host_address_dns"] == []


def test_firewall_sources_become_addresses_and_networks(make_site: MakeSite) -> None:
    firewall = {"manage": ["client", "xps8950", "10.77.0.30", "10.0.0.0/8"], "use": ["household"]}
    services = role_variables(make_site(firewall=firewall), "xps8950")["host_firewall_services"]
    assert isinstance(services, list)
    assert [service["sources"] for service in services] == [
        ["10.77.0.30", "10.77.0.10", "10.0.0.0/8"],
        ["10.77.0.0/22", "link6"],
    ]


def test_days_are_those_of_the_stack_else_of_the_backups(make_site: MakeSite) -> None:
    def zone(**changes: object) -> object:
        return role_variables(make_site(**changes), "xps8950")["stack_time_zone"]

    backup = {**SPEC["backup"], "zone": "Europe/Berlin"}
    assert zone(backup=None) == "UTC"
    assert zone(backup=backup) == "Europe/Berlin"
    assert zone(backup=backup, stack={**SPEC["stack"], "zone": "Europe/Amsterdam"}) == "Europe/Amsterdam"


def test_versions_are_kept_for_ever_unless_the_spec_limits_them(make_site: MakeSite) -> None:
    assert role_variables(make_site(), "xps8950")["stack_versions_years"] == 0
    assert role_variables(make_site(versions={"years": 10}), "xps8950")["stack_versions_years"] == 10


def test_snapshots_are_imported_from_the_shares_of_documents(make_site: MakeSite) -> None:
    clients = {"xps8950": {"access": "ro", "mount": "/srv/tars/documents/papers"}}
    shares = {**SPEC["shares"], "docs": {"volume": "/volume1", "clients": clients}}

    def history(value: object) -> tuple[object, object]:
        variables = role_variables(make_site(shares=shares, history=value), "xps8950")
        return variables["stack_history_shares"], variables["stack_history_days"]

    assert history(None) == ([], 1826)
    assert history({"days": 30}) == (["papers"], 30), "the application knows a share by the folder of its mount"
    assert history({"shares": ["docs"], "enabled": False}) == ([], 1826)


@pytest.mark.parametrize(("folder", "below"), [(None, ""), ("Incoming/scans", "/Incoming/scans")])
def test_the_folder_for_uploads_alone_is_mounted_writable(make_site: MakeSite, folder: str | None, below: str) -> None:
    clients = {"xps8950": {"access": "rw", "mount": "/srv/tars/documents/papers"}}
    shares = {"added": {"volume": "/volume1", "clients": clients}}
    site = make_site(shares=shares, backup=None, uploads={"share": "added", "folder": folder})
    variables = role_variables(site, "xps8950")
    mounts = variables["nfs_mount_mounts"]
    assert isinstance(mounts, list)
    assert [(mount["source"], mount["path"], mount["read_only"]) for mount in mounts] == [
        ("10.77.0.20:/volume1/added", "/srv/tars/documents/papers", True),
        (f"10.77.0.20:/volume1/added{below}", "/srv/tars/uploads/added", False),
    ]
    assert variables["stack_uploads_mount"] == "/srv/tars/uploads/added"
    assert variables["stack_uploads_place"] == f"papers{below}", "the application knows a share by its mount"
    assert role_variables(site, "nas")["nas_exports"] == [
        {"share": "added", "rules": [{"client": "10.77.0.10", "access": "rw", "squash": "all_to_admin"}]}
    ]


def test_without_uploads_nothing_is_mounted_for_them(make_site: MakeSite) -> None:
    variables = role_variables(make_site(), "xps8950")
    assert (variables["stack_uploads_mount"], variables["stack_uploads_place"]) == ("", "")
