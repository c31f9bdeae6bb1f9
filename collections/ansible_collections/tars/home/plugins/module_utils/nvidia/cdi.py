# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of the cards for containers (CDI) on this machine, and the units that keep it current."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..resource.change import Change
from ..resource.converge import Probe, Resource
from ..resource.errors import ResourceError
from ..system import files
from ..system.jobs import Run
from ..system.nfs_units import parse_states
from ..system.probing import combined, parts
from ..system.process import attempt
from . import diagnosis, facts, units

UNIT_FOLDERS = ("/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system")
_UNITS_OF_TOOLKIT = [f"{folder}/{units.THEIRS}.service" for folder in UNIT_FOLDERS]
_SHOW_FILES = """
for file; do
    [ ! -f "$file" ] || { printf '\\035%s\\t%s\\n' "$(stat --format=%a "$file")" "$file"; cat "$file"; }
done
"""


class CdiError(ResourceError):
    """A unit failed. The message has the end of its log and the next step."""


@dataclass(frozen=True)
class State:
    """The state of the description and its units.

    Attributes:
        theirs: whether the toolkit has units of its own.
        files: mode and text of each existing file of `units.files`.
        enabled: the enabled ones of `units.units`.
        facts: the facts about cards, driver and description.
        answers: whether the driver answers and is new enough.
    """

    theirs: bool
    files: dict[str, tuple[int, str]]
    enabled: frozenset[str]
    facts: facts.Facts
    answers: bool
    described: bool = field(default=False)


def plan(state: State) -> list[Change]:
    """Return the changes in their order.

    A change is `write` or `remove` of a file, `enable` of a unit, or `describe` the cards.
    """
    changes = []
    for path, (mode, text) in units.files(state.theirs).items():
        if text and state.files.get(path) != (mode, text):
            changes.append(Change("write", path))
        elif not text and path in state.files:
            changes.append(Change("remove", path))
    changes += [Change("enable", unit) for unit in units.units(state.theirs) if unit not in state.enabled]
    if state.answers and not state.described and facts.TOOLKIT in state.facts.packages:
        changes.append(Change("describe", "the cards"))
    return changes


def predict(state: State, changes: Sequence[Change]) -> State:
    """Return the state after the changes."""
    desired = units.files(state.theirs)
    present = dict(state.files)
    for change in changes:
        if change.kind == "write":
            present[change.subject] = desired[change.subject]
        elif change.kind == "remove":
            present.pop(change.subject, None)
    enabled = state.enabled | {change.subject for change in changes if change.kind == "enable"}
    described = state.described or any(change.kind == "describe" for change in changes)
    return replace(state, files=present, enabled=enabled, described=described)


def command() -> list[str]:
    """Return the command that reads the state."""
    names = [*units.units(True), *units.units(False)]
    return combined(
        *facts.commands(),
        ["ls", *_UNITS_OF_TOOLKIT],
        ["sh", "-c", _SHOW_FILES, "sh", *units.files(True)],
        ["systemctl", "show", "--property=Id,ActiveState,UnitFileState", *dict.fromkeys(names)],
    )


def _files(output: str) -> dict[str, tuple[int, str]]:
    """Return mode and text of each file in the output of _SHOW_FILES."""
    present = {}
    for part in output.split("\x1d")[1:]:
        head, _, text = part.partition("\n")
        mode, _, path = head.partition("\t")
        present[path] = (int(mode, 8), text)
    return present


class Cdi:
    """The description on this machine; `minimum` is the lowest sufficient branch of the driver."""

    def __init__(self, minimum: int, run: Run = attempt) -> None:
        """`run` runs a command."""
        self.minimum, self.run = minimum, run

    def read(self) -> State:
        """Return the state."""
        state = self._parse(self.run(command())[1])
        seen = facts.explained(self.run, state.facts)
        return replace(state, facts=seen)

    def _parse(self, output: str) -> State:
        """Return the state by the output of `command`, without the facts that explain a driver that does not answer."""
        *seen, units_of_toolkit, present, states = parts(output)
        theirs = bool(units_of_toolkit.output.strip())
        known = facts.parse(seen)
        return State(
            theirs,
            _files(present.output),
            parse_states(states.output)[0] & frozenset(units.units(theirs)),
            known,
            answers=diagnosis.driver_finding(known, self.minimum) is None,
            described=known.spec is not None and not known.spec.missing,
        )

    def _probe(self, status: int, output: str) -> State | None:
        """Return the state by the output of `command`; None if there is more to read."""
        if status != 0:
            return None
        state = self._parse(output)
        return state if facts.complete(state.facts) else None

    def write(self, changes: Sequence[Change]) -> None:
        """Make changes.

        Raises:
            CdiError: a unit failed, or did not describe the cards.
        """
        theirs = any(os.path.exists(path) for path in _UNITS_OF_TOOLKIT)
        desired = units.files(theirs)
        for change in changes:
            if change.kind == "write":
                mode, text = desired[change.subject]
                files.write_file(change.subject, text, mode)
            elif change.kind == "remove":
                self._systemctl("disable", "--now", os.path.basename(change.subject))
                files.remove(change.subject)
        if any(change.kind in ("write", "remove") for change in changes):
            self._systemctl("daemon-reload")
        for change in changes:
            if change.kind == "enable":
                self._systemctl("enable", change.subject)
                if change.subject.endswith(".path"):
                    self._systemctl("start", change.subject)
            elif change.kind == "describe":
                self._describe(units.refresher(theirs))

    def _systemctl(self, *arguments: str) -> None:
        status, _, errors = self.run(["systemctl", *arguments])
        if status != 0:
            raise CdiError(
                f"systemctl {' '.join(arguments)} failed: {errors.strip()}. Next: journalctl --unit={arguments[-1]}"
            )

    def _describe(self, unit: str) -> None:
        self.run(["systemctl", "restart", f"{unit}.service"])
        spec = facts.find_spec(self.run)
        if spec is None or spec.missing:
            query = ["journalctl", f"--unit={unit}.service", "--lines=5", "--output=cat", "--no-pager"]
            log = self.run(query)[1].strip()
            raise CdiError(f"{unit}.service did not describe the cards: {log}. Next: journalctl --unit={unit}.service")

    def show(self, state: State) -> dict[str, Any]:
        """Return the state as return values."""
        findings = diagnosis.findings(state.facts, self.minimum)
        return {
            "usable": not findings,
            "spec": state.facts.spec.path if state.facts.spec else "",
            "findings": [diagnosis.plain(finding) for finding in findings],
        }

    def resource(self) -> Resource[State, Change]:
        """Return the description as a resource."""
        return Resource(
            read=self.read,
            plan=plan,
            predict=predict,
            write=self.write,
            show=self.show,
            diff=diff,
            probe=Probe(command(), self._probe),
            refused="systemd reported success, but the units or the description differ.",
            advice=f"Next: systemctl status {units.STARTER}.service",
        )


def diff(before: State, after: State) -> list[dict[str, str]]:
    """Return what diff mode shows: the files that differ."""
    shown = []
    for path in units.files(before.theirs):
        old, new = _text(before, path), _text(after, path)
        if old != new:
            shown.append({"before_header": path, "after_header": path, "before": old, "after": new})
    return shown


def _text(state: State, path: str) -> str:
    entry: tuple[int, str] | None = state.files.get(path)
    return entry[1] if entry else ""
