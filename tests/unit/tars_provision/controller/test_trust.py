# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded certificates of the NAS."""

from pathlib import Path

import pytest

from tars_provision.controller import trust


def test_another_certificate_is_refused(tmp_path: Path) -> None:
    trust.record(tmp_path, "nas", "ab" * 32)
    trust.record(tmp_path, "nas", "ab" * 32)
    with pytest.raises(trust.TrustError, match=r"found the certificate cdcdcd.*; expected ababab.*init --trust-again"):
        trust.record(tmp_path, "nas", "cd" * 32)
    assert trust.recorded(tmp_path) == {"nas": "ab" * 32}
    trust.record(tmp_path, "nas", "cd" * 32, replace=True)
    assert trust.recorded(tmp_path) == {"nas": "cd" * 32}


@pytest.mark.parametrize(
    "text", ["nas: ab", "nas: {fingerprint: ab}", "[", "nas: {other: x}", "nas: !!int x", "- a", "nas: 2024-13-45"]
)
def test_a_damaged_record_is_reported(tmp_path: Path, text: str) -> None:
    path = trust.recorded_file(tmp_path)
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(trust.TrustError, match=r"dsm\.yml"):
        trust.recorded(tmp_path)


def test_an_address_without_https_is_reported() -> None:
    with pytest.raises(trust.TrustError, match=r"127\.0\.0\.1:9: found no HTTPS .*; expected the certificate"):
        trust.fingerprint("127.0.0.1", 9, timeout_s=2)
