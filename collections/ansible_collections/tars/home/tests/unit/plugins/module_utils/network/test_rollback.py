# SPDX-License-Identifier: GPL-3.0-or-later
"""The armed rollback with the real shell script; only systemd's timer is run out by hand."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.module_utils.network import rollback as module
from ansible_collections.tars.home.plugins.module_utils.network.rollback import Rollback, RollbackError
from ansible_collections.tars.home.plugins.module_utils.system import files, process


class Machine:
    """A file as the state that is changed, and the timers that were started."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.saved = folder / "saved"
        self.state.write_text("old")
        self.timers: list[list[str]] = []
        self.saved.write_text("old")
        self.run = folder / "run"
        self.rollback = Rollback("thing", str(self.run))

    def change(self, token: str, wanted: str = "new") -> None:
        before = self.state.read_text()
        self.rollback.arm(f"printf {before} > {self.state}", 60, token, module.on_disk(str(self.saved), wanted))
        with self.rollback.guarded(token):
            self.state.write_text(wanted)

    def run_out(self, timer: int = -1) -> None:
        subprocess.run(self.timers[timer], check=True)

    def reboot(self) -> None:
        if self.run.exists():
            shutil.rmtree(self.run)
        self.timers.clear()
        self.state.write_text(self.saved.read_text())

    def persist(self) -> None:
        fresh = self.saved.with_name("fresh")
        fresh.write_text(self.state.read_text())
        fresh.rename(self.saved)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    real = process.run

    def run(command: list[str], **rest: Any) -> str:
        if command[0] == "systemd-run":
            made.timers.append(command[command.index("/bin/sh") :])
            (tmp_path / "timer").touch()
            return ""
        return real(command, **rest)

    monkeypatch.setattr(module, "run", run)
    connections(monkeypatch, "192.0.2.1 5000 192.0.2.2 22")
    return made


def connections(monkeypatch: pytest.MonkeyPatch, current: str) -> None:
    monkeypatch.setattr(module, "ssh_connection", lambda: current)


def test_what_nobody_confirms_is_undone(machine: Machine) -> None:
    machine.change("a")
    machine.run_out()
    assert machine.state.read_text() == "old" and machine.rollback.armed() is None
    with pytest.raises(RollbackError, match="has undone it"):
        machine.rollback.confirm("a", machine.persist)
    assert machine.saved.read_text() == "old"


def test_what_is_confirmed_over_another_connection_stays(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.change("a")
    connections(monkeypatch, "192.0.2.1 5001 192.0.2.2 22")
    machine.rollback.confirm("a", machine.persist)
    machine.run_out()
    assert machine.state.read_text() == machine.saved.read_text() == "new"


def test_a_confirmation_whose_answer_was_lost_is_read_back(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.change("a")
    connections(monkeypatch, "192.0.2.1 5001 192.0.2.2 22")
    machine.rollback.confirm("a", machine.persist)
    assert machine.rollback.kept("a") and not machine.rollback.kept("b")
    machine.rollback.confirm("a", lambda: pytest.fail("it was written twice"))


def test_the_undo_is_tried_until_it_succeeds(machine: Machine, tmp_path: Path) -> None:
    once = tmp_path / "once"
    machine.rollback.arm(f"test -e {once} && printf old > {machine.state} || ! touch {once}", 60, "a")
    machine.state.write_text("new")
    machine.run_out()
    assert machine.state.read_text() == "old" and machine.rollback.armed() is None


def die_at(machine: Machine, line: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Make and confirm a change in a process of its own that ends when the given number of lines of the program, or
    of the change itself, have run. Whether it got there.
    """
    child = os.fork()
    if not child:
        left = line

        def trace(frame: Any, event: str, _: Any) -> Any:
            nonlocal left
            if frame.f_code.co_filename not in (module.__file__, files.__file__, __file__):
                return None
            left -= event == "line"
            if left < 0:
                os._exit(9)
            return trace

        sys.settrace(trace)
        machine.change("a")
        connections(monkeypatch, "192.0.2.1 5001 192.0.2.2 22")
        machine.rollback.confirm("a", machine.persist)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("end", ["timer", "reboot"])
def test_wherever_the_program_dies_what_is_in_force_is_what_is_on_disk(
    end: str, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timer, undo = tmp_path / "timer", machine.run / "thing/undo-a.sh"
    seen = []
    died, line = True, 0
    while died:
        machine.state.write_text("old")
        machine.saved.write_text("old")
        if machine.run.exists():
            shutil.rmtree(machine.run)
        timer.unlink(missing_ok=True)
        died = die_at(machine, line, monkeypatch)
        if end == "timer" and timer.exists():
            subprocess.run(["/bin/sh", str(undo)], check=True)
        if end == "reboot":
            machine.reboot()
        assert machine.state.read_text() == machine.saved.read_text(), f"died at line {line}"
        assert machine.rollback.armed() is None, f"died at line {line}"
        seen.append(machine.state.read_text())
        line += 1
    assert seen == sorted(seen, reverse=True) and {"old", "new"} == set(seen), "what was confirmed was lost"


def test_the_connection_a_change_came_over_confirms_nothing(machine: Machine) -> None:
    machine.change("a")
    with pytest.raises(RollbackError, match="proves nothing"):
        machine.rollback.confirm("a", machine.persist)
    machine.run_out()
    assert machine.state.read_text() == "old"


def test_what_cannot_be_written_is_undone(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError("disk full")

    machine.change("a")
    connections(monkeypatch, "192.0.2.1 5001 192.0.2.2 22")
    with pytest.raises(OSError, match="disk full"):
        machine.rollback.confirm("a", full)
    machine.run_out()
    assert machine.state.read_text() == "old"


def test_a_change_after_an_unconfirmed_one_stands_on_the_state_before_both(machine: Machine) -> None:
    machine.change("a", "never confirmed")
    assert machine.rollback.undo() and machine.state.read_text() == "old"
    machine.change("b")
    machine.run_out(0)
    assert machine.state.read_text() == "new", "the timer of the first change undid the second"
    machine.run_out(1)
    assert machine.state.read_text() == "old"


def test_nothing_is_applied_once_it_is_too_late(machine: Machine) -> None:
    machine.rollback.arm("true", 1, "a")
    machine.run_out()
    with pytest.raises(RollbackError), machine.rollback.guarded("a"):
        machine.state.write_text("new")
    assert machine.state.read_text() == "old"


def test_a_change_that_comes_later_comes_only_while_it_can_be_undone(machine: Machine) -> None:
    machine.rollback.arm(f"printf old > {machine.state}", 60, "a")
    machine.rollback.later("a", f"printf new > {machine.state}", after_s=2)
    undo, change = machine.timers
    subprocess.run(change, check=True)
    assert machine.state.read_text() == "new"
    subprocess.run(undo, check=True)
    subprocess.run(change, check=True)
    assert machine.state.read_text() == "old"


def test_without_a_timer_nothing_is_armed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: Any) -> str:
        raise RollbackError(f"{command[0]} ended with 1")

    monkeypatch.setattr(module, "run", run)
    with pytest.raises(RollbackError):
        machine.rollback.arm("true", 60, "a")
    assert machine.rollback.armed() is None


def test_the_ssh_connection_is_found_behind_a_program_that_hides_it() -> None:
    package = "ansible_collections.tars.home.plugins.module_utils.network.rollback"
    script = f"from {package} import ssh_connection; print(ssh_connection())"
    command = f"env --unset=SSH_CONNECTION python3 -c '{script}'; true"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"SSH_CONNECTION": "192.0.2.1 5000 192.0.2.2 22", "PYTHONPATH": "collections", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "192.0.2.1 5000 192.0.2.2 22", done.stderr
