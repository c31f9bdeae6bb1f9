# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON object of a command."""

from __future__ import annotations

import json

from tars_backup import output
from tars_backup.actions.init import Initialized


def test_the_object_of_a_command_has_its_fields_and_the_text_for_a_person() -> None:
    document = json.loads(output.to_json(output.success("init", Initialized("0a1b", changed=True))))
    assert document == {
        "schema": 1,
        "command": "init",
        "ok": True,
        "error": None,
        "text": "Created repository 0a1b",
        "repository_id": "0a1b",
        "changed": True,
    }
