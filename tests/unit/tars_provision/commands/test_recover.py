# SPDX-License-Identifier: GPL-3.0-or-later
"""How `recover` reaches the desktop, and what it refuses before it reaches anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tars_provision.cli import main
from tars_provision.commands import recover
from tars_provision.recovery import check_words


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("root@192.168.1.5", ["root@192.168.1.5"]),
        ("me@desktop:2222", ["-p", "2222", "me@desktop"]),
        ("192.168.1.5", ["192.168.1.5"]),
    ],
)
def test_a_target_as_ssh_takes_it(target: str, words: list[str]) -> None:
    assert recover.login(target, None, None)[-len(words) :] == words
    command = recover.login(target, Path("/key"), Path("/known hosts"))
    assert command[command.index("-i") + 1] == "/key" and 'UserKnownHostsFile="/known hosts"' in command


@pytest.mark.parametrize("target", ["", "root@", "-oProxyCommand=x", "-v", "a b"])
def test_what_is_no_target_is_refused(target: str) -> None:
    with pytest.raises(recover.RecoveryError, match="--desktop: found"):
        recover.login(target, None, None)


def test_typed_secrets_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"the key of": ("key", "abcdEFGH"), "the password": ("vault password", "ijkl")}

    def typed(subject: str, **_options: Any) -> str:
        name, secret = next(value for part, value in secrets.items() if subject.startswith(part))
        return " ".join(f"{group} {word}" for group, word in check_words.groups(name, secret))

    answers = iter(["0123abcd", "10.0.0.2", "/volume1/tars_backup", "10.0.0.3/24"])
    monkeypatch.setattr(recover, "ask_secret", typed)
    monkeypatch.setattr(click, "prompt", lambda *_words, **_options: next(answers))
    given = recover.ask(local=False, err=False)
    assert json.loads(given.key.sheet) == {"password": "abcdEFGH"} and given.key.restic == "0123abcd"
    assert (given.vault, given.nas, given.share, given.desktop) == (
        "ijkl",
        "10.0.0.2",
        "/volume1/tars_backup",
        "10.0.0.3/24",
    )


def test_a_place_of_the_backups_is_required(tmp_path: Path) -> None:
    refused = CliRunner().invoke(main, ["recover", "--inventory", str(tmp_path)])
    assert refused.exit_code == 2 and "--desktop USER@ADDRESS or --repository PATH" in refused.output
