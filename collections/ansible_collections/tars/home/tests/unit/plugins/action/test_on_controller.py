# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that do without a module: each is given a machine whose interpreter does not exist, where a module cannot."""

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.action import os_release

BIN = Path(sys.executable).parent
PROJECT = Path(__file__).parents[8]
SECRET = "correct-horse-battery"
NO_INTERPRETER = "-eansible_python_interpreter=/nonexistent/python3"


def run(name: str, options: dict[str, Any], *more: str) -> tuple[str, dict[str, Any]]:
    """Return the outcome in the one line that Ansible prints for the task, and the result."""
    command = [str(BIN / "ansible"), "localhost", "-i", "localhost,", "-c", "local", "-m", f"tars.home.{name}"]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        # A folder without ansible.cfg.
        "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "collections"),
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    }
    done = subprocess.run(
        [*command, *(["-a", json.dumps(options)] if options else []), NO_INTERPRETER, *more],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).parent,
    )
    assert " => " in done.stdout, done.stdout + done.stderr
    # Before it, Ansible itself quotes a task that failed, as it was given.
    before, _, result = done.stdout.partition(" => ")
    assert SECRET not in result
    return before.rpartition(" | ")[2], {**json.loads(result), "before": before, "stderr": done.stderr}


@pytest.fixture
def authority(tmp_path: Path) -> dict[str, Any]:
    return {
        "folder": str(tmp_path / "authority"),
        "passphrase": SECRET,
        "name": "Household",
        "zones": ["home.arpa"],
        "networks": ["10.77.0.0/24"],
    }


def test_work_on_the_controller_needs_no_interpreter(authority: dict[str, Any]) -> None:
    end, planned = run("authority", authority, "--check", "--diff")
    assert (end, planned["changed"]) == ("CHANGED", True)
    assert "+a new authority" in planned["before"]
    assert not Path(authority["folder"]).exists()

    end, made = run("authority", authority)
    assert (end, made["path"]) == ("CHANGED", f"{authority['folder']}/root.pem")
    shown = subprocess.run(
        ["openssl", "x509", "-in", made["path"], "-noout", "-subject"], capture_output=True, text=True, check=True
    )
    assert "Household" in shown.stdout

    end, again = run("authority", authority)
    assert (end, again["changed"]) == ("SUCCESS", False)


def test_a_task_that_becomes_somebody_else_is_a_module(authority: dict[str, Any]) -> None:
    end, result = run("authority", authority, "--become")
    assert end.startswith("FAILED")
    assert "/nonexistent/python3" in str(result)


def test_no_secret_is_shown() -> None:
    users = [{"name": "anna", "password": SECRET}]
    nested = {"host": f"{SECRET}.invalid", "account": "tars-admin", "password": "x", "users": users}
    end, result = run("dsm_account", nested)
    assert end.startswith("FAILED")
    assert "********.invalid" in result["msg"]


def test_a_warning_is_shown() -> None:
    nowhere = {"host": "nas.invalid", "account": "tars-admin", "password": SECRET}
    path = f"/nonexistent/{SECRET}.crt"
    files = {"description": "x", "certificate_path": path, "private_key_path": "/nonexistent/a.key"}
    end, result = run("dsm_certificate", {**nowhere, **files}, "--check")
    assert end.startswith("FAILED")
    assert "/nonexistent/********.crt does not exist yet" in " ".join(str(result).split())


def test_invalid_options_are_reported_by_name(authority: dict[str, Any]) -> None:
    end, result = run("authority", {**authority, "zone": "home.arpa", "days": "many"})
    assert end.startswith("FAILED")
    assert "days" in result["msg"]
    del authority["zones"]
    assert "zones" in run("authority", authority)[1]["msg"]
    assert "zone" in run("authority", {**authority, "zones": [], "zone": "home.arpa"})[1]["msg"]


def test_the_distribution_is_read_without_python() -> None:
    assert run("os_release", {})[0] == "SUCCESS"
    expected = platform.freedesktop_os_release()
    facts = os_release.facts(Path("/etc/os-release").read_text())
    assert facts["distribution"].lower() == expected["ID"]
    assert facts["distribution_version"] == expected["VERSION_ID"]
    assert facts["distribution_major_version"] == expected["VERSION_ID"].split(".")[0]
    assert facts["distribution_release"] == expected["VERSION_CODENAME"]


def test_packages_that_are_there_are_no_work_for_a_module() -> None:
    end, result = run("apt_packages", {"names": ["dpkg", "coreutils"]}, "--diff")
    assert (end, result["changed"], result["changes"]) == ("SUCCESS", False, [])

    end, result = run("apt_packages", {"names": ["dpkg", "no-such-package"]})
    assert end.startswith("FAILED")
    assert "/nonexistent/python3" in str(result)


def test_packages_have_the_options_of_the_module() -> None:
    end, result = run(
        "apt_packages", {"names": ["dpkg"], "state": "latest"}, f"-eansible_python_interpreter={sys.executable}"
    )
    assert end.startswith("FAILED")
    assert "state" in result["msg"]


def test_mounts_and_units_that_differ_are_work_for_the_module(tmp_path: Path) -> None:
    end, result = run("nfs_mounts", {"mounts": [], "unit_folder": str(tmp_path)}, "--diff")
    assert (end, result["changed"], result["changes"], result["units"]) == ("SUCCESS", False, [], [])
    (tmp_path / "old.automount").write_text("# Written by tars.home.nfs_mounts, changes are lost.\n")
    end, result = run("nfs_mounts", {"mounts": [], "unit_folder": str(tmp_path)})
    assert end.startswith("FAILED") and "/nonexistent/python3" in str(result)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("host_address", {"interface": "none0", "address": "192.0.2.10/24", "gateway": "192.0.2.1"}),
        ("host_firewall", {"interface": "none0", "services": []}),
        ("dnsmasq_zone", {"zone": "home.arpa", "address": "192.0.2.10"}),
    ],
)
def test_what_a_probe_cannot_decide_is_work_for_the_module(name: str, options: dict[str, Any]) -> None:
    end, result = run(name, options, "--check")
    assert end.startswith("FAILED") and "/nonexistent/python3" in str(result)


@pytest.mark.parametrize("name", ["host_address", "host_firewall"])
def test_an_unknown_interface_is_named_with_those_that_exist(name: str) -> None:
    options = {"interface": "enp4s0", "address": "192.0.2.10/24", "gateway": "192.0.2.1"}
    given = options if name == "host_address" else {"interface": "enp4s0", "services": []}
    end, result = run(name, given, "--check", f"-eansible_python_interpreter={sys.executable}")
    assert end.startswith("FAILED")
    assert "interface enp4s0: the machine has no such interface; it has " in result["msg"]


def test_os_release_is_quoted_like_a_shell_script() -> None:
    text = '# Ubuntu\nNAME=\'Ubuntu "LTS"\'\nID=ubuntu\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n'
    assert os_release.facts(text) == {
        "distribution": "Ubuntu",
        "distribution_version": "24.04",
        "distribution_major_version": "24",
        "distribution_release": "noble",
    }


def test_files_that_are_as_wanted_are_no_work_for_a_module(tmp_path: Path) -> None:
    mine = {"owner": str(os.getuid()), "group": str(os.getgid())}
    folder, file, secret = tmp_path / "a folder", tmp_path / "file", tmp_path / "secret"
    folder.mkdir(mode=0o750)
    file.write_text("ä\n")
    file.chmod(0o644)
    secret.write_text(SECRET)
    secret.chmod(0o400)
    wanted: dict[str, list[dict[str, Any]]] = {
        "folders": [{"path": str(folder), "mode": "0750", **mine}],
        "files": [
            {"path": str(file), "content": "ä\n", **mine},
            {"path": str(secret), "secret": SECRET, "mode": "0400", **mine},
        ],
    }
    end, result = run("file_set", wanted, "-vvvv")
    assert (end, result["changed"], result["changes"]) == ("SUCCESS", False, [])
    # Nothing by which a secret could be tried.
    assert hashlib.sha256(SECRET.encode()).hexdigest() not in result["before"] + result["stderr"] + str(result)

    for key, at, name, other in [
        ("files", 1, "secret", "another"),
        ("files", 0, "content", "ä"),
        ("files", 0, "mode", "0600"),
        ("files", 0, "owner", "12345"),
        ("files", 0, "path", str(tmp_path / "absent")),
        ("folders", 0, "group", "no-such-group"),
        ("folders", 0, "mode", "rwx"),
    ]:
        entries = [dict(entry) for entry in wanted[key]]
        entries[at][name] = other
        end, result = run("file_set", {**wanted, key: entries})
        assert end.startswith("FAILED") and "/nonexistent/python3" in str(result), (name, result)


def test_free_disk_space_is_read_without_a_module_and_missing_space_reported_by_it(tmp_path: Path) -> None:
    wanted = {"images": [], "record": str(tmp_path / "record.yml")}
    interpreter = f"-eansible_python_interpreter={sys.executable}"
    end, result = run(
        "image_digests", {**wanted, "disk_space": {"folders": [str(tmp_path)], "mib": 10**9}}, interpreter
    )
    assert end.startswith("FAILED")
    assert f"{10**9} MiB free" in result["msg"] and str(tmp_path) in result["msg"]
    end, result = run("image_digests", {**wanted, "disk_space": {"folders": [str(tmp_path / "to come")], "mib": 1}})
    assert (end, result["changed"], result["pinned"]) == ("SUCCESS", False, {})


def test_an_image_that_is_missing_is_work_for_the_module(tmp_path: Path) -> None:
    end, result = run("image_digests", {"images": ["no-such/image:1"], "record": str(tmp_path / "record.yml")})
    assert end.startswith("FAILED") and "/nonexistent/python3" in str(result)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    end, result = run("image_build", {"name": "no-such-image", "context": str(tmp_path)})
    assert end.startswith("FAILED") and "/nonexistent/python3" in str(result)


def test_comparisons_need_no_module_and_measurements_keep_their_place() -> None:
    same: dict[str, Any] = {"name": "same", "fix": "-", "result": {"changes": []}}
    other: dict[str, Any] = {"name": "other", "fix": "set it", "result": {"changes": ["set it"]}}
    end, result = run("health_checks", {"checks": [same]})
    assert (end, result["checks"][0]["ok"]) == ("SUCCESS", True)
    end, result = run("health_checks", {"checks": [same, other]})
    assert end.startswith("FAILED")
    assert result["msg"].endswith("other: expected no pending change, found pending: set it\nNext: set it")

    measured: list[dict[str, Any]] = [
        {"name": name, "fix": "-", "command": ["echo", name]} for name in ("first", "second")
    ]
    interpreter = f"-eansible_python_interpreter={sys.executable}"
    end, result = run("health_checks", {"checks": [measured[0], same, measured[1], other]}, interpreter)
    rows = [(check["name"], check["ok"], check["found"]) for check in result["checks"]]
    assert rows == [
        ("first", True, "first"),
        ("same", True, "as desired"),
        ("second", True, "second"),
        ("other", False, "set it"),
    ]
    end, result = run("health_checks", {"checks": [measured[0]]})
    assert end.startswith("FAILED") and "/nonexistent/python3" in str(result)
    end, result = run("health_checks", {"checks": [{"name": "neither", "fix": "-"}]})
    assert end.startswith("FAILED") and "one of the following is required" in result["msg"]
