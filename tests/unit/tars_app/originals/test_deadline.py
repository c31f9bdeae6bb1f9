# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that hang are given up, and take a bounded number of threads."""

from __future__ import annotations

import threading

import pytest

from tars_app.adapters.deadline import Deadline, LateError


def test_a_call_returns_its_result_or_raises_its_error() -> None:
    deadline = Deadline(60)
    assert deadline.call(lambda: 7) == 7

    def fail() -> None:
        raise TimeoutError("of the NAS")

    with pytest.raises(TimeoutError, match="of the NAS"):
        deadline.call(fail)


def test_a_call_that_hangs_is_given_up_and_its_result_is_handed_over() -> None:
    released, handed_over = threading.Event(), threading.Event()
    results: list[str] = []

    def late(result: str) -> None:
        results.append(result)
        handed_over.set()

    with pytest.raises(LateError):
        Deadline(0.05).call(lambda: "the descriptor" if released.wait(60) else "", late=late)
    assert results == []
    released.set()
    assert handed_over.wait(60) and results == ["the descriptor"]


def test_hung_calls_are_few_and_others_are_refused_until_they_return() -> None:
    released = threading.Event()
    deadline = Deadline(0.05, most=2)
    before = threading.active_count()
    for _ in range(5):
        with pytest.raises(LateError):
            deadline.call(lambda: released.wait(60))
    assert threading.active_count() - before <= 2
    released.set()
    patient = Deadline(60, most=1)
    patient._free = deadline._free  # the same calls, for a caller that has time
    assert patient.call(lambda: "again") == "again"
