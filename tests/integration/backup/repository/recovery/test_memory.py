# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of a run holds no secret that the run does not need; tests/e2e/test_story_attack.py has the vault's."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time

import pytest

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
    started = desktop.folder / "started"
    wrap(desktop, "backup", before=f"touch {started}; exec sleep 60")
    words = [sys.executable, "-m", driver.__name__, str(desktop.folder), "run"]
    process = subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    try:
        while not started.exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        texts = {"key": key, "alarm": ALARM, "account": ACCOUNT, "present": desktop.settings["repository_id"]}
        search = [sys.executable, memory.__file__, str(desktop.folder), "0.1"]
        done = subprocess.run(search, input=json.dumps(texts), check=True, capture_output=True, text=True, timeout=60)
        assert json.loads(done.stdout) == {"found": ["present"], "processes": 1}
    finally:
        process.kill()
        process.wait()
