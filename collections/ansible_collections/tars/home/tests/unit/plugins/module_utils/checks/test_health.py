# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.module_utils.checks import health


def check(**how: Any) -> dict[str, Any]:
    return {"name": "it", "fix": "do this", **how}


CASES = {
    "a program that succeeds": (check(command=["echo", "ready"]), True, "ready"),
    "output that matches": (check(command=["printf", "a\nready\n"], expect="^ready$"), True, "a · ready"),
    "output that does not match": (check(command=["echo", "no"], expect="^ready$"), False, "no"),
    "a program that fails": (check(command=["sh", "-c", "echo broken >&2; exit 3"]), False, "broken"),
    "a program that fails silently": (check(command=["false"]), False, "exit status 1"),
    "a program that is not installed": (check(command=["no-such-program"]), False, "no-such-program is not installed"),
    "a program that hangs": (check(command=["sleep", "60"]), False, "sleep gave no answer in 0.2 s"),
    "a page that is away": (check(url="http://127.0.0.1:1/"), False, "[Errno 111] Connection refused"),
    "a task that found nothing to do": (check(result={"changes": [], "changed": False}), True, "as desired"),
    "a task that would change two things": (
        check(result={"changes": ["enable a.service", "start a.service"], "changed": True}),
        False,
        "enable a.service · start a.service",
    ),
    "a task that failed": (
        check(result={"failed": False, "failed_when_result": False, "msg": "dockerd refuses it"}),
        False,
        "dockerd refuses it",
    ),
    "a task that would change something": (
        check(result={"changed": True}),
        False,
        "it differs from the desired state",
    ),
    "a task that was skipped": (check(result={"skipped": True}), True, "as desired"),
    "a port that is closed": (check(tcp="127.0.0.1:1"), False, "127.0.0.1 port 1: [Errno 111] Connection refused"),
}


@pytest.mark.parametrize(("wanted", "ok", "output"), CASES.values(), ids=CASES)
def test_run(wanted: dict[str, Any], ok: bool, output: str) -> None:
    assert health.run([wanted], 0.2) == [{"name": "it", "ok": ok, "found": output, "fix": "do this"}]


def test_a_port_that_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert health.run([check(tcp=f"127.0.0.1:{port}")], 5)[0]["ok"]


def test_the_table_has_the_next_step() -> None:
    results = [
        {"name": "a", "ok": True, "found": "fine", "fix": "-"},
        {"name": "longer", "ok": False, "found": "", "fix": "do this"},
    ]
    assert health.table(results) == ["ok    a       fine", "FAIL  longer", "      next: do this"]
    assert health.table([]) == []


def test_a_failure_lists_every_difference_and_each_next_step_once() -> None:
    diff = {"before": {"a": 1}, "after": {"a": 2}}
    checks = [
        check(name="the daemon", result={"changes": ["set a"], "diff": diff}),
        check(name="the unit", result={"changes": ["enable it", "start it"]}),
        check(name="the folder", result={"changes": []}),
        {"name": "it answers", "fix": "read the log", "command": ["false"]},
    ]
    results = health.run(checks, 5)
    assert [result["ok"] for result in results] == [False, False, True, False]
    failure = health.outcome(checks, results)
    assert failure["failed"] is True
    assert failure["msg"].splitlines() == [
        "the daemon: a: expected 2, found 1",
        "the unit: expected no pending change, found pending: enable it",
        "the unit: expected no pending change, found pending: start it",
        "Next: do this",
        "it answers: expected it to hold, found exit status 1",
        "Next: read the log",
    ]
    assert failure["differences"][0] == {"object": "the daemon: a", "found": "1", "expected": "2"}
    assert health.outcome(checks[2:3], results[2:3]) == {"changed": False, "checks": results[2:3], "differences": []}
