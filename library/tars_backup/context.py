# SPDX-License-Identifier: GPL-3.0-or-later
"""What an action and its components work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .configuration import Configuration
from .contract import Contract
from .deadline import Deadline
from .services import Services

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Context:
    """Configuration, services and the time limit of one command; `progress` takes a line about the current step."""

    configuration: Configuration
    contract: Contract
    services: Services
    deadline: Deadline
    progress: Progress
