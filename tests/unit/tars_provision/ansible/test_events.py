# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of a run: what counts, what is shown, how it ends."""

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
            "it failed without a message; -v shows Ansible's own output",
        ),
        (
            raw(
                "runner_on_failed", msg="Action failed: Unknown error.", changes=["export docs: found rw, expected ro"]
            ),
            "failed",
            "differs from the desired state",
        ),
        (raw("runner_on_failed", msg="tried", reason="no route to the NAS"), "failed", "tried\nno route to the NAS"),
        (
            raw("runner_on_failed", msg="Shared connection closed.", module_stdout="sh: 1: sudo: not found"),
            "failed",
            "Shared connection closed.\nsh: 1: sudo: not found",
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
def test_events_are_parsed(event: dict[str, Any], kind: str, text: str) -> None:
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
def test_events_without_content_are_skipped(event: dict[str, Any]) -> None:
    assert parse(event) is None


def test_progress_of_long_work_has_its_host() -> None:
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


def test_a_rescued_failure_does_not_count() -> None:
    result = tally(
        raw("runner_on_failed", msg="tried"),
        raw("runner_on_ok", task="Rescue", changed=False),
        raw("runner_on_failed", task="Later", msg="broken"),
        stats(rescued={"xps8950": 1}, failures={"xps8950": 1}),
    ).result
    assert result.failures == [Step("xps8950", "Later", "broken")]
    assert result.hosts["xps8950"]["failed"] == 1


def test_requested_results_are_kept() -> None:
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
    message = "/opt/tars: found 12 MiB free [sda1]; expected 2048 MiB. Remove files."
    failed = Result("site.yml", "failed", 61, failures=[Step("xps8950", "stack: Check the disk", message)])
    text = printed(failed)
    assert f"failed on xps8950: stack: Check the disk\n  {message}\n" in text
    assert text.count(message) == 1 and "site.yml: failed in 1 min 01 s" in text


def test_a_command_in_a_terminal_fails_with_what_it_printed() -> None:
    failure = raw("runner_on_failed", msg="non-zero return code", stderr="Shared connection to 10.77.0.10 closed.\r\n")
    failure["event_data"]["res"]["stdout"] = "cp: cannot create '/srv/x': No such device\r\n"
    parsed = parse(failure)
    assert parsed is not None and parsed.text == "cp: cannot create '/srv/x': No such device"


def test_a_failure_before_the_first_task_shows_the_output_of_ansible() -> None:
    assert "before the first task:\n  [ERROR]: no such role" in printed(
        Result("site.yml", "failed", output=["[ERROR]: no such role"])
    )


def test_a_cancelled_run_lists_what_may_still_run() -> None:
    text = printed(Result("site.yml", "cancelled", 5, running=[Step("xps8950", "models: Pull", "")]))
    assert "xps8950: may still be running: models: Pull" in text and "cancelled in 5 s" in text


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (["export docs: found rw, expected ro", "export photos: not exported"], None),
        ({"/etc/a": ["mode", "owner"], "/etc/b": "content"}, ["/etc/a: mode, owner", "/etc/b: content"]),
    ],
)
def test_a_failure_lists_its_differences_one_a_line(changes: Any, lines: list[str] | None) -> None:
    total = tally(raw("runner_on_failed", msg="Action failed: Unknown error.", changes=changes))
    text = printed(total.result)
    for line in lines or changes:
        assert text.count(f"  - {line}\n") == 1
    data = json.loads(json.dumps(report.as_json(total.result)))
    assert data["failures"][0]["changes"] == (lines or changes)


def test_a_difference_that_the_message_has_is_not_repeated() -> None:
    total = tally(raw("runner_on_failed", msg="export docs: found rw", changes=["export docs: found rw"]))
    assert printed(total.result).count("export docs: found rw") == 1


def test_differences_of_a_loop_are_those_of_its_items() -> None:
    items = [{"failed": True, "msg": "b", "changes": ["x"]}, {"changes": ["y"]}]
    total = tally(raw("runner_on_failed", msg="One or more items failed", results=items))
    assert total.result.failures == [Step("xps8950", "Install", "b", ("x", "y"))]


def test_verbose_output_is_what_ansible_prints() -> None:
    console = Console(file=io.StringIO(), width=200)
    with report.reporter(console, verbose=True) as lines:
        parsed = parse(raw("runner_on_ok", stdout="\x1b[0;32mok: [xps8950] => {msg: [a]}\x1b[0m", changed=False))
        assert parsed is not None
        lines.event(parsed, Tally(Result("site.yml")))
    assert console.file.getvalue() == "ok: [xps8950] => {msg: [a]}\n"  # type: ignore[attr-defined]  # the StringIO


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


def test_a_terminal_shows_the_task_of_each_machine() -> None:
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
    assert (data["exit_code"], data["changed"], data["changes"]) == (
        3,
        1,
        [{"host": "a", "task": "t", "text": "d", "changes": []}],
    )
