# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of GGUF headers, with generated files."""

import struct
from pathlib import Path

import pytest

from tars_lab.model_server.gguf import read_metadata


def string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def entry(key: str, kind: int, value: bytes) -> bytes:
    return string(key) + struct.pack("<I", kind) + value


def test_metadata_and_parameter_count(tmp_path: Path) -> None:
    entries = [
        entry("general.architecture", 8, string("llama")),
        entry("llama.context_length", 4, struct.pack("<I", 8192)),
        entry("llama.rope.freq_base", 6, struct.pack("<f", 0.5)),
        entry("tokenizer.add_bos", 7, b"\x01"),
        entry("tokenizer.tokens", 9, struct.pack("<IQ", 8, 2) + string("a") + string("bc")),
        entry("tokenizer.types", 9, struct.pack("<IQ3i", 5, 3, 1, 2, 3)),
        entry("after.arrays", 10, struct.pack("<Q", 2**40)),
    ]
    tensors = [
        string("a") + struct.pack("<I2QIQ", 2, 3, 5, 0, 0),
        string("b") + struct.pack("<I1QIQ", 1, 7, 0, 0),
    ]
    path = tmp_path / "m.gguf"
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries))
    path.write_bytes(header + b"".join(entries) + b"".join(tensors))
    assert read_metadata(path) == {
        "general.architecture": "llama",
        "llama.context_length": 8192,
        "llama.rope.freq_base": 0.5,
        "tokenizer.add_bos": True,
        "tokenizer.tokens": None,
        "tokenizer.types": None,
        "after.arrays": 2**40,
        "general.parameter_count": 22,
    }


@pytest.mark.parametrize("content", [b"", b"GGML" + bytes(20), b"GGUF" + struct.pack("<IQQ", 9, 0, 0)])
def test_other_files_are_rejected(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x: (not a GGUF file|found GGUF version 9, expected 2 or 3)"):
        read_metadata(path)
