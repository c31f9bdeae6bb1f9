# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are written whole or not at all, by one function."""

from __future__ import annotations

import ast
import errno
import os
from pathlib import Path

import pytest

from tars_provision import files
from tars_provision.errors import ProvisionError

LIBRARY = Path(files.__file__).parents[1]
RENAMES = {
    "tars_provision/files.py": "the one atomic write",
    "tars_lab/base.py": "renames a whole tree",
    "tars_lab/machine.py": "renames a whole tree",
    "tars_lab/dsm_twin/effects.py": "renames a share, as DSM does",
    "tars_lab/dsm_twin/state.py": "runs inside a machine, without the rest of the library",
    "tars_lab/model_server/api.py": "renames an upload once its digest is right",
    "tars_lab/model_server/store.py": "runs inside a container, without the rest of the library",
    "tars_lab/restic.py": "renames a download once it is complete",
    "tars_provision/recovery/folder.py": "keeps the sample spec that a recovered one replaces",
    "tars_lab/model_server/transfer.py": "renames a download once its digest is right",
}
"""Modules that rename files, and why."""


def renames(path: Path) -> bool:
    """Return whether a module calls os.rename, os.replace, or the methods of a path that do the same."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("rename", "replace")
        and (len(node.args) == 1 or ast.unparse(node.func.value) == "os")
        and not node.keywords
        for node in ast.walk(ast.parse(path.read_text()))
    )


def test_the_library_has_one_atomic_write() -> None:
    own = [path for path in sorted(LIBRARY.rglob("*.py")) if not path.is_relative_to(LIBRARY / "tars_backup")]
    assert [str(path.relative_to(LIBRARY)) for path in own if renames(path)] == sorted(RENAMES)


def test_a_failure_keeps_the_old_content_and_leaves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new/file"
    files.write_atomic(path, b"old", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ProvisionError, match=r"file: found No space left on device; .* Free disk space"):
        files.write_atomic(path, b"new")
    assert path.read_bytes() == b"old" and list(path.parent.iterdir()) == [path]
