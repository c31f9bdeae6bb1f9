# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers of the stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from .processes import Finished


class Services(Protocol):
    """What the components need of the services; the names are those of the contract."""

    def exec(
        self,
        service: str,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        deadline_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> Finished:
        """Run a program in a service's container and return what it returned."""
