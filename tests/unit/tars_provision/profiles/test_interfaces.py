# SPDX-License-Identifier: GPL-3.0-or-later
"""The profiles against the roles' own argument specs, checked by Ansible's validator."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from tars_provision.profiles import role_variables
from tars_provision.spec.load import load

from .conftest import MakeSite

ROLES = {
    "xps8950": [
        "authority",
        "host_address",
        "host_firewall",
        "names",
        "nvidia",
        "docker_engine",
        "nfs_mount",
        "stack",
        "models",
        "backup",
        "xps8950",
    ],
    "nas": ["authority", "nas", "ds1515plus"],
}
"""The roles whose variables each profile sets."""

ELSEWHERE = {
    "authority_passphrase",
    "backup_arguments",
    "backup_key",
    "backup_package",
    "nas_password",
    "stack_app_sources",
    "stack_authority_passphrase",
    "stack_postgres_password",
    "stack_redis_password",
    "tars_secrets",
}
"""Required variables from the vault or the controller's installation."""


def options(root: Path, role: str) -> dict[str, Any]:
    """Return the options of all entry points of a role, as Ansible's validator takes them."""
    folder = root / "collections/ansible_collections/tars/home/roles" / role
    if not folder.is_dir():
        folder = root / "roles" / role
    specs = yaml.safe_load((folder / "meta/argument_specs.yml").read_text())["argument_specs"]
    merged: dict[str, Any] = {}
    for entry in specs.values():
        merged |= entry["options"]
    return merged


@pytest.mark.parametrize("host", ROLES)
def test_each_role_accepts_its_variables_and_lacks_none(root: Path, make_site: MakeSite, host: str) -> None:
    variables = role_variables(make_site(names={}), host)
    claimed = set()
    for role in ROLES[host]:
        spec = {name: option for name, option in options(root, role).items() if name not in ELSEWHERE}
        given = {name: variables[name] for name in spec if name in variables and variables[name] is not None}
        assert given, f"nothing sets a variable of {role}"
        result = ArgumentSpecValidator(spec).validate(given)
        assert not result.error_messages, f"{role}: {result.error_messages}"
        claimed |= set(given) | {name for name in spec if name in variables}
    assert set(variables) == claimed, "variables that no role knows"


@pytest.mark.parametrize("name", ["home", "lab"])
def test_variables_are_plain_data_without_secrets(root: Path, name: str) -> None:
    site = load(root / "inventories" / name / "tars.yml")
    for host in site.hosts:
        variables = role_variables(site, host)
        assert json.loads(json.dumps(variables)) == variables
        assert not [name for name in variables if re.search("password|passphrase|secret", name)]


def test_roles_and_plugins_know_neither_the_spec_nor_a_playbook(root: Path) -> None:
    # Keys of the spec that no option of a role or module has in this form.
    pattern = re.compile(
        r"tars_site|\btars\.yml|\bplaybooks/|tars-provision"
        r"|\bdocker\.source\b|\bmodels\.(chat|embedding|benchmark)\b|\bfirewall\.(manage|use)\b"
    )
    collection = root / "collections/ansible_collections/tars/home"
    files = [path for folder in (root / "roles", collection / "roles") for path in folder.rglob("*.*")]
    files += [path for path in (collection / "plugins").rglob("*.py") if path.parent.name != "inventory"]
    texts = {path: path.read_text() for path in files if path.suffix in (".yml", ".j2", ".py")}
    assert texts
    mentions = [
        f"{path.relative_to(root)}: {match[0]}" for path, text in texts.items() for match in pattern.finditer(text)
    ]
    assert not mentions
