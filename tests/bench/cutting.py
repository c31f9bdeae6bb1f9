# SPDX-License-Identifier: GPL-3.0-or-later
"""Interrupt one change, and check the state that the machine reaches."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import psutil

from .collection import collection
from .cutting_desktop import PATIENCE_S, ROOT, Desktop, environment, wait

UNDONE: str = collection("module_utils.network.rollback").UNDONE
"""What Ansible prints of a change that the machine has undone."""

ATTEMPTS = 5
"""Number of attempts for a change that ends before it reaches the step, as happens on a busy computer."""


@dataclass(frozen=True)
class Case:
    """One cut. `at` is the name of a step, or the seconds since the controller connected; `link_s` is for `link` only.

    The cuts: `controller` kills Ansible with its processes, `module` also its processes on the machine, `link` unplugs
    the machine's cable, `reboot` resets the machine, `none` does not interrupt the change.
    """

    of: str
    change: str
    at: str | float
    cut: str
    deadline_s: int
    link_s: float = 0


@dataclass(frozen=True)
class Result:
    """The result of a case.

    `silent_s` is the longest time without an answer of the machine after the cut, `lasted_s` the time from the
    connection of the controller to the cut, `output` that of Ansible after a failed run.
    """

    case: Case
    state: str
    good: bool
    silent_s: float
    lasted_s: float
    output: str = ""


class NotReachedError(Exception):
    """The change ended before it reached the step."""


class Listener(threading.Thread):
    """Connects to the machine repeatedly, and measures the longest time without an answer."""

    def __init__(self, desktop: Desktop) -> None:
        super().__init__(daemon=True)
        self.desktop = desktop
        self.over = threading.Event()
        self.heard, self.silent_s = time.monotonic(), 0.0
        self.start()

    def run(self) -> None:
        while not self.over.wait(1):
            if self.desktop.answers():
                self.note()

    def note(self) -> None:
        """Record an answer at this moment."""
        now = time.monotonic()
        self.silent_s, self.heard = max(self.silent_s, now - self.heard), now

    def end(self) -> float:
        """Stop; return the longest time without an answer in seconds, as if the machine answered now."""
        self.over.set()
        self.join()
        self.note()
        return round(self.silent_s, 1)


def kill(controller: subprocess.Popen[str]) -> None:
    """Kill Ansible and all its processes; its workers have separate sessions."""
    if controller.poll() is not None:
        return
    for process in [*psutil.Process(controller.pid).children(recursive=True), psutil.Process(controller.pid)]:
        end(process)


def end(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def hang_up(folder: Path) -> None:
    """Kill the shared ssh connections of this run, which outlive Ansible."""
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in word for word in process.info["cmdline"] or ()) and process.pid != os.getpid():
            end(process)


def attempt(desktop: Desktop, case: Case) -> Result:
    """Run a case on a machine in its initial state, and print the result on standard error."""
    for _ in range(ATTEMPTS):
        # An interrupted series can have left a change that waits for its confirmation.
        wait(lambda: not desktop.armed(), PATIENCE_S, 0.5)
        desktop.settle()
        try:
            result = cut(desktop, case)
        except NotReachedError as missed:
            print(f"ended before {missed}", file=sys.stderr, flush=True)
            continue
        verdict = "good" if result.good else f"BAD {result.output}\n"
        line = f"{verdict} {result.state}, silent {result.silent_s:.1f} s: {json.dumps(asdict(case))}"
        print(line, file=sys.stderr, flush=True)
        return result
    raise NotReachedError(f"{case}, {ATTEMPTS} times")


def cut(desktop: Desktop, case: Case) -> Result:
    """Start a change on a machine in its initial state, interrupt it, and return the result.

    Raises NotReachedError if the change ended before.
    """
    with tempfile.TemporaryDirectory(prefix="cut-") as name:
        folder = Path(name)
        with (folder / "output").open("w") as output:
            controller = subprocess.Popen(
                desktop.command(case.change, folder, case.deadline_s),
                cwd=ROOT,
                env=environment(),
                start_new_session=True,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            came = approach(desktop, case, controller)
            lasted_s = round(time.monotonic() - came, 1)
            listener = Listener(desktop)
            confirmable = strike(desktop, case, controller, folder)
            with contextlib.suppress(subprocess.TimeoutExpired):
                # A controller whose answer was lost with the address can wait for minutes; the machine's state counts.
                controller.wait(case.deadline_s + 45)
        finally:
            kill(controller)
            hang_up(folder)
            wait(lambda: not desktop.armed() and not desktop.sessions(), PATIENCE_S + case.deadline_s, 0.5)
        answered = wait(desktop.answers, PATIENCE_S)
        silent_s = listener.end()
        printed = (folder / "output").read_text()
    state = final_state(desktop) if answered else "out of reach"
    good = state == "old" or (state == "new" and case.change == "right" and confirmable)
    # The controller must report the real state.
    if controller.returncode == 0:
        good = good and state == "new"
    elif UNDONE in " ".join(printed.split()):
        good = good and state == "old"
    elif case.cut == "none":
        good = False
    return Result(case, state, good, silent_s, lasted_s, "" if good else printed)


def approach(desktop: Desktop, case: Case, controller: subprocess.Popen[str]) -> float:
    """Wait until it is time to cut; return when the controller connected, on the monotonic clock."""

    def arrives(step: str) -> bool:
        return desktop.reached(step) or controller.poll() is not None

    came = 0.0
    steps = desktop.steps[case.change]
    for step in steps[: steps.index(case.at) + 1] if isinstance(case.at, str) else steps[:1]:
        wait(partial(arrives, step), PATIENCE_S)
        if not desktop.reached(step):
            raise NotReachedError(f"{step}, {case}")
        came = came or time.monotonic()
    if case.cut == "none":
        controller.wait(PATIENCE_S + case.deadline_s)
    elif isinstance(case.at, float):
        wait(lambda: controller.poll() is not None, case.at)
    return came


def strike(desktop: Desktop, case: Case, controller: subprocess.Popen[str], folder: Path) -> bool:
    """Interrupt the change; return whether the controller can have confirmed it, before or after this."""
    if case.cut == "none":
        return True
    if case.cut == "link":
        subprocess.run(["ip", "link", "set", desktop.port, "down"], check=True)
        time.sleep(case.link_s)
        subprocess.run(["ip", "link", "set", desktop.port, "up"], check=True)
        return True
    if case.cut != "reboot":
        kill(controller)
    # Read before the reboot, in which the machine loses its connections.
    back = desktop.reached("back")
    if case.cut == "reboot":
        desktop.reboot()
        kill(controller)
    hang_up(folder)
    if case.cut == "module":
        for process in desktop.sessions():
            end(process)
    return back


def final_state(desktop: Desktop) -> str:
    """Return the state that the machine reaches, in force and on disk, when no change waits for a confirmation."""
    if desktop.armed():
        return "still armed"
    wait(lambda: desktop.in_force() == desktop.on_disk(), PATIENCE_S)
    in_force, on_disk = desktop.in_force(), desktop.on_disk()
    return in_force if in_force == on_disk else f"{in_force} in force, {on_disk} on disk"
