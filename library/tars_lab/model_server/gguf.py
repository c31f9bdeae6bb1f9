# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the header of a GGUF file (versions 2 and 3): metadata and the number of parameters.

Layout: ggml-org/ggml docs/gguf.md. Little-endian: magic, version u32, tensor count u64, metadata count u64,
metadata (key, value type u32, value), then one record per tensor (name, dimensions, type, offset).
"""

import math
import struct
from pathlib import Path
from typing import Any, BinaryIO

Value = str | int | float | bool | None

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9

FILE_TYPES = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 15: "Q4_K_M", 17: "Q5_K_M", 18: "Q6_K"}
"""Names of the quantizations, by general.file_type, for common types."""


def read_metadata(path: Path) -> dict[str, Value]:
    """Return the metadata by key; arrays (the vocabulary) are None, as in answers of /api/show that are not verbose.

    ``general.parameter_count`` is computed from the tensors' shapes. Raises ValueError if the file is not GGUF.
    """
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ValueError(f"{path}: not a GGUF file")
        version, tensors, entries = struct.unpack("<IQQ", file.read(20))
        if version not in (2, 3):
            raise ValueError(f"{path}: found GGUF version {version}, expected 2 or 3")
        metadata: dict[str, Value] = {}
        for _ in range(entries):
            key = _read_string(file)
            metadata[key] = _read_value(file, _read_scalar(file, "<I"))
        metadata["general.parameter_count"] = sum(_read_tensor_size(file) for _ in range(tensors))
    return metadata


def _read_scalar(file: BinaryIO, layout: str) -> Any:
    (value,) = struct.unpack(layout, file.read(struct.calcsize(layout)))
    return value


def _read_string(file: BinaryIO) -> str:
    length: int = _read_scalar(file, "<Q")
    return file.read(length).decode("utf-8", "replace")


def _read_value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _read_string(file)
    if kind == _ARRAY:
        element, length = struct.unpack("<IQ", file.read(12))
        if element in _SCALARS:
            file.seek(length * struct.calcsize(_SCALARS[element]), 1)
        else:
            for _ in range(length):
                _read_value(file, element)
        return None
    return _read_scalar(file, _SCALARS[kind])


def _read_tensor_size(file: BinaryIO) -> int:
    _read_string(file)
    dimensions: int = _read_scalar(file, "<I")
    shape = struct.unpack(f"<{dimensions}Q", file.read(8 * dimensions))
    file.seek(12, 1)
    return math.prod(shape)
