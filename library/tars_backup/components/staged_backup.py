# SPDX-License-Identifier: GPL-3.0-or-later
"""The staged folder of a backup, with a folder for each component."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

from .. import manifest
from ..context import Context
from ..errors import BackupError
from ..manifest import Part
from . import Component
from .staging import Staging


class StagedBackup:
    """Stages the components of a backup, and checks them."""

    def __init__(self, context: Context, components: Sequence[Component]) -> None:
        """Stage nothing yet."""
        self._context = context
        self._components = components
        self._folder = context.configuration.staging
        self._parts: dict[str, Part] = {}
        self._problems: list[BackupError] = []
        self._staged: list[Staging] = []

    def stage(self) -> None:
        """Stage all components, also after one that fails, which checked() reports."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder.chmod(0o700)
        self._clear()
        for component in self._components:
            self._context.progress(f"staging {component.name}")
            folder = self._folder / component.name
            try:
                staged = Staging(folder)
                counts = component.stage(self._context, staged)
                staged.finish()
                part = manifest.part_of(folder, staged.digests, staged.size, counts, derived=component.derived)
            except BackupError as error:
                self._problems.append(error)
            except OSError as error:
                problem = BackupError(error.filename or folder, found=error.strerror, expected="a staged file")
                self._problems.append(problem)
            else:
                self._parts[component.name] = part
                self._staged.append(staged)

    def checked(self, proven: Mapping[str, Part]) -> dict[str, Part]:
        """Check the staged files, and return the components' entries of the manifest.

        Those of the newest backup are `proven`: equal files with equal counts have passed the check already.

        Raises:
            BackupError: a component cannot be saved; the message names each that fails.
        """
        problems = list(self._problems)
        for component in self._components:
            part = self._parts.get(component.name)
            if part is None or part == proven.get(component.name):
                continue
            wrong = component.check(self._folder / component.name, part.counts)
            if wrong:
                expected = "a component that is whole"
                problems.append(BackupError(component.name, found="; ".join(wrong), expected=expected))
        if len(problems) > 1:
            raise BackupError("components", found="; ".join(map(str, problems)), expected="all components staged")
        if problems:
            raise problems[0]
        return self._parts

    def altered(self) -> list[str]:
        """Return the paths of what was added, replaced, removed or written to since it was staged."""
        return [str(staged.folder / name) for staged in self._staged for name in staged.altered()]

    def _clear(self) -> None:
        """Remove what does not belong to a component, such as the files of a run that was killed."""
        names = {component.name for component in self._components}
        for path in self._folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                if path.name not in names:
                    shutil.rmtree(path)
            else:
                path.unlink()
