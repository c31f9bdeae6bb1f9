# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutated files of every format: each is read or has a reason, within the limits, and the next one is read.

`TARS_FUZZ_INPUTS=10000` sets the number of inputs over all formats, `TARS_FUZZ_SEED` another series.
"""

from __future__ import annotations

import os
import random
import time
import zipfile
from contextlib import suppress
from dataclasses import replace
from io import BytesIO

import pytest

from tars_app.documents.parsers import process
from tars_app.documents.parsers.confinement import Limits
from tars_app.documents.parsers.model import Parsed, UnreadableError
from tars_app.documents.parsers.registry import FORMATS, Format
from tars_app.kit.text import storable

from .samples import SAMPLES

INPUTS = int(os.environ.get("TARS_FUZZ_INPUTS", "150"))
SEED = os.environ.get("TARS_FUZZ_SEED", "1")
LIMITS = Limits(memory_bytes=768 * 1024**2, processor_s=20, wall_s=60, output_bytes=16 * 1024**2)
INTERESTING = (b"\x00", b"\xff" * 8, b"-1", b"9" * 20, b"<" * 50, b"(" * 50, b"[" * 5000, b"\r", b"%s", b"\xef\xbb\xbf")


def mutate(source: random.Random, content: bytes, others: list[bytes]) -> bytes:
    """Return a file with one to six faults; of an archive, often faults within one of its members."""
    if zipfile.is_zipfile(BytesIO(content)) and source.random() < 0.7:
        return _mutate_member(source, content, others)
    for _ in range(source.randint(1, 6)):
        content = _fault(source, content, others)
    return content


def _mutate_member(source: random.Random, content: bytes, others: list[bytes]) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        chosen = source.choice(names)
        for name in names:
            member = old.read(name)
            new.writestr(name, mutate(source, member, others) if name == chosen else member)
    return out.getvalue()


def _fault(source: random.Random, content: bytes, others: list[bytes]) -> bytes:
    at = source.randrange(len(content) + 1)
    until = min(len(content), at + source.choice((1, 2, 8, 64, 4096)))
    kind = source.randrange(6)
    if kind == 0:
        return content[:at] + source.randbytes(until - at) + content[until:]
    if kind == 1:
        return content[:at]
    if kind == 2:
        return content[:at] + content[until:]
    if kind == 3:
        return content[:at] + content[at:until] * source.choice((2, 10, 100)) + content[until:]
    if kind == 4:
        other = source.choice(others)
        return content[:at] + other[source.randrange(len(other)) :] + content[until:]
    return content[:at] + source.choice(INTERESTING) + content[until:]


def parse_in_time(name: str, content: bytes) -> Parsed:
    """Parse a file; it may not take much longer than its limit.

    Recognition has no such limit: everything else on the computer precedes it, also other tests.
    """
    started = time.monotonic()
    try:
        return process.parse(name, content, LIMITS)
    finally:
        assert time.monotonic() - started < 2 * LIMITS.wall_s, "it took longer than its limit"


def test_every_format_has_a_sample() -> None:
    assert set(SAMPLES) == {form.name for form in FORMATS}


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_mutated_file_ends_in_one_clear_state(form: Format) -> None:
    source = random.Random(f"{SEED} {form.name}")
    others = list(SAMPLES.values())
    name = f"file{form.suffixes[0]}"
    for number in range(max(1, INPUTS // len(FORMATS))):
        of_own_format = number % 10 or len(others) == 1
        content = mutate(source, SAMPLES[form.name] if of_own_format else source.choice(others), others)
        try:
            parsed = parse_in_time(name, content)
            if form.is_picture and parsed.scanned and number % 4 == 0:  # which takes long
                process.recognize(name, content, parsed.scanned[-1], replace(process.RECOGNITION, processor_s=20))
        except UnreadableError as error:
            outcome = str(error)
            assert outcome == storable(outcome) and outcome.endswith("."), f"input {number}: {outcome!r}"
        else:
            assert all(section.text == storable(section.text) for section in parsed.sections), f"input {number}"


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_sample_is_read_after_all_that(form: Format) -> None:
    with suppress(UnreadableError):  # some formats are read without their end
        process.parse(f"file{form.suffixes[0]}", SAMPLES[form.name][:-20], LIMITS)
    parsed = process.parse(f"file{form.suffixes[0]}", SAMPLES[form.name], LIMITS)
    assert parsed.sections or parsed.scanned
