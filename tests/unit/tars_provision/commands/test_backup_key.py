# SPDX-License-Identifier: GPL-3.0-or-later
"""The key of the backups, and the comparison of a kept copy."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from tars_provision.commands import backup_key
from tars_provision.controller import vault


@pytest.fixture
def site(tmp_path: Path, own_home: Path) -> Path:
    """Return a site with a vault."""
    vault.ensure(tmp_path)
    return tmp_path


def test_the_key_is_printed_alone(site: Path) -> None:
    key = backup_key.print_key(site)
    assert key.as_data() == {"key": vault.read(site)["backup_key"]} and len(key.key) == 32
    console = Console(record=True, width=10)
    key.show(console)
    assert console.export_text() == f"{key.key}\n"


def test_a_site_without_a_key_is_an_error_that_names_init(tmp_path: Path, own_home: Path) -> None:
    with pytest.raises(backup_key.KeyDiffersError, match=r"found no backup_key; .* init -i "):
        backup_key.print_key(tmp_path)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda key: "?" + key[1:], "character 1 is another one"),
        (lambda key: key[:-1] + "?", "character 32 is another one"),
        (lambda key: key[:-1], "it has 31 characters"),
        (lambda key: "", "it has 0 characters"),
    ],
)
def test_a_wrong_copy_is_refused_with_the_place_and_without_the_key(site: Path, change: object, where: str) -> None:
    assert callable(change)
    key = vault.read(site)["backup_key"]
    with pytest.raises(backup_key.KeyDiffersError, match=where) as caught:
        backup_key.verify(site, change(key), Console())
    assert key not in str(caught.value)
