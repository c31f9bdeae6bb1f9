# SPDX-License-Identifier: GPL-3.0-or-later
"""The models that find and read lines of text: PP-OCRv6, from the files of the package rapidocr, by ONNX Runtime."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

# From release 1.29 on, ONNX Runtime reports its use to its maker unless this is set when it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

_DETECTION, _READING = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
LINE_HEIGHT = 48
"""Of the lines that the model reads, in pixels."""
_STEP = 32
"""The sides of a page are multiples of it."""
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ReadLine:
    """The text of a line, the place of each character as a share of its length, and the mean certainty (0..1)."""

    text: str
    places: tuple[float, ...]
    certainty: float


class Models:
    """Both models, loaded when they are used first: their threads belong to the process that does so."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    @cached_property
    def _detection(self) -> onnxruntime.InferenceSession:
        return _session(_DETECTION, self._threads)

    @cached_property
    def _reading(self) -> onnxruntime.InferenceSession:
        return _session(_READING, self._threads)

    @cached_property
    def _characters(self) -> list[str]:
        written = self._reading.get_modelmeta().custom_metadata_map["character"]
        return ["", *written.split("\n"), " "]

    def likelihood(self, page: Picture) -> npt.NDArray[np.float32]:
        """Return for each point of a page (height x width x 3, sides multiples of 32) whether a line is there."""
        [result] = self._detection.run(None, {"x": _normalized(page)})
        return np.asarray(result[0, 0], np.float32)

    def read(self, line: Picture) -> ReadLine:
        """Return the text of a line (48 x width x 3)."""
        [[likelihood]] = self._reading.run(None, {"x": _normalized(line)})
        best = likelihood.argmax(axis=1)
        steps = np.flatnonzero((best != 0) & (np.diff(best, prepend=-1) != 0))
        certainties = likelihood[steps, best[steps]]
        text = "".join(self._characters[number] for number in best[steps])
        places = tuple(((steps + 0.5) / len(best)).tolist())
        return ReadLine(text, places, float(certainties.mean()) if len(steps) else 0.0)


def side(pixels: float) -> int:
    """Return the length of the side of a page that the model takes, nearest to this one."""
    return max(_STEP, round(pixels / _STEP) * _STEP)


def _session(name: str, threads: int) -> onnxruntime.InferenceSession:
    # The package is not imported: it would need others, and only its models are used.
    package = find_spec("rapidocr")
    if package is None or package.origin is None:
        raise ImportError("the package rapidocr is missing")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # which would keep the most that was ever used
    options.log_severity_level = 4
    path = Path(package.origin).parent / "models" / name
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _normalized(picture: Picture) -> npt.NDArray[np.float32]:
    values = picture[..., ::-1].astype(np.float32)  # blue, green, red
    values /= 127.5
    values -= 1.0
    return np.ascontiguousarray(values.transpose(2, 0, 1)[np.newaxis])
