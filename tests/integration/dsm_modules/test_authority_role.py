# SPDX-License-Identifier: GPL-3.0-or-later
"""The verification of the role authority: what is missing or unusable, why, and what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

PASSPHRASE = "opens the key"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder for an authority as the role has made it, for the next tests to copy."""
    return tmp_path_factory.mktemp("made") / "authority"


@pytest.fixture
def run(play_nas: Any, tmp_path: Path, prepared: Path) -> Callable[[str], tuple[int, str]]:
    """Return a function that runs an entry point of the role: the number of failures, and the last message."""
    variables = {
        "authority_folder": str(tmp_path / "authority"),
        "authority_passphrase": PASSPHRASE,
        "authority_zones": ["home.arpa"],
        "authority_networks": ["10.77.0.0/24"],
        "authority_certificates": [
            {"name": name, "names": [f"{name}.home.arpa"], "addresses": [f"10.77.0.{number}"]}
            for number, name in enumerate(("nas", "printer"), 20)
        ],
    }
    play = play_nas(variables, PASSPHRASE, roles=["tars.home.authority"])

    def run_entry(entry: str) -> tuple[int, str]:
        stats, output = play("--extra-vars", json.dumps({"entry": entry}))
        tasks = json.loads(output)["plays"][0]["tasks"]
        messages = [result.get("msg", "") for task in tasks for result in task["hosts"].values()]
        assert stats["changed"] == 0 or entry in ("main", "issue")
        return stats["failures"], messages[-1]

    if not prepared.exists():
        assert [run_entry(entry)[0] for entry in ("main", "issue", "verify", "verify_issued")] == [0, 0, 0, 0]
        shutil.copytree(tmp_path / "authority", prepared)
    else:
        shutil.copytree(prepared, tmp_path / "authority")
    return run_entry


def test_each_certificate_to_issue_is_reported_with_its_reason(run: Any, tmp_path: Path) -> None:
    issued = tmp_path / "authority" / "issued"
    (issued / "nas.pem").unlink()
    (issued / "printer.key").unlink()
    failures, message = run("verify_issued")
    assert failures == 1
    pending = "the certificates: expected no pending change, found pending: issue the certificate"
    assert message.splitlines() == [
        f"{pending} nas: it does not exist",
        f"{pending} printer: its key does not exist",
        f"Next: run the playbook to issue them in {issued}.",
    ]


def test_a_folder_that_is_gone_is_reported_for_every_certificate(run: Any, tmp_path: Path) -> None:
    issued = tmp_path / "authority" / "issued"
    issued.rename(tmp_path / "elsewhere")
    message = run("verify_issued")[1]
    assert "certificate nas: its key does not exist; it does not exist" in message
    assert "certificate printer: its key does not exist; it does not exist" in message


def test_an_authority_that_is_gone_is_reported(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    folder.rename(tmp_path / "elsewhere")
    failures, message = run("verify")
    assert failures == 1
    assert f"create the certificate authority {folder}/root.pem for home.arpa, 10.77.0.0/24" in message
    assert message.endswith("put its files back from your backup.")


def test_half_an_authority_is_reported_with_the_missing_file(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    (folder / "root.pem").unlink()
    for entry in ("verify", "verify_issued"):
        failures, message = run(entry)
        assert failures == 1
        assert message.startswith(
            f"{folder}/root.pem: expected both parts of the authority, found only {folder}/root.key"
        )
