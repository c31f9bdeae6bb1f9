# SPDX-License-Identifier: GPL-3.0-or-later
"""One cut of a change on its way, and what becomes of the machine."""

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

from .cutting_desktop import PATIENCE_S, ROOT, Desktop, environment, wait

ATTEMPTS = 5
"""How often a change is begun that is over before it comes to the step, as happens on a busy computer."""


@dataclass(frozen=True)
class Case:
    """One cut: `at` is a step's name, or seconds from when the controller has come in; `link_s` is for `link` alone.

    The cuts: `controller` kills Ansible with all that it has begun here, `module` what it runs on the machine as well,
    `link` pulls the machine's cable, `reboot` is the reset button, `none` lets the change be.
    """

    of: str
    change: str
    at: str | float
    cut: str
    deadline_s: int
    link_s: float = 0


@dataclass(frozen=True)
class Result:
    """What became of a change: the longest silence from the cut to the end, and how long the change had lasted before,
    from when the controller came in; both in seconds.
    """

    case: Case
    state: str
    good: bool
    silent_s: float
    lasted_s: float
    said: str = ""


class NotReached(Exception):
    """The change was over, one way or the other, before it came to the step."""


class Listener(threading.Thread):
    """Knocks at the machine's doors all the time, and knows the longest silence."""

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
        """The machine has answered now."""
        now = time.monotonic()
        self.silent_s, self.heard = max(self.silent_s, now - self.heard), now

    def end(self) -> float:
        """The longest silence in seconds, with an answer at this moment as the last."""
        self.over.set()
        self.join()
        self.note()
        return round(self.silent_s, 1)


def kill(controller: subprocess.Popen[str]) -> None:
    """End Ansible at once with all it has begun; its workers lead sessions of their own."""
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
    """End the shared connections of this run, which outlive Ansible."""
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in word for word in process.info["cmdline"] or ()) and process.pid != os.getpid():
            end(process)


def attempt(desktop: Desktop, case: Case) -> Result:
    """Run a case from a settled machine, and say on standard error what became of it."""
    for _ in range(ATTEMPTS):
        # As an interrupted series leaves it.
        wait(lambda: not desktop.armed(), PATIENCE_S, 0.5)
        desktop.settle()
        try:
            result = cut(desktop, case)
        except NotReached as missed:
            print(f"over before {missed}", file=sys.stderr, flush=True)
            continue
        told = "good" if result.good else f"BAD {result.said}\n"
        shown = f"{told} {result.state}, silent {result.silent_s:.1f} s: {json.dumps(asdict(case))}"
        print(shown, file=sys.stderr, flush=True)
        return result
    raise NotReached(f"{case}, {ATTEMPTS} times")


def cut(desktop: Desktop, case: Case) -> Result:
    """Begin a change from a settled machine, cut, and see what the machine comes to.

    Raises NotReached where the change was over before.
    """
    with tempfile.TemporaryDirectory(prefix="cut-") as name:
        folder = Path(name)
        with (folder / "said").open("w") as said:
            controller = subprocess.Popen(
                desktop.command(case.change, folder, case.deadline_s),
                cwd=ROOT,
                env=environment(),
                start_new_session=True,
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            came = approach(desktop, case, controller)
            lasted_s = round(time.monotonic() - came, 1)
            listener = Listener(desktop)
            confirmable = strike(desktop, case, controller, folder)
            with contextlib.suppress(subprocess.TimeoutExpired):
                # One whose answer was lost with the address may wait for minutes: it is the machine that is judged.
                controller.wait(case.deadline_s + 45)
        finally:
            kill(controller)
            hang_up(folder)
            wait(lambda: not desktop.armed() and not desktop.sessions(), PATIENCE_S + case.deadline_s, 0.5)
        answered = wait(desktop.answers, PATIENCE_S)
        silent_s = listener.end()
        printed = (folder / "said").read_text()
    state = judge(desktop) if answered else "out of reach"
    good = state == "old" or (state == "new" and case.change == "right" and confirmable)
    # What the controller tells is so.
    if controller.returncode == 0:
        good = good and state == "new"
    elif "has undone" in " ".join(printed.split()):
        good = good and state == "old"
    elif case.cut == "none":
        good = False
    return Result(case, state, good, silent_s, lasted_s, "" if good else printed)


def approach(desktop: Desktop, case: Case, controller: subprocess.Popen[str]) -> float:
    """Wait until it is time to cut. When the controller came in, on the monotonic clock."""

    def arrives(step: str) -> bool:
        return desktop.reached(step) or controller.poll() is not None

    came = 0.0
    steps = desktop.steps[case.change]
    for step in steps[: steps.index(case.at) + 1] if isinstance(case.at, str) else steps[:1]:
        wait(partial(arrives, step), PATIENCE_S)
        if not desktop.reached(step):
            raise NotReached(f"{step}, {case}")
        came = came or time.monotonic()
    if case.cut == "none":
        controller.wait(PATIENCE_S + case.deadline_s)
    elif isinstance(case.at, float):
        wait(lambda: controller.poll() is not None, case.at)
    return came


def strike(desktop: Desktop, case: Case, controller: subprocess.Popen[str], folder: Path) -> bool:
    """Cut. Whether the change can have been confirmed, by a controller that lives on or did come back before."""
    if case.cut == "none":
        return True
    if case.cut == "link":
        subprocess.run(["ip", "link", "set", desktop.port, "down"], check=True)
        time.sleep(case.link_s)
        subprocess.run(["ip", "link", "set", desktop.port, "up"], check=True)
        return True
    if case.cut != "reboot":
        kill(controller)
    # Nobody comes back any more; the machine that is switched off forgets its connections.
    back = desktop.reached("back")
    if case.cut == "reboot":
        desktop.reboot()
        kill(controller)
    hang_up(folder)
    if case.cut == "module":
        for process in desktop.sessions():
            end(process)
    return back


def judge(desktop: Desktop) -> str:
    """Which of both states the machine comes to, in force and on disk, once nothing waits for a confirmation."""
    if desktop.armed():
        return "still armed"
    wait(lambda: desktop.in_force() == desktop.on_disk(), PATIENCE_S)
    in_force, on_disk = desktop.in_force(), desktop.on_disk()
    return in_force if in_force == on_disk else f"{in_force} in force, {on_disk} on disk"
