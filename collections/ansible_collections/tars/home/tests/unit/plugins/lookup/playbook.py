# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook that calls a lookup."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[8]


def looked_up(folder: Path, expression: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook that writes the value of an expression to the file `value` in the folder."""
    copy = {"content": f"{{{{ {expression} }}}}", "dest": str(folder / "value")}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.copy": copy}]}
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), folder / "play.yml"],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
    )
