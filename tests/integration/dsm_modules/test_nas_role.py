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

from tars_lab.dsm_twin.install import make_certificate
from tars_provision.controller.vault import NAMES
from tars_provision.profiles import role_variables
from tars_provision.spec.load import load
from tars_provision.spec.model import Site

from ...bench.resources import resources

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py

SECRET = "correct horse battery"


def test_every_wish_then_a_comparison_that_finds_and_leaves_a_difference(
    twin: Twin, play_nas: Any, tmp_path: Path
) -> None:
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

    # All but the last passes the comparison, also a password that is set in every run, because nobody can read it back.
    shown = fingerprint(ssl.get_server_certificate(("127.0.0.1", twin.port)))
    assert shown == fingerprint((tmp_path / "nas.crt").read_text()) != twin.fingerprint
    make_certificate(tmp_path / "nas.crt", tmp_path / "nas.key", "nas.home.arpa", ["127.0.0.1"])
    stats, output = play("--extra-vars", json.dumps({"entry": "verify", "nas_fingerprint": shown}))
    assert (stats["failures"], stats["changed"]) == (1, 0), output
    (difference,) = changes(output)
    assert difference.startswith("replace the certificate 'T.A.R.S.'")
    assert fingerprint(ssl.get_server_certificate(("127.0.0.1", twin.port))) == shown


def fingerprint(pem: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def test_wishes_that_contradict_each_other_are_refused_before_a_login(twin: Twin, play_nas: Any) -> None:
    play = play_nas(
        {
            "nas_shares": [{"name": "docs", "state": "absent"}],
            "nas_exports": [{"share": "docs", "rules": []}],
        }
    )
    stats, output = play()
    assert stats["failures"] == 1 and "docs: wanted absent in nas_shares and exported in nas_exports" in output
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
    assert [re.sub("[0-9a-f]{64}", "still to be made", done) for done in changes(output)] == changes(planned)

    twin.calls.clear()
    stats, output = play()
    assert (stats["failures"], stats["changed"]) == (0, 0), output
    assert twin.count("SYNO.API.Auth.login") == twin.count("SYNO.API.Auth.logout") == 1
    wanted = sum(resources(spec).values())
    assert len(twin.calls) <= 2 * wanted, f"{len(twin.calls)} requests for {wanted} resources: {twin.calls}"


def changes(output: str) -> list[str]:
    """What the modules of a play did or would have done, in their own words."""
    tasks = json.loads(output)["plays"][0]["tasks"]
    results = [result for task in tasks for result in task["hosts"].values()]
    return [sentence for result in results for sentence in result.get("changes", ())]
