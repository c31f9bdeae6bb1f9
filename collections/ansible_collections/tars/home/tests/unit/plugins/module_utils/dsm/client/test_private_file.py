# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that holds a session or a device token: private, replaced as a whole, and typed errors."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ansible_collections.tars.home.plugins.module_utils.dsm.client.private_file import PrivateFile
from ansible_collections.tars.home.plugins.module_utils.dsm.errors import DsmError


def test_a_file_is_replaced_and_stays_private(tmp_path: Path) -> None:
    path = tmp_path / "run" / "session.json"
    file = PrivateFile(str(path), "session_file")
    for document in ({"sid": "1"}, {"sid": "2"}):
        file.write(document)
        assert file.read() == document
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_is_explained_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    path.mkdir()
    with pytest.raises(DsmError, match=r"session\.json cannot be used \(Is a directory\)\. Set session_file"):
        PrivateFile(str(path), "session_file").write({})
    assert list(tmp_path.iterdir()) == [path]
