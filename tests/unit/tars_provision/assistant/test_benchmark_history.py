# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of benchmarks as people see it."""

import io
import json
from pathlib import Path

from rich.console import Console

from tars_provision.assistant import benchmark_history

RUN = {
    "time": "2026-11-22T10:00:00+00:00",
    "model": "llama3.1:8b",
    "identity": {"quantisation": "Q4_K_M"},
    "load_s": 4.2,
    "resident": {"size_bytes": 8, "size_vram_bytes": 6},
    "summary": {
        "ttft_s": {"mean": 0.31},
        "prefill_tps": {"mean": 2283.6},
        "decode_tps": {"mean": 57.1, "sd": 0.4},
    },
    "objections": ["fall-back to the processor"],
}


def test_the_table_shows_speed_spread_residency_and_verdict() -> None:
    text = io.StringIO()
    Console(file=text, width=120).print(benchmark_history.table([RUN]))
    line = text.getvalue().splitlines()[-1]
    for part in ("2026-11-22 10:00", "llama3.1:8b Q4_K_M", "0.31 s", "2284", "57.1 ± 0.4", "4.2 s", "75 %", "fails"):
        assert part in line


def test_the_history_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert benchmark_history.history(tmp_path) == []
    path = benchmark_history.history_file(tmp_path)
    path.parent.mkdir()
    path.write_text(f"{json.dumps(RUN)}\n{json.dumps(RUN)}\n")
    assert benchmark_history.history(tmp_path) == [RUN, RUN]


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    later = {**RUN, "time": "2026-11-29T10:00:00+00:00", "objections": []}
    benchmark_history.plot([RUN, later], tmp_path / "decode.png")
    picture = (tmp_path / "decode.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n")
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    assert (width, height) == (960, 540)
