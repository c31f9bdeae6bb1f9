# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's driver on this machine as two resources: apt's sources, then the driver that apt offers with them.

A module that the kernel refuses to load is a finding and not a failure: the packages are as desired, and a person has
to do the rest.
"""

from __future__ import annotations

import http.client
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible.module_utils.urls import open_url

from ..resource.converge import Outcome, Pending, Probe, Resource, converge
from ..resource.errors import ResourceError
from ..system import apt, files, jobs
from ..system import apt_sources as sources_of_apt
from ..system.probing import Part, combined, file_text, parts
from ..system.process import PROGRAMS, attempt
from . import apt_sources, cards, diagnosis, facts, offers
from .plan import LOAD, NOUVEAU_FILE, PIN_FILE, REFRESH, Now, Sources, Step, Wanted, diff, plan_driver, plan_sources
from .plan import predict as predict_now

FILES = (apt_sources.FILE, PIN_FILE, NOUVEAU_FILE)
COMMAND_S = 300
"""Seconds that a command may take."""

LATER = Step("install", "the driver that apt then offers")
"""Stands, in check mode, for all that follows once apt has read added sources."""

_LISTS_SCRIPT = 'eval "$(apt-config shell lists Dir::State::lists/d)" && ls "$lists"'
_KEYS_SCRIPT = 'for key; do [ ! -e "$key" ] || echo "$key"; done'
_INITRD_SCRIPT = f"""
PATH={PROGRAMS}; command -v update-initramfs >/dev/null || exit 0
stat --format=%.Y "/boot/initrd.img-$(uname -r)" {NOUVEAU_FILE}
"""


class DriverError(ResourceError):
    """The driver cannot be installed. The message has the next step."""


class CardError(DriverError):
    """A card is required and cannot be used, because of the finding."""

    def __init__(self, finding: diagnosis.Finding) -> None:
        super().__init__(f"{finding.name}: {finding.problem}. Next: {finding.fix}")
        self.finding = finding


@dataclass(frozen=True)
class Goal:
    """The desired driver; see the options of the module nvidia_driver."""

    required: bool = False
    branch: int | None = None
    minimum: int = 550
    components: Sequence[str] = ()
    repositories: Sequence[apt_sources.Repository] = ()
    packages: Sequence[str] = (facts.TOOLKIT,)


@dataclass(frozen=True)
class State:
    """The state of a machine: the facts, what the steps change, and apt's view of the world.

    Attributes:
        targets, sources: the lists that apt has downloaded, and the entries of its files.
        offered: the versions that apt offers of each driver and of kernel headers. Not read if the driver stays.
        kernels: the suffixes of the kernel's metapackages.
        efi: whether the machine was started by UEFI firmware.
    """

    facts: facts.Facts
    now: Now = field(default_factory=Now)
    targets: Sequence[apt_sources.Target] = ()
    sources: Sequence[sources_of_apt.Source] = ()
    offered: Mapping[str, Sequence[str]] = field(default_factory=dict)
    kernels: Sequence[str] = ()
    efi: bool = False


def _run(command: Sequence[str]) -> tuple[int, str, str]:
    return attempt(command, timeout_s=COMMAND_S)


class Driver:
    """The driver of this machine's cards."""

    def __init__(self, goal: Goal, run: jobs.Run = _run) -> None:
        """`run` runs a command."""
        self.goal, self.run = goal, run
        self.load_failure: str | None = None
        """The output of an attempt to load the driver, None before one that failed."""

    def ensure(self, check_mode: bool) -> dict[str, Any]:
        """Install and load the driver, if the machine has a card; in check mode, predict that.

        Returns:
            The module's result, with `pending` and `units` while a job still runs.

        Raises:
            ResourceError: apt cannot read its sources, offers no driver for the cards, or fails; or a card is required
            and cannot be used for another reason than a missing reboot.
        """
        outcomes: list[Outcome[State, Step]] = []
        if not check_mode:
            outcomes.append(converge(self.sources(), check_mode))
        if not any(outcome.pending for outcome in outcomes):
            outcomes.append(converge(self.resource(), check_mode))
        last = outcomes[-1]
        made = [step for outcome in outcomes for step in outcome.changes]
        if not check_mode and not last.pending and last.after.facts.loaded is None:
            made = [step for step in made if step != LOAD]
        return {
            **last.result(),
            "changed": bool(made),
            "changes": [str(step) for step in made],
            "diff": [part for outcome in outcomes for part in outcome.result()["diff"]],
            **({} if check_mode or last.pending else self._warnings(last.after)),
        }

    def _warnings(self, state: State) -> dict[str, list[str]]:
        finding = diagnosis.driver_finding(state.facts, self.goal.minimum)
        if finding is None or not state.facts.cards:
            return {}
        error = CardError(finding)
        if self.goal.required and not finding.reboot:
            raise error
        again = ", then run this again" if finding.reboot else ""
        return {"warnings": [f"The NVIDIA card is not used yet. {error}{again}. Until then the processor is used."]}

    def sources(self) -> Resource[State, Step]:
        """Return apt's sources as a resource."""
        return replace(
            self.resource(),
            read=self._read,
            plan=lambda state: plan_sources(state.now, self._sources(state)) if state.facts.cards else [],
        )

    def resource(self) -> Resource[State, Step]:
        """Return the driver as a resource, with apt's sources."""
        return Resource(
            read=self.read,
            plan=self.plan,
            predict=self.predict,
            write=self.write,
            show=self.show,
            diff=lambda before, after: diff(before.now, after.now),
            refused="apt reported success, but the driver's packages and files differ.",
            advice=f"Next: read its output in {jobs.LOG_FOLDER}/tars-apt.log",
            probe=Probe(self.command(), self._probe),
        )

    def command(self) -> list[str]:
        """Return the command that reads the state; with a card, also of apt and the files."""
        further = [
            ["sh", "-c", shlex.join(apt_sources.command()) + " 2>&1"],
            ["sh", "-c", sources_of_apt.READ_SCRIPT],
            ["sh", "-c", _LISTS_SCRIPT],
            ["sh", "-c", _KEYS_SCRIPT, "sh", *(repository.key for repository in self.goal.repositories)],
            ["sh", "-c", _INITRD_SCRIPT],
            facts.package_query(self.goal.packages) if self.goal.packages else ["true"],
            *(["cat", path] for path in FILES),
        ]
        if_card = f"if grep -qsi {cards.VENDOR:x} {cards.BUS}/*/vendor; then {combined(*further)[2]}; fi"
        return ["sh", "-c", f"{combined(*facts.commands())[2]}; {if_card}"]

    def _parse(self, output: str) -> State:
        """Return the state by the output of `command`, without what explains or replaces a driver.

        Raises:
            DriverError: apt cannot read its sources.
        """
        results = parts(output)
        number = len(facts.commands())
        seen = facts.parse(results[:number])
        if not seen.cards:
            return State(seen)
        listed, entries, lists, keys, initrd, packages, *texts = results[number:]
        if listed.status != 0:
            raise DriverError(
                f"apt cannot read its sources: {listed.output.strip()}\nNext: correct the entry that apt names, then "
                f"run again. The file of this module is {apt_sources.FILE}; it may be removed."
            )
        targets = apt_sources.parse(listed.output)
        own = [os.path.basename(target.file) for target in targets if apt_sources.own(target)]
        names = lists.output.splitlines()
        present = {path: file_text(text) for path, text in zip(FILES, texts) if text.status == 0}  # Python 3.9
        now = Now(
            files={**present, **dict.fromkeys(keys.output.splitlines(), "")},
            lists=bool(own) and all(any(name.startswith(target) for name in names) for target in own),
            installed={**seen.packages, **facts.parse_packages(packages.output)},
            initrd=_current(initrd),
            loaded=seen.loaded is not None,
            free=all(card.driver in (None, "nvidia") for card in seen.cards),
            refused=self.load_failure is not None,
        )
        return State(seen, now, targets, sources_of_apt.parse_files(entries.output))

    def _probe(self, status: int, output: str) -> State | None:
        """Return the state by the output of `command`; None if there is more to read."""
        if status != 0:
            return None
        state = self._parse(output)
        return None if state.facts.cards and self._kept(state) is None else state

    def _read(self) -> State:
        """Return the state, without what replaces a driver."""
        state = self._parse(self.run(self.command())[1])
        return replace(state, facts=facts.explained(self.run, state.facts, self.load_failure or ""))

    def read(self) -> State:
        """Return the state."""
        state = self._read()
        if not state.facts.cards or self._kept(state) is not None:
            return state
        names = offers.parse_search(self.run(["apt-cache", "--names-only", "search", offers.PATTERN])[1])
        kernels = facts.kernels(self.run(facts.package_query(["linux-image-*"]))[1])
        headers = _headers(state.facts.kernel, kernels)
        offered = offers.parse_madison(self.run(["apt-cache", "madison", *names, *headers])[1])
        query = facts.package_query([*offered, *offers.DEBIAN_EXTRAS, "nvidia-kernel-dkms", "mokutil"])
        installed = {**state.now.installed, **facts.parse_packages(self.run(query)[1])}
        return replace(
            state,
            now=replace(state.now, installed=installed),
            offered=offered,
            kernels=kernels,
            efi=os.path.isdir("/sys/firmware/efi"),
        )

    def plan(self, state: State) -> list[Step]:
        """Return the steps in their order; none on a machine without a card.

        Raises:
            CardError: a card is required, and there is none.
            DriverError: apt offers no driver for the cards.
        """
        if not state.facts.cards:
            finding = diagnosis.driver_finding(state.facts, self.goal.minimum)
            if self.goal.required and finding:
                raise CardError(finding)
            return []
        steps = plan_sources(state.now, self._sources(state))
        return [*steps, LATER] if REFRESH in steps else [*steps, *plan_driver(state.now, self._wanted(state))]

    def predict(self, state: State, steps: Sequence[Step]) -> State:
        """Return the state after the steps."""
        installs = any(step.kind == "install" and step != LATER for step in steps)
        return replace(state, now=predict_now(state.now, steps, self._wanted(state).choice if installs else None))

    def _kept(self, state: State) -> int | None:
        """Return the branch of a driver that answers and stays; None for one to be installed."""
        if not state.facts.gpus or diagnosis.driver_finding(state.facts, self.goal.minimum):
            return None
        number = offers.branch(str(state.facts.gpus[0]["driver"]))
        return number if self.goal.branch in (None, number) else None

    def _missing(self, state: State) -> tuple[str, ...]:
        return tuple(name for name in self.goal.packages if name not in state.now.installed)

    def _sources(self, state: State) -> Sources:
        """Return the desired sources of apt."""
        kept = self._kept(state) is not None
        components = () if kept else self.goal.components
        repositories = () if kept and not self._missing(state) else self.goal.repositories
        text = apt_sources.text(state.targets, state.sources, components, repositories)
        if kept:
            # A driver that answers is not replaced, and the own file stays as it is.
            text = text or state.now.files.get(apt_sources.FILE, "")
        return Sources(text, apt_sources.keys(state.sources, repositories))

    def _wanted(self, state: State) -> Wanted:
        """Return the desired driver: the one that answers, or the choice among apt's offers."""
        kept = self._kept(state)
        if kept is not None:
            by_package = any(not name.startswith(facts.TOOLKIT) for name in state.facts.packages)
            return Wanted(offers.Choice(kept, "", ()), self._missing(state), adopted=not by_package)
        candidates = offers.candidates(state.offered, state.kernels)
        needed = cards.common(state.facts.cards, self.goal.minimum)
        choice = offers.choose(candidates, needed, self.goal.branch, state.now.installed)
        if choice is None:
            raise self._no_driver(state, candidates)
        others = list(self.goal.packages)
        if not any(name.startswith("linux-modules-") for name in choice.packages):
            # DKMS builds with the headers of the running kernel, and of later ones.
            others += [name for name in _headers(state.facts.kernel, state.kernels) if name in state.offered]
        if state.efi:
            others.append("mokutil")
        return Wanted(choice, tuple(others))

    def _no_driver(self, state: State, candidates: Sequence[offers.Choice]) -> DriverError:
        needed = cards.common(state.facts.cards, self.goal.minimum)
        first, last = needed.first, needed.last
        span = f"{first} or newer" if last is None else f"{first} to {last}"
        offered = ", ".join(sorted({f"{choice.branch} ({choice.flavour})" for choice in candidates})) or "none"
        branch = f", and nvidia_branch is {self.goal.branch}" if self.goal.branch else ""
        return DriverError(
            f"{cards.described(state.facts.cards)}: found the drivers {offered} in apt's lists, expected branch "
            f"{span}{branch}, in the flavour "
            f"{' or '.join(needed.flavours) or 'that no branch has any more'}. Next: "
            "use NVIDIA's own repository (nvidia_driver_source: nvidia), choose another branch, or do not use the card."
        )

    def show(self, state: State) -> dict[str, Any]:
        """Return the state as return values."""
        finding = diagnosis.driver_finding(state.facts, self.goal.minimum)
        seen = state.facts
        return {
            "cards": [
                {"slot": card.slot, "device": f"{card.device:04x}", "driver": card.driver} for card in seen.cards
            ],
            "generation": cards.common(seen.cards, self.goal.minimum).name,
            "driver": str(seen.gpus[0]["driver"]) if seen.gpus else "",
            "reboot_required": bool(finding and finding.reboot),
            "finding": diagnosis.plain(finding) if finding else {},
        }

    def write(self, steps: Sequence[Step]) -> Pending | None:
        """Carry out steps; Pending while a job of one of them runs.

        Raises:
            DriverError: a key cannot be fetched, or a job failed.
        """
        for step in steps:
            pending = self._write(step)
            if pending is not None:
                return pending
        return None

    def _write(self, step: Step) -> Pending | None:
        if step.kind == "fetch":
            files.write_file(step.subject, _fetch(step.text))
        elif step.kind == "write":
            files.write_file(step.subject, step.text)
        elif step.kind == "remove":
            files.remove(step.subject)
        elif step == REFRESH:
            keys = [repository.key for repository in self.goal.repositories]
            return self._job("tars-apt", apt_sources.refresh_command(keys))
        elif step.kind == "install":
            return self._job("tars-apt", apt.install_command(step.subject.split(), recommends=False))
        elif step.kind == "initramfs":
            return self._job("tars-initramfs", ["sh", "-c", 'exec update-initramfs -u -k "$(uname -r)"'])
        elif step == LOAD:
            status, output, errors = self.run(["modprobe", "nvidia"])
            self.load_failure = f"{output}{errors}".strip() if status else ""
        return None

    def _job(self, unit: str, command: Sequence[str]) -> Pending | None:
        job = jobs.Job(unit, tuple(command), apt.ENVIRONMENT)
        try:
            running = not jobs.begin(self.run, job) or bool(jobs.attend(self.run, [job]))
        except jobs.JobError as error:
            raise DriverError(f"{error}\nNext: correct what it names, then run again.") from error
        line = "".join(jobs.tail(job, 1)) or f"{unit} starts"
        return Pending({"pending": [line], "units": [unit]}) if running else None


def _fetch(url: str) -> bytes:
    try:
        with open_url(url, timeout=30) as response:
            key: bytes = response.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DriverError(
            f"{url}: the key cannot be fetched: {error}. Next: check that the machine reaches it, then run again."
        ) from error
    return key


def _headers(kernel: str, kernels: Sequence[str]) -> list[str]:
    """Return the packages with the headers of the running kernel, and of later ones."""
    return [f"linux-headers-{name}" for name in (kernel, *kernels)]


def _current(initrd: Part) -> bool:
    """Return whether the initial RAM disk is not older than the file about nouveau, or one of them is absent."""
    times = [float(line) for line in initrd.output.split()]
    return len(times) < 2 or times[0] >= times[1]
