# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearse a recovery: restore the newest backup to services of its own, fenced off, and compare what they answer."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .. import instants, media, program_lock
from ..components import Component
from ..configuration import Configuration
from ..context import Context
from ..contract import Contract
from ..drilling import report
from ..drilling.fence import Fence, contract_of
from ..drilling.outcome import Outcome
from ..drilling.scratch import Rehearsal
from ..errors import BackupError, NotConnectedError, VerificationError
from ..state import State
from . import restore

COPY_EVERY = 3
"""Of so many drills, one reads the backup from a copy."""

_SUBJECT = "drill"

OpenFence = Callable[[Contract, Contract], Fence]
"""Returns the services of a drill, from the contract of the household's and their own."""


@dataclass(frozen=True)
class Drilled:
    """A drill that passed; or, with `cleaned`, the removal of what one had left.

    Attributes:
        recovery_s: seconds until the restored services had answered.
        age_s: seconds of changes that a loss at this moment would have cost.
        report: file beside the repository; the same name with .json has the details.
    """

    at: datetime
    backup: str
    source: str
    note: str
    recovery_s: float
    age_s: float
    questions: int
    report: Path | None
    cleaned: bool = False

    code = 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        if self.cleaned:
            yield "nothing is left of a drill"
            return
        yield f"{self.backup} from the {self.source} was restored and has answered {self.questions} questions"
        yield f"recovery: {self.recovery_s:.0f} s; age of the data: {self.age_s:.0f} s"
        if self.note:
            yield self.note
        yield f"report: {self.report}"


def drill(
    configuration: Configuration,
    components: Sequence[Component],
    open_context: Callable[[], Context],
    open_fence: OpenFence,
    *,
    copy: str | None = None,
) -> Drilled:
    """Restore the newest backup to services of its own, ask them, and take them down. The living ones are only read.

    Args:
        configuration: of the program.
        components: of a backup; they check the restored files.
        open_context: returns the living services.
        open_fence: returns the services of the drill.
        copy: name of the copy to read; default: the repository on the NAS, or a copy in each third drill.

    Raises:
        VerificationError: the backup differs from what was saved, or the restored services answer otherwise.
        BackupError: a step failed. The report and the record of the drill have the reason.
    """
    with program_lock.held(configuration.state / _SUBJECT, "drill"):
        state = State(configuration.state)
        number = int(state.read(_SUBJECT).get("number", 0)) + 1
        outcome = Outcome(instants.now(), "NAS")
        name = copy or _due_copy(configuration, number, outcome)
        failure = _attempt(configuration, components, open_context, open_fence, name, copy is None, outcome)
        outcome.message = str(failure or "")
        try:
            path = report.write(configuration, outcome)
        except BackupError as error:
            failure, path = failure or error, None
            outcome.message = str(failure)
        record = {name: value for name, value in outcome.document().items() if name in _RECORDED}
        state.write(_SUBJECT, {**record, "number": number, "report": str(path or "")})
    if failure:
        raise failure
    return Drilled(
        at=outcome.at,
        backup=outcome.backup,
        source=outcome.source,
        note=outcome.note,
        recovery_s=outcome.recovery_s or 0,
        age_s=outcome.age_s or 0,
        questions=len(outcome.questions),
        report=path,
    )


_RECORDED = ("at", "ok", "message", "backup", "source", "recovery_s", "age_s")


def clean(configuration: Configuration, open_context: Callable[[], Context], open_fence: OpenFence) -> Drilled:
    """Remove what a drill that was killed has left: containers, network, folders.

    Raises:
        LockedError: a drill runs.
        BackupError: something could not be removed.
    """
    with program_lock.held(configuration.state / _SUBJECT, "drill --clean"):
        living = open_context().contract
        configuration.drill.mkdir(mode=0o711, parents=True, exist_ok=True)
        _remove(configuration, open_fence(living, contract_of(living, configuration.drill)))
        return Drilled(instants.now(), "", "", "", 0, 0, 0, None, cleaned=True)


def _attempt(
    configuration: Configuration,
    components: Sequence[Component],
    open_context: Callable[[], Context],
    open_fence: OpenFence,
    copy: str | None,
    optional: bool,
    outcome: Outcome,
) -> BackupError | None:
    """Carry a drill out and remove its services; return why it failed."""
    try:
        living = open_context()
        contract = _prepared(configuration, living.contract)
        fence = open_fence(living.contract, contract)
        try:
            fence.open()
            with _opened(configuration, copy, optional, outcome) as source:
                chosen = restore.choose(living, "latest", (restore.POSTGRES,), source=source)
                _describe(outcome, chosen, State(configuration.state))
                Rehearsal(living, contract, fence, outcome).carry_out(chosen, components)
        finally:
            _remove(configuration, fence)
    except BackupError as error:
        return error
    except OSError as error:
        return BackupError(error.filename or "drill", found=error.strerror or error, expected="a call that succeeds")
    problems = outcome.problems()
    if problems:
        return VerificationError(
            f"drill with {outcome.backup}",
            found="; ".join(problems),
            expected="the answers and the numbers of the backup",
            next_step="Keep older backups; tars-backup restore --preview shows what one would return",
        )
    return None


def _due_copy(configuration: Configuration, number: int, outcome: Outcome) -> str | None:
    """Return the copy that the drill of this number reads, each in turn; None if it reads the repository on the NAS."""
    if number % COPY_EVERY:
        return None
    names = sorted(configuration.copies)
    if not names:
        outcome.note = "A copy was due, but none is configured."
        return None
    return names[number // COPY_EVERY % len(names)]


@contextmanager
def _opened(
    configuration: Configuration, copy: str | None, optional: bool, outcome: Outcome
) -> Iterator[Configuration]:
    """Yield the configuration of the repository to read; of the one on the NAS if an optional copy is not connected."""
    with ExitStack() as stack:
        try:
            source = stack.enter_context(media.opened(configuration, copy))
        except NotConnectedError:
            if not optional:
                raise
            outcome.note = f"The copy {copy} was due, but is not connected."
            source, copy = configuration, None
        outcome.source = f"copy {copy}" if copy else outcome.source
        yield source


def _prepared(configuration: Configuration, living: Contract) -> Contract:
    """Create the folder of the drill, and return the contract of its services."""
    if configuration.drill.exists():
        shutil.rmtree(configuration.drill)
    # The users of the services must reach their own folders in it.
    configuration.drill.mkdir(parents=True)
    configuration.drill.chmod(0o711)
    for name in ("data", "secrets"):
        (configuration.drill / name).mkdir()
        (configuration.drill / name).chmod(0o711)
    return contract_of(living, configuration.drill)


def _describe(outcome: Outcome, chosen: restore.Chosen, state: State) -> None:
    """Note which backup is restored, and how old the data in it is."""
    outcome.backup, outcome.made_at = chosen.mark.id, chosen.mark.made_at
    outcome.versions = dict(chosen.manifest.versions)
    last = state.read("last_good")
    equal_at = chosen.mark.made_at
    if last.get("id") == chosen.mark.id and "confirmed_at" in last:
        equal_at = max(equal_at, instants.from_text(last["confirmed_at"]))
    outcome.age_s = (outcome.at - equal_at).total_seconds()


def _remove(configuration: Configuration, fence: Fence) -> None:
    fence.close()
    if configuration.drill.exists():
        shutil.rmtree(configuration.drill)
