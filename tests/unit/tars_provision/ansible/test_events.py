# SPDX-License-Identifier: GPL-3.0-or-later
"""A run as its events tell it: what counts, what is shown, how it ends."""

import io
import json
from typing import Any

import pytest
from rich.console import Console

from tars_provision.ansible import report
from tars_provision.ansible.events import Event, Result, Step, Tally, parse


def raw(event: str, host: str = "xps8950", task: str = "Install", stdout: str = "", **res: Any) -> dict[str, Any]:
    """Return an event in the form ansible-runner 2.4 gives them."""
    data: dict[str, Any] = {"host": host, "task": task, "play": "Desktop"}
    return {"event": event, "stdout": stdout, "event_data": data | ({"res": res} if res else {})}


def stats(**counters: dict[str, int]) -> dict[str, Any]:
    return {"event": "playbook_on_stats", "stdout": "", "event_data": counters}


def tally(*events: dict[str, Any], check: bool = False, keep: frozenset[str] = frozenset()) -> Tally:
    total = Tally(Result("site.yml", check=check), keep)
    for event in events:
        parsed = parse(event)
        if parsed is not None:
            total.add(parsed)
    return total


@pytest.mark.parametrize(
    ("event", "kind", "text"),
    [
        (raw("runner_on_ok", changed=False), "ok", ""),
        (raw("runner_on_ok", changed=True), "changed", ""),
        (raw("runner_on_failed", msg="Task failed: no space"), "failed", "no space"),
        (raw("runner_on_failed", msg="rc 1", stderr="disk full\n"), "failed", "rc 1\ndisk full"),
        (
            raw("runner_on_failed", msg="", changed=False),
            "failed",
            "it failed without a message; run again with -v to see more",
        ),
        (
            raw(
                "runner_on_failed",
                msg="One or more items failed",
                results=[{"failed": True, "msg": "b"}, {"msg": "ok"}],
            ),
            "failed",
            "b",
        ),
        (raw("runner_on_unreachable", msg="Connection refused", unreachable=True), "unreachable", "Connection refused"),
        (raw("runner_on_file_diff", stdout="\x1b[0;31m--- before\x1b[0m\r\n+x\r\n"), "diff", "--- before\n+x\n"),
        (raw("runner_on_file_diff", stdout="\r\nTASK [stack : Write] *****\r\n-a\r\n+b\r\n"), "diff", "-a\n+b\n"),
    ],
)
def test_events_say_what_happened(event: dict[str, Any], kind: str, text: str) -> None:
    parsed = parse(event)
    assert parsed is not None and (parsed.kind, parsed.text) == (kind, text)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"event": "something_new", "event_data": {"host": "a"}},
        {"event": "verbose", "stdout": "\r\n"},
        {"event": "runner_on_file_diff", "stdout": "", "event_data": None},
        raw("runner_on_failed", msg="expected")
        | {"event_data": {"host": "a", "ignore_errors": True, "res": {"msg": "x"}}},
    ],
)
def test_events_that_say_nothing_are_passed_over(event: dict[str, Any]) -> None:
    assert parse(event) is None


def test_progress_of_long_work_is_told_by_host() -> None:
    parsed = parse({"event": "verbose", "stdout": "    [xps8950] llama3.1:8b: 40 % of 4.9 GB"})
    assert parsed == Event("progress", host="xps8950", text="llama3.1:8b: 40 % of 4.9 GB")


def test_tasks_are_counted_once_and_diffs_go_with_their_changes() -> None:
    total = tally(
        raw("runner_on_start"),
        raw("runner_on_file_diff", stdout="-a\n+b\n"),
        raw("runner_on_ok", changed=True),
        raw("runner_on_start", task="Start"),
        raw("runner_on_ok", task="Start", changed=False),
        raw("runner_on_start", task="Wait"),
        check=True,
    )
    result = total.result
    assert result.hosts == {"xps8950": {"ok": 2, "changed": 1}}
    assert result.changes == [Step("xps8950", "Install", "-a\n+b\n")]
    assert total.running == {"xps8950": "Wait"}


def test_a_failure_that_the_play_rescued_is_none() -> None:
    result = tally(
        raw("runner_on_failed", msg="tried"),
        raw("runner_on_ok", task="Rescue", changed=False),
        raw("runner_on_failed", task="Later", msg="broken"),
        stats(rescued={"xps8950": 1}, failures={"xps8950": 1}),
    ).result
    assert result.failures == [Step("xps8950", "Later", "broken")]
    assert result.hosts["xps8950"]["failed"] == 1


def test_results_that_were_asked_for_are_kept() -> None:
    total = tally(
        raw("runner_on_ok", changed=False, checks=[{"ok": True}]),
        raw("runner_on_ok", task="Other", changed=False, msg="x"),
        keep=frozenset(["checks"]),
    )
    assert [(step.task, data["checks"]) for step, data in total.result.results] == [("Install", [{"ok": True}])]


@pytest.mark.parametrize(
    ("status", "check", "changed", "code"),
    [
        ("done", False, 0, 0),
        ("done", False, 3, 0),
        ("done", True, 0, 0),
        ("done", True, 3, 3),
        ("failed", True, 3, 1),
        ("failed", False, 0, 1),
        ("cancelled", False, 0, 130),
    ],
)
def test_exit_codes(status: Any, check: bool, changed: int, code: int) -> None:
    assert Result("site.yml", status, check=check, hosts={"a": {"changed": changed}}).exit_code == code


def printed(*results: Result) -> str:
    console = Console(file=io.StringIO(), width=200)
    for result in results:
        report.summarise(result, console)
    return str(console.file.getvalue())  # type: ignore[attr-defined]  # the StringIO above


def test_a_failure_is_one_clear_message() -> None:
    message = "/opt/tars: wanted 2048 MiB free, found 12 MiB [sda1]; make room"
    failed = Result("site.yml", "failed", 61, failures=[Step("xps8950", "stack: Check the disk", message)])
    text = printed(failed)
    assert f"failed on xps8950: stack: Check the disk\n  {message}\n" in text
    assert text.count(message) == 1 and "site.yml: failed in 1 min 01 s" in text


def test_a_failure_before_the_first_task_shows_what_ansible_said() -> None:
    assert "before the first task:\n  [ERROR]: no such role" in printed(
        Result("site.yml", "failed", output=["[ERROR]: no such role"])
    )


def test_a_cancelled_run_says_what_may_still_run() -> None:
    text = printed(Result("site.yml", "cancelled", 5, running=[Step("xps8950", "models: Pull", "")]))
    assert "xps8950: may still be at: models: Pull" in text and "cancelled in 5 s" in text


def test_check_mode_shows_diffs_and_a_real_run_does_not() -> None:
    change = [Step("xps8950", "Write", "-a\n+[b]\n")]
    assert "+[b]" in printed(Result("site.yml", "done", check=True, changes=change))
    assert "+[b]" not in printed(Result("site.yml", "done", changes=change))


def test_output_without_a_terminal_is_lines() -> None:
    console = Console(file=io.StringIO(), width=200)
    with report.reporter(console) as lines:
        total = Tally(Result("site.yml"))
        for event in (
            {"event": "playbook_on_play_start", "event_data": {"play": "Desktop"}},
            raw("runner_on_start"),
            raw("runner_on_ok", changed=True),
            raw("runner_on_ok", task="Quiet", changed=False),
            raw("runner_on_failed", task="Loud [x]", msg="no"),
        ):
            parsed = parse(event)
            assert parsed is not None
            total.add(parsed)
            lines.event(parsed, total)
            lines.tick(total)
    text = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above
    assert text.splitlines() == ["Desktop", "  xps8950: changed Install", "  xps8950: failed Loud [x]"]


def test_a_terminal_shows_what_each_machine_is_at() -> None:
    console = Console(file=io.StringIO(), width=100)
    total = tally(raw("runner_on_ok", changed=True), raw("runner_on_start", task="Pull the models"))
    table = report.LiveTable(console)
    for event in (
        Event("start", host="xps8950", task="Pull the models"),
        Event("progress", host="xps8950", text="40 %"),
    ):
        table.event(event, total)
    console.print(table.table(total))
    line = console.file.getvalue().splitlines()[-1]  # type: ignore[attr-defined]  # the StringIO above
    assert line.split()[:3] == ["xps8950", "1", "1"] and "Pull the models 40 %" in line


def test_a_result_is_plain_data() -> None:
    result = Result("site.yml", "done", check=True, hosts={"a": {"changed": 1}}, changes=[Step("a", "t", "d")])
    data = json.loads(json.dumps(report.as_json(result)))
    assert (data["exit_code"], data["changed"], data["changes"]) == (3, 1, [{"host": "a", "task": "t", "text": "d"}])
