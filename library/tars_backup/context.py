# SPDX-License-Identifier: GPL-3.0-or-later
"""What an action and its components work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import contract
from .configuration import Configuration
from .contract import Contract
from .deadline import Deadline
from .services import DockerServices, Stack

_DEADLINE_S = 6 * 3600.0

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Context:
    """Configuration, services and the time limit of one command; `progress` takes a line about the current step."""

    configuration: Configuration
    contract: Contract
    services: Stack
    deadline: Deadline
    progress: Progress


def opened(configuration: Configuration, progress: Progress) -> Context:
    """Return the context of a command on the desktop: the services of its contract.

    Raises:
        BackupError: the contract cannot be read.
    """
    stack = contract.load(configuration.contract)
    return Context(configuration, stack, DockerServices(stack), Deadline(_DEADLINE_S), progress)
