# SPDX-License-Identifier: GPL-3.0-or-later
"""The role nas, and the profile of the NAS, through ansible-playbook."""

from __future__ import annotations

import hashlib
import json
import re
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml

from tars_lab.dsm_twin.install import make_certificate
from tars_provision.controller.vault import NAMES
from tars_provision.profiles import role_variables
from tars_provision.spec.load import load
from tars_provision.spec.model import Site

from ...bench.resources import resources

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py

SECRET = "correct horse battery"


SUBJECTS = {
    "the address",
    "the settings",
    "the shares",
    "the exports",
    "the users and groups",
    "the access to shares",
    "the snapshots",
    "the packages",
    "the scheduled tasks",
    "the firewall",
    "the certificate",
}


@pytest.fixture
def configured(twin: Twin, play_nas: Any, tmp_path: Path) -> Any:
    """Run the play that configures everything the role can; return its function for further runs."""
    # The NAS itself keeps 5001 open, where it would listen as a machine.
    rule = {"name": "DSM", "protocol": "tcp", "ports": [str(twin.port), "5001"], "sources": ["127.0.0.1"]}
    make_certificate(tmp_path / "nas.crt", tmp_path / "nas.key", "nas.home.arpa", ["127.0.0.1"])
    play = play_nas(
        {
            "nas_static_address": {"serial": "LAB0000001", "address": "127.0.0.1", "prefix": 8},
            "nas_server_name": "nas",
            "nas_sftp": False,
            "nas_shares": [{"name": "docs", "volume": "/volume1"}],
            "nas_exports": [{"share": "docs", "rules": [{"client": "10.77.0.10"}]}],
            "nas_groups": [{"name": "writers"}],
            "nas_users": [{"name": "anna", "password": SECRET, "groups": ["writers"], "update_password": "always"}],
            "nas_permissions": [{"share": "docs", "permissions": [{"user": "anna", "access": "rw"}]}],
            "nas_snapshots": [{"share": "docs", "retention": {"daily": 7}}],
            "nas_packages": [{"name": "SynoFinder", "state": "stopped"}],
            "nas_tasks": [{"name": "prune", "script": "true"}],
            "nas_firewall_sections": [{"adapter": "global", "policy": "drop", "rules": [rule]}],
            "nas_certificate_path": str(tmp_path / "nas.crt"),
            "nas_certificate_private_key_path": str(tmp_path / "nas.key"),
        },
        SECRET,
    )
    stats, output = play()
    assert (stats["failures"], stats["changed"]) == (0, 10), output
    assert twin.state["network"]["server_name"] == "nas"
    assert twin.state["permissions"]["docs"]["local_user"] == {"anna": "rw"}
    assert not twin.session_file.exists()
    return play


def test_verify_passes_then_reports_a_difference_and_leaves_it(twin: Twin, configured: Any, tmp_path: Path) -> None:
    shown = fingerprint(ssl.get_server_certificate(("127.0.0.1", twin.port)))
    assert shown == fingerprint((tmp_path / "nas.crt").read_text()) != twin.fingerprint
    verify = {"entry": "verify", "nas_fingerprint": shown}
    # Also a password that every run sets does not count as a difference, because it cannot be read back.
    stats, output = configured("--extra-vars", json.dumps(verify))
    assert (stats["failures"], stats["changed"]) == (0, 0), output

    make_certificate(tmp_path / "nas.crt", tmp_path / "nas.key", "nas.home.arpa", ["127.0.0.1"])
    stats, output = configured("--extra-vars", json.dumps(verify))
    assert (stats["failures"], stats["changed"]) == (1, 0), output
    (difference,) = changes(output)
    assert difference.startswith("replace the certificate 'T.A.R.S.'")
    expected = fingerprint((tmp_path / "nas.crt").read_text())
    assert report(output)[0] == f"the certificate: shown: expected '{expected}', found '{shown}'"
    assert fingerprint(ssl.get_server_certificate(("127.0.0.1", twin.port))) == shown


def change_everything(twin: Twin, shown: str, tmp_path: Path) -> dict[str, Any]:
    """Change by hand what the role sets; return the variables for a comparison that finds it, the address included."""
    nas = {"fingerprint": shown}
    by_hand: dict[str, dict[str, Any]] = {
        "dsm_system": {"server_name": "other"},
        "dsm_share": {"shares": [{"name": "docs", "description": "By hand"}]},
        "dsm_nfs": {"exports": [{"share": "docs", "rules": []}]},
        "dsm_account": {"users": [{"name": "anna", "groups": []}]},
        "dsm_permission": {"shares": [{"share": "docs", "permissions": [{"user": "anna", "access": "ro"}]}]},
        "dsm_snapshot": {"shares": [{"share": "docs", "retention": {"daily": 3}}]},
        "dsm_package": {"packages": [{"name": "SynoFinder", "state": "started"}]},
        "dsm_task": {"tasks": [{"name": "prune", "script": "false"}]},
        "dsm_firewall": {"enabled": False},
    }
    for module, options in by_hand.items():
        assert twin.run(module, **nas, **options)["changed"], module
    make_certificate(tmp_path / "nas.crt", tmp_path / "nas.key", "nas.home.arpa", ["127.0.0.1"])
    address = {"serial": "LAB0000001", "address": "127.0.0.1", "prefix": 16, "gateway": "127.0.255.254"}
    description = [{"name": "docs", "volume": "/volume1", "description": ""}]
    return {"nas_fingerprint": shown, "nas_static_address": address, "nas_shares": description}


def test_what_a_plan_would_change_is_what_verify_reports(twin: Twin, configured: Any, tmp_path: Path) -> None:
    shown = fingerprint(ssl.get_server_certificate(("127.0.0.1", twin.port)))
    variables = change_everything(twin, shown, tmp_path)
    stats, planned = configured("--check", "--extra-vars", json.dumps(variables))
    assert (stats["failures"], stats["changed"]) == (0, len(SUBJECTS)), planned

    stats, output = configured("--extra-vars", json.dumps({**variables, "entry": "verify"}))
    assert (stats["failures"], stats["changed"]) == (1, 0), output
    # A password that every run sets is planned but no difference, because it cannot be read back.
    assert changes(output) == [change for change in changes(planned) if "the password" not in change]
    *lines, next_step = report(output)
    assert {line.partition(":")[0] for line in lines} == SUBJECTS
    for line in (
        "the settings: server_name: expected 'nas', found 'other'",
        "the shares: docs.description: expected none, found 'By hand'",
        "the users and groups: users.anna.groups: expected 'writers', found none",
        "the access to shares: docs.user anna: expected 'rw', found 'ro'",
        "the snapshots: docs.retention.daily: expected 7, found 3",
        "the packages: SynoFinder.running: expected false, found true",
        "the scheduled tasks: prune.script: expected 'true', found 'false'",
        "the firewall: enabled: expected true, found false",
    ):
        assert line in lines
    assert any(line.startswith("the exports: exports.docs.10.77.0.10: expected client '10.77.0.10'") for line in lines)
    assert next_step.startswith("Next: 127.0.0.1: run the playbook")


def test_verify_goes_on_after_what_cannot_be_compared(twin: Twin, play_nas: Any) -> None:
    play = play_nas(
        {
            "nas_packages": [{"name": "NoSuchPackage", "state": "stopped"}],
            "nas_tasks": [{"name": "prune", "script": "true"}],
            "entry": "verify",
        }
    )
    stats, output = play()
    assert (stats["failures"], stats["changed"]) == (1, 0), output
    packages, tasks, _next_step = report(output)
    assert packages.startswith("the packages: expected a comparison, found an error: package NoSuchPackage")
    assert tasks.startswith("the scheduled tasks: prune: expected name 'prune'")
    assert twin.count("SYNO.API.Auth.login") == 1


def test_verify_logs_in_once_where_the_login_is_refused(twin: Twin, play_nas: Any) -> None:
    play = play_nas(
        {"nas_password": "wrong", "nas_server_name": "nas", "nas_tasks": [{"name": "a"}], "entry": "verify"}
    )
    stats, output = play()
    assert stats["failures"] == 1
    assert "there is no such account" in output
    assert twin.refused_logins == 1


def test_every_task_of_the_role_that_can_find_a_difference_is_reported(root: Path) -> None:
    role = root / "collections/ansible_collections/tars/home/roles/nas"
    tasks = yaml.safe_load((role / "tasks/configure.yml").read_text())
    registered = {task["register"] for task in tasks if "register" in task}
    for task in tasks:
        changing = any(name.startswith("tars.home.dsm_") and name != "tars.home.dsm_session" for name in task)
        assert not changing or "register" in task, task["name"]
    *_, summary = yaml.safe_load((role / "tasks/verify.yml").read_text())
    reported = " ".join(check["result"] for check in summary["tars.home.health_checks"]["checks"])
    assert {name for name in registered if name not in reported} == set()


def report(output: str) -> list[str]:
    """Return the lines of the failure that lists the differences."""
    tasks = json.loads(output)["plays"][0]["tasks"]
    results = [result for task in tasks for result in task["hosts"].values() if "differences" in result]
    return str(results[-1]["msg"]).splitlines()


def fingerprint(pem: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def test_variables_that_contradict_each_other_are_refused_before_a_login(twin: Twin, play_nas: Any) -> None:
    play = play_nas(
        {
            "nas_shares": [{"name": "docs", "state": "absent"}],
            "nas_exports": [{"share": "docs", "rules": []}],
        }
    )
    stats, output = play()
    assert stats["failures"] == 1 and "share docs: found both absent in nas_shares and listed in nas_exports" in output
    assert twin.count("SYNO.API.Auth.login") == 0


def test_a_factory_nas_becomes_the_specs(twin: Twin, root: Path, play_nas: Any) -> None:
    spec = load(root / "inventories/lab/tars.yml").model_dump(mode="json", exclude_none=True)
    spec["hosts"]["ds1515plus"] |= {
        "address": "127.0.0.1",
        "dsm": {"port": twin.port, "account": "tars-admin"},
        "open_ports": [5001],
        # It has left the address of the first contact already.
        "connect": {"address": "127.0.0.9", "serial": "LAB0000001"},
    }
    spec["network"] |= {"cidr": "127.0.0.0/8", "gateway": "127.255.255.254"}
    spec["firewall"] |= {"manage": ["127.0.0.1"], "use": ["127.0.0.1"]}
    site = Site.model_validate_json(json.dumps(spec))
    secrets = dict.fromkeys(NAMES, SECRET) | {"dsm_password": twin.connection["password"]}
    variables = {**role_variables(site, "ds1515plus"), "tars_secrets": secrets, "authority_passphrase": SECRET}
    play = play_nas(variables, SECRET, roles=["tars.home.authority", "ds1515plus"])

    before = json.dumps(twin.state)
    stats, planned = play("--check", "--diff")
    assert (stats["failures"], stats["changed"]) == (0, 10), planned
    assert json.dumps(twin.state) == before, "check mode changed the NAS"

    stats, output = play()
    assert (stats["failures"], stats["changed"]) == (0, 10), output
    assert sorted(twin.state["shares"]) == ["LLM_docs", "tars_backup"]
    assert comparable(output) == comparable(planned)

    twin.calls.clear()
    stats, output = play()
    assert (stats["failures"], stats["changed"]) == (0, 0), output
    assert twin.count("SYNO.API.Auth.login") == twin.count("SYNO.API.Auth.logout") == 1
    wanted = sum(resources(spec).values())
    assert len(twin.calls) <= 2 * wanted, f"{len(twin.calls)} requests for {wanted} resources: {twin.calls}"


def comparable(output: str) -> list[str]:
    """Return the changes without what a plan cannot know before the authority exists."""
    unknown = {"[0-9a-f]{64}": "not created yet", "(issue the certificate .*?):.*": r"\1"}
    lines = changes(output)
    for pattern, replacement in unknown.items():
        lines = [re.sub(pattern, replacement, line) for line in lines]
    return lines


def changes(output: str) -> list[str]:
    """What the modules of a play did or would have done, in their own words."""
    tasks = json.loads(output)["plays"][0]["tasks"]
    results = [result for task in tasks for result in task["hosts"].values()]
    return [sentence for result in results for sentence in result.get("changes", ())]
