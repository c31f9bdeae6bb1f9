# SPDX-License-Identifier: GPL-3.0-or-later
"""The console that results are printed on."""

from __future__ import annotations

import pytest

from tars_provision.commands.outcome import console_of, line


@pytest.mark.parametrize("text", ["CF:AB:0C", "AA:ID:ON", "[bold]x[/bold]", "a" * 300])
def test_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str], text: str) -> None:
    line(console_of(as_json=False), text)
    assert capsys.readouterr().out == f"{text}\n"
