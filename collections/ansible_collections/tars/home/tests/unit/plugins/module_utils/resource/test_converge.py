# SPDX-License-Identifier: GPL-3.0-or-later
from collections.abc import Callable, Iterator, Sequence
from typing import Optional

import pytest
from ansible_collections.tars.home.plugins.module_utils.dsm.errors import ConnectionLostError, DsmError
from ansible_collections.tars.home.plugins.module_utils.resource.converge import Outcome, Resource, converge
from ansible_collections.tars.home.plugins.module_utils.resource.errors import Incomplete

WANTED = {"a", "b"}


class Box:
    """Something with content; `write` adds to it as `behave` decides."""

    def __init__(self, behave: Callable[[str, int], Optional[DsmError]]) -> None:
        self.content: set[str] = set()
        self.behave = behave
        self.writes: list[str] = []

    def write(self, change: str) -> None:
        self.writes.append(change)
        error = self.behave(change, len(self.writes))
        if error is None or (isinstance(error, ConnectionLostError) and "done" in str(error)):
            self.content.add(change)
        if error is not None:
            raise error

    def read(self) -> set[str]:
        return set(self.content)

    def run(self, check_mode: bool = False, take_back: Callable[[], None] = lambda: None) -> Outcome[set[str], str]:
        def model(state: set[str], changes: Sequence[str]) -> set[str]:
            return state | set(changes)

        def write(changes: Sequence[str]) -> None:
            for change in changes:
                self.write(change)

        resource = Resource(
            read=self.read,
            plan=lambda state: sorted(WANTED - state),
            predict=model,
            write=write,
            show=lambda state: {"content": sorted(state)},
            undo=take_back,
        )
        return converge(resource, check_mode)


def test_changes_are_made_and_read_back() -> None:
    outcome = Box(lambda change, n: None).run()
    assert (outcome.before, outcome.after, outcome.changes) == (set(), WANTED, ["a", "b"])


def test_check_mode_shows_the_same_and_writes_nothing() -> None:
    box = Box(lambda change, n: None)
    outcome = box.run(check_mode=True)
    assert (outcome.after, outcome.changes, box.writes) == (WANTED, ["a", "b"], [])


def test_nothing_to_do_writes_nothing() -> None:
    box = Box(lambda change, n: None)
    box.content = set(WANTED)
    assert box.run().changes == []
    assert box.writes == []


def test_a_change_whose_answer_was_lost_is_found_and_not_repeated() -> None:
    box = Box(lambda change, n: ConnectionLostError("lost, but done") if n == 1 else None)
    assert box.run().after == WANTED
    assert box.writes == ["a", "b"]


def test_a_change_that_was_lost_altogether_is_made_again() -> None:
    box = Box(lambda change, n: ConnectionLostError("lost") if n == 1 else None)
    assert box.run().after == WANTED
    assert box.writes == ["a", "a", "b"]


def test_patience_with_lost_answers_ends() -> None:
    box = Box(lambda change, n: ConnectionLostError("lost for good."))
    with pytest.raises(Incomplete, match=r"lost for good\. Still to do: a; b"):
        box.run()
    assert len(box.writes) == 3


def test_a_yes_without_effect_is_a_failure_and_no_change() -> None:
    box = Box(lambda change, n: None)
    box.content = _Unchanging()
    with pytest.raises(Incomplete, match=r"reading back shows otherwise\. Still to do: a; b") as caught:
        box.run()
    assert (caught.value.changed, caught.value.done) == (False, [])


def test_what_was_done_before_a_failure_is_reported() -> None:
    with pytest.raises(Incomplete, match="refused") as caught:
        Box(lambda change, n: DsmError("refused") if n == 2 else None).run()
    assert (caught.value.changed, caught.value.done) == (True, ["a"])


def test_what_is_undone_after_a_failure_was_never_changed() -> None:
    box = Box(lambda change, n: DsmError("refused") if n == 2 else None)
    with pytest.raises(Incomplete, match="refused") as caught:
        box.run(take_back=lambda: box.content.clear())
    assert (caught.value.changed, caught.value.done) == (False, [])


def test_what_cannot_be_read_back_is_not_claimed() -> None:
    box = Box(lambda change, n: ConnectionLostError("lost."))
    reads: Iterator[set[str]] = iter([set()])

    def read() -> set[str]:
        for state in reads:
            return state
        raise DsmError("gone")

    box.read = read  # type: ignore[method-assign]  # the NAS disappears after the first reading
    with pytest.raises(Incomplete, match=r"gone Whether this was done is not known: a; b\.") as caught:
        box.run()
    assert (caught.value.changed, caught.value.done) == (True, [])


class _Unchanging(set[str]):
    def add(self, element: str) -> None: ...
