# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a backup: each writes one folder below the staging folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ..context import Context
from .chroma import Chroma
from .configuration import Configuration, Site
from .models import Models
from .postgres import Postgres
from .redis import Redis
from .staging import Staging


class Component(Protocol):
    """One part of a backup.

    A derived component can be rebuilt from the others: it is saved, and does not count when contents are compared.
    """

    @property
    def name(self) -> str:
        """Return the name of the component's folder."""

    @property
    def derived(self) -> bool:
        """Return whether the component can be rebuilt from the others."""

    def stage(self, context: Context, staging: Staging) -> dict[str, int]:
        """Write the component's files and return its counts. The caller finishes the staging.

        Raises:
            BackupError: the component cannot be saved whole.
        """

    def check(self, folder: Path, counts: Mapping[str, int]) -> list[str]:
        """Return what is wrong with a staged or restored folder; needs no services."""


def all_components() -> tuple[Component, ...]:
    """Return the components of a backup, in the order in which they are staged."""
    return (Postgres(), Redis(), Chroma(), Configuration(), Site(), Models())
