# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a task by the exit code and the output of tars-backup."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.action.backup_command import outcome

DONE = {"schema": 1, "command": "run", "ok": True, "error": None}


@pytest.mark.parametrize(
    ("code", "document", "changed"),
    [(0, {**DONE, "changed": True}, True), (0, {**DONE, "changed": False}, False), (3, DONE, True), (0, DONE, False)],
)
def test_changed_is_what_the_command_reports_or_would_change(
    code: int, document: dict[str, Any], changed: bool
) -> None:
    result = outcome("tars-backup run --json", code, json.dumps(document) + "\n")
    assert result == {"changed": changed, "exit_code": code, "backup": document}


def test_a_failure_has_the_message_of_the_command() -> None:
    document = {**DONE, "ok": False, "error": {"code": 20, "message": "/srv: found nothing; expected a mount."}}
    result = outcome("tars-backup run --json", 20, json.dumps(document))
    assert result["failed"] and result["msg"] == "/srv: found nothing; expected a mount." and result["exit_code"] == 20


@pytest.mark.parametrize("output", ["", "sh: 1: tars-backup: not found", "{", "[]", '{"schema": 1}'])
def test_another_output_is_a_failure_that_quotes_it(output: str) -> None:
    result = outcome("tars-backup run --json", 127, output)
    assert result["failed"] and "found exit code 127" in result["msg"] and (output or "no output") in result["msg"]
