# SPDX-License-Identifier: GPL-3.0-or-later
"""Install NVIDIA's driver on this machine: read, plan and carry out until apt has nothing more to offer.

Which packages apt offers is known only once it has read the added sources, and a module that the kernel refuses to load
is a finding and not a failure. Both differ from the procedure of other resources: planning and writing alternate here.
"""

from __future__ import annotations

import glob
import http.client
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.urls import open_url

from ..resource.errors import ResourceError
from ..system import apt, files, jobs
from ..system import apt_sources as sources_of_apt
from ..system.process import PROGRAMS, attempt
from . import apt_sources, cards, diagnosis, facts, offers
from .plan import NOUVEAU_FILE, PIN_FILE, Now, Step, Wanted, plan

FILES = (apt_sources.FILE, PIN_FILE, NOUVEAU_FILE)
COMMAND_S = 300
"""Seconds that a command may take."""


class DriverError(ResourceError):
    """The driver cannot be installed. The message has the next step."""


class CardError(DriverError):
    """A card is required and cannot be used, because of the finding."""

    def __init__(self, finding: diagnosis.Finding) -> None:
        super().__init__(f"{finding.name}: {finding.problem}. Next: {finding.fix}")
        self.finding = finding


class UnfinishedError(Exception):
    """A job still runs at the end of this call: its unit, and its last line of output."""

    def __init__(self, unit: str, line: str) -> None:
        super().__init__(unit)
        self.unit, self.line = unit, line


@dataclass(frozen=True)
class Goal:
    """The desired driver; see the options of the module nvidia_driver."""

    required: bool = False
    branch: int | None = None
    minimum: int = 550
    components: Sequence[str] = ()
    repositories: Sequence[apt_sources.Repository] = ()
    packages: Sequence[str] = (facts.TOOLKIT,)


def _run(command: Sequence[str]) -> tuple[int, str, str]:
    return attempt(command, timeout_s=COMMAND_S)


class Driver:
    """The driver of this machine's cards."""

    def __init__(self, goal: Goal, check_mode: bool, run: jobs.Run = _run) -> None:
        """`run` runs a command."""
        self.goal, self.check_mode, self.run = goal, check_mode, run
        self.modprobe = ""
        self.changed = False
        self.steps: list[str] = []
        self.diff: list[dict[str, str]] = []

    def ensure(self) -> dict[str, Any]:
        """Install and load the driver, if the machine has a card; in check mode, plan that.

        Returns:
            The module's result, with `pending` and `units` while a job still runs.

        Raises:
            DriverError: apt cannot read its sources, offers no driver for the cards, or fails.
            CardError: a card is required and cannot be used for another reason than a missing reboot.
        """
        try:
            self._read()
            if self.facts.cards:
                self._carry_out()
        except UnfinishedError as job:
            return {**self._changes(), "pending": [job.line], "units": [job.unit]}
        return {**self._changes(), **self._outcome()}

    def without_cards(self) -> dict[str, Any]:
        """Return the module's result for a machine that has no card, without reading it.

        Raises:
            CardError: a card is required.
        """
        self.facts, self.needed = facts.Facts(kernel=""), cards.common((), self.goal.minimum)
        return {**self._changes(), **self._outcome()}

    def _changes(self) -> dict[str, Any]:
        return {"changed": self.changed, "changes": self.steps, "diff": self.diff}

    def _outcome(self) -> dict[str, Any]:
        finding = diagnosis.driver_finding(self.facts, self.goal.minimum)
        warnings = []
        if finding and not (self.check_mode and self.facts.cards):
            error = CardError(finding)
            if self.goal.required and not finding.reboot:
                raise error
            if self.facts.cards:
                again = ", then run this again" if finding.reboot else ""
                warnings.append(f"The NVIDIA card is not used yet. {error}{again}. Until then the processor is used.")
        return {
            "cards": [
                {"slot": card.slot, "device": f"{card.device:04x}", "driver": card.driver} for card in self.facts.cards
            ],
            "generation": self.needed.name,
            "driver": str(self.facts.gpus[0]["driver"]) if self.facts.gpus else "",
            "reboot_required": bool(finding and finding.reboot),
            "finding": diagnosis.plain(finding) if finding else {},
            **({"warnings": warnings} if warnings else {}),
        }

    def _read(self) -> None:
        """Read the facts and apt's sources."""
        self.facts = facts.read(self.run, self.modprobe)
        self.needed = cards.common(self.facts.cards, self.goal.minimum)
        status, output, errors = self.run(apt_sources.command())
        if status != 0:
            raise DriverError(
                f"apt cannot read its sources: {errors.strip()}\nNext: correct the entry that apt names, then "
                "run again. "
                f"The file of this module is {apt_sources.FILE}; it may be removed."
            )
        self.targets = apt_sources.parse(output)
        self.sources = sources_of_apt.parse_files(self.run(["sh", "-c", sources_of_apt.READ_SCRIPT])[1])

    def _carry_out(self) -> None:
        """Plan and write until nothing is left; apt's offers are known only once it has read its sources."""
        done: list[Step] = []
        while True:
            wanted = self._wanted()
            now = self._now()
            steps = [step for step in plan(now, wanted) if step not in done]
            if wanted.choice is None and not self.check_mode:
                # The last one only stands for those that follow.
                steps = [step for step in steps if step.kind != "install"]
            self.changed = self.changed or any(step.kind != "load" for step in steps)
            self.steps += [str(step) for step in steps]
            self.diff += difference(now, steps)
            if self.check_mode:
                self.changed = bool(self.steps)
                return
            if not steps:
                return
            for step in steps:
                self._write(step)
            done += steps
            loaded = self.facts.loaded
            self._read()
            self.changed = self.changed or self.facts.loaded != loaded
            if wanted.choice is not None:
                return

    def _now(self) -> Now:
        own = [target for target in self.targets if apt_sources.own(target)]
        keys = [repository.key for repository in self.goal.repositories if os.path.exists(repository.key)]
        return Now(
            files={**{path: files.text(path) for path in FILES if os.path.exists(path)}, **dict.fromkeys(keys, "")},
            lists=bool(own) and all(glob.glob(f"{target.file}*") for target in own),
            installed=self.installed,
            initrd=_initrd(self.facts.kernel),
            loaded=self.facts.loaded is not None,
            free=all(card.driver in (None, "nvidia") for card in self.facts.cards),
        )

    def _wanted(self) -> Wanted:
        """Return the desired state, as far as it can be known before apt has read the added sources."""
        further = self.run(facts.package_query(self.goal.packages))[1]
        self.installed = {**self.facts.packages, **facts.parse_packages(further)}
        answers = bool(self.facts.gpus) and diagnosis.driver_finding(self.facts, self.goal.minimum) is None
        by_package = any(not name.startswith(facts.TOOLKIT) for name in self.facts.packages)
        number = offers.branch(str(self.facts.gpus[0]["driver"])) if answers else None
        keep = answers and self.goal.branch in (None, number)
        missing = [name for name in self.goal.packages if name not in self.installed]
        components = () if keep else self.goal.components
        repositories = () if keep and not missing else self.goal.repositories
        sources = apt_sources.text(self.targets, self.sources, components, repositories)
        keys = apt_sources.keys(self.sources, repositories)
        if keep and number is not None:
            # A driver that answers is not replaced, and the own file stays as it is.
            sources = sources or files.text(apt_sources.FILE)
            choice = offers.Choice(number, "", ())
            return Wanted(sources, keys, choice, tuple(missing), adopted=not by_package)
        if plan(self._now(), Wanted(sources, keys)):
            return Wanted(sources, keys)
        return self._chosen(sources, keys)

    def _chosen(self, sources: str, keys: Mapping[str, str]) -> Wanted:
        """Return the desired state with the choice among apt's offers."""
        search = self.run(["apt-cache", "--names-only", "search", offers.PATTERN])[1]
        names = offers.parse_search(search)
        kernels = facts.kernels(self.run(facts.package_query(["linux-image-*"]))[1])
        headers = [f"linux-headers-{kernel}" for kernel in (self.facts.kernel, *kernels)]
        offered = offers.parse_madison(self.run(["apt-cache", "madison", *names, *headers])[1])
        candidates = offers.candidates(offered, kernels)
        choice = offers.choose(candidates, self.needed, self.goal.branch, self.installed)
        if choice is None:
            raise self._no_driver(candidates)
        others = list(self.goal.packages)
        if not any(name.startswith("linux-modules-") for name in choice.packages):
            # DKMS builds with the headers of the running kernel, and of later ones.
            others += [name for name in headers if name in offered]
        if os.path.isdir("/sys/firmware/efi"):
            others.append("mokutil")
        self.installed = facts.parse_packages(self.run(facts.package_query([*choice.packages, *others]))[1])
        return Wanted(sources, keys, choice, tuple(others))

    def _no_driver(self, candidates: Sequence[offers.Choice]) -> DriverError:
        first, last = self.needed.first, self.needed.last
        span = f"{first} or newer" if last is None else f"{first} to {last}"
        offered = ", ".join(sorted({f"{choice.branch} ({choice.flavour})" for choice in candidates})) or "none"
        branch = f", and nvidia_branch is {self.goal.branch}" if self.goal.branch else ""
        return DriverError(
            f"{cards.described(self.facts.cards)}: found the drivers {offered} in apt's lists, expected branch "
            f"{span}{branch}, in the flavour "
            f"{' or '.join(self.needed.flavours) or 'that no branch has any more'}. Next: "
            "use NVIDIA's own repository (nvidia_driver_source: nvidia), choose another branch, or do not use the card."
        )

    def _write(self, step: Step) -> None:
        """Carry out one step. Long ones are jobs; one that still runs at the end of its time slice ends the call."""
        if step.kind == "fetch":
            files.write_file(step.subject, _fetch(step.text))
        elif step.kind == "write":
            files.write_file(step.subject, step.text)
        elif step.kind == "remove":
            files.remove(step.subject)
        elif step.kind == "refresh":
            keys = apt_sources.keys(self.sources, self.goal.repositories)
            self._job("tars-apt", apt_sources.refresh_command(list(keys)))
        elif step.kind == "install":
            self._job("tars-apt", apt.install_command(step.subject.split(), recommends=False))
        elif step.kind == "initramfs" and shutil.which("update-initramfs", path=PROGRAMS):
            self._job("tars-initramfs", ["update-initramfs", "-u", "-k", self.facts.kernel])
        elif step.kind == "load":
            status, output, errors = self.run(["modprobe", "nvidia"])
            self.modprobe = f"{output}{errors}".strip() if status else ""

    def _job(self, unit: str, command: Sequence[str]) -> None:
        job = jobs.Job(unit, tuple(command), apt.ENVIRONMENT)
        try:
            running = not jobs.begin(self.run, job) or bool(jobs.attend(self.run, [job]))
        except jobs.JobError as error:
            raise DriverError(f"{error}\nNext: correct what it names, then run again.") from error
        if running:
            raise UnfinishedError(unit, "".join(jobs.tail(job, 1)) or f"{unit} starts")


def _fetch(url: str) -> bytes:
    try:
        with open_url(url, timeout=30) as response:
            key: bytes = response.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DriverError(
            f"{url}: the key cannot be fetched: {error}. Next: check that the machine reaches it, then run again."
        ) from error
    return key


def _initrd(kernel: str) -> bool:
    """Return whether the kernel's initial RAM disk is newer than the file about nouveau, or one of them is absent."""
    try:
        return os.stat(f"/boot/initrd.img-{kernel}").st_mtime >= os.stat(NOUVEAU_FILE).st_mtime
    except FileNotFoundError:
        return True


def difference(now: Now, steps: Sequence[Step]) -> list[dict[str, str]]:
    """Return before and after of the files and packages among the steps."""
    shown = []
    for step in steps:
        if step.kind in ("write", "remove"):
            headers = {"before_header": step.subject, "after_header": step.subject}
            shown.append({**headers, "before": now.files.get(step.subject, ""), "after": step.text})
        elif step.kind == "install":
            shown.append({"before": "", "after": "".join(f"{name}\n" for name in step.subject.split())})
    return shown
