# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures of ssh and sudo, in the words of those programs, and the message for each."""

from pathlib import Path

import pytest

from tars_provision.ansible.events import Step
from tars_provision.ansible.reasons import explain
from tars_provision.spec.load import load

OWNER = "owner cannot become root without a password on xps8950"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Missing sudo password", OWNER),
        ("Shared connection to 192.168.1.10 closed.\n/bin/sh: 1: sudo: not found", OWNER),
        ("sudo: a password is required", OWNER),
        ("sudo: a terminal is required to read the password", OWNER),
        ("owner is not in the sudoers file.", OWNER),
        ("Timeout (12s) waiting for privilege escalation prompt: ", OWNER),
        ("sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set", OWNER),
        ("Failed to connect: Host key verification failed.", "Compare the host key and accept it with `ssh"),
        (
            "owner@192.168.1.10: Permission denied (publickey).",
            "expected a login with a key. Check hosts.xps8950",
        ),
        ("ssh: connect to host 192.168.1.10 port 22: Connection refused", "expected an SSH server. Check that xps8950"),
        ("ssh: connect to host 192.168.1.10 port 22: No route to host", "expected an SSH server. Check that xps8950"),
        ("/bin/sh: 1: /usr/bin/python3: not found", "run `apt-get install --yes python3`"),
    ],
)
def test_a_known_reason_names_account_and_next_step(root: Path, tmp_path: Path, text: str, message: str) -> None:
    spec = (root / "inventories/home/tars.yml").read_text()
    (tmp_path / "tars.yml").write_text(spec.replace("user: root ", "user: owner "))
    explained = explain(Step("xps8950", "Gather facts", text), load(tmp_path / "tars.yml")).text
    assert message in explained and "owner@192.168.1.10" in explained
    assert text.strip().splitlines()[-1] in explained, "the program's own words are kept"


@pytest.mark.parametrize(("host", "text"), [("xps8950", "disk full"), ("ds1515plus", "Missing sudo password")])
def test_other_failures_stay_as_they_are(root: Path, host: str, text: str) -> None:
    step = Step(host, "Install", text)
    assert explain(step, load(root / "inventories/home/tars.yml")) == step
