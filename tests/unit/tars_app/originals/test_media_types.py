# SPDX-License-Identifier: GPL-3.0-or-later
"""The media type and the name of a download."""

from __future__ import annotations

import pytest

from tars_app.documents.parsers.registry import SUFFIXES
from tars_app.originals.media_types import UNKNOWN, attachment, media_type


def test_every_format_that_is_read_has_a_media_type() -> None:
    assert [suffix for suffix in sorted(SUFFIXES) if media_type(f"A{suffix.upper()}") == UNKNOWN] == []
    assert media_type("a.exe") == UNKNOWN


@pytest.mark.parametrize(
    ("name", "plain", "encoded"),
    [
        ("lease.pdf", "lease.pdf", "lease.pdf"),
        ("M\u00fcller.pdf", "M_ller.pdf", "M%C3%BCller.pdf"),
        ('a"; b\\c/d.pdf', "a_; b_c_d.pdf", "a_%3B%20b_c_d.pdf"),
        ("a\r\nSet-Cookie: x.pdf", "a__Set-Cookie: x.pdf", "a__Set-Cookie%3A%20x.pdf"),
        ("a\u202efdp.exe", "a_fdp.exe", "a_fdp.exe"),
    ],
)
def test_a_name_is_one_name_whatever_it_contains(name: str, plain: str, encoded: str) -> None:
    assert attachment(name) == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
