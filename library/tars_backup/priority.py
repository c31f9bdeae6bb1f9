# SPDX-License-Identifier: GPL-3.0-or-later
"""Leave the processor to questions: what a run of the timer starts elsewhere has its low priority too.

The unit of the timer gives the program the scheduling policy "idle": it runs while nobody else wants the processor, and
is interrupted at once. The programs that it starts inherit that, but those in containers and the server processes of
the database do not. They would go on with the priority of the questions.

What has to answer within seconds keeps the usual priority, as it does little: on a busy desktop, it would be taken for
a share that does not answer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

_LOWERED = 'chrt -i -p 0 "$$" >/dev/null 2>&1; exec "$@"'
"""A container without this program, or that forbids it, keeps its priority: nothing else depends on it."""


def is_low() -> bool:
    """Return whether this process runs only while nobody else wants the processor."""
    return os.sched_getscheduler(0) == os.SCHED_IDLE


def lowered(command: Sequence[str]) -> list[str]:
    """Return a command that runs with the priority of this process if that is low."""
    return ["sh", "-c", _LOWERED, "sh", *command] if is_low() else list(command)


@contextmanager
def usual() -> Iterator[None]:
    """Give this thread, and what it starts within the block, the usual priority instead of a low one, where it may."""
    if not is_low():
        yield
        return
    with suppress(PermissionError):  # the kernel does not let each user leave a low priority: it stays low then
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def processors() -> int:
    """Return the number of processors that one program of a run with low priority uses: half of them."""
    return max(1, (os.cpu_count() or 1) // 2)
