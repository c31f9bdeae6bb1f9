# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of a run holds no secret that the run does not need; tests/e2e/test_story_attack.py has the vault's."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys

import psutil
import pytest

from .....waiting import wait_for
from .. import driver
from ..desktop import Desktop
from ..namespace import ENVIRONMENT
from ..quick_key import replace_key
from ..test_proof import wrap
from . import memory

pytestmark = pytest.mark.integration

ALARM, ACCOUNT = "topic-7f3a-of-the-household", "the password of an account at a friend's"


def test_a_run_has_no_secret_in_its_memory_that_it_does_not_need(desktop: Desktop) -> None:
    """Its key is for restic alone, the others for commands at another time."""
    (desktop.folder / "backup_alarms.json").write_text(json.dumps({"ntfy": ALARM}))
    (desktop.folder / "backup_copy_friend").write_text(ACCOUNT)
    server = {"url": "https://friend.example.org/tars/", "account": "tars", "authority": False}
    desktop.write_settings(
        copies={"friend": {"server": server, "retention": {"last": 9}}},
        alarms={"hooks": [{"kind": "ntfy", "url": "https://ntfy.example.org/{secret}"}]},
    )
    # Not the key of all tests, which is a text of their modules.
    key = secrets.token_hex(16)
    replace_key(desktop.repository, key, desktop.stock_restic("cat", "masterkey").stdout.encode())
    (desktop.folder / "key").write_text(f"{key}\n")
    wrap(desktop, "backup", before="exec sleep 600")
    words = [sys.executable, "-m", driver.__name__, str(desktop.folder), "run"]
    process = subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    try:

        def waits() -> bool:
            """Whether the program waits for what took the place of restic, whose shell has the folder in its words."""
            assert process.poll() is None, process.communicate()
            return any(child.name() == "sleep" for child in psutil.Process(process.pid).children(recursive=True))

        wait_for(waits, "the call of restic", passing=(psutil.Error,))
        texts = {"key": key, "alarm": ALARM, "account": ACCOUNT, "present": desktop.settings["repository_id"]}
        search = [sys.executable, memory.__file__, str(desktop.folder), "0.1"]
        done = subprocess.run(search, input=json.dumps(texts), check=True, capture_output=True, text=True, timeout=600)
        assert json.loads(done.stdout) == {"found": ["present"], "processes": 1}
    finally:
        process.kill()
        process.wait()
