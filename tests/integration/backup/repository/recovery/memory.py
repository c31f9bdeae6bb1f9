# SPDX-License-Identifier: GPL-3.0-or-later
"""Search the memory of running processes for texts.

    python3 memory.py WORD SECONDS <texts.json

The texts are the values of a JSON object on standard input: as words of a command they would be found everywhere. For
SECONDS, but at least once, the memory of all processes whose command lines contain WORD is searched. Prints a JSON
object: the names of the texts that were found (`found`), and the number of these processes (`processes`).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping

_BLOCK = 1 << 24


def search(word: str, texts: Mapping[str, bytes], seen: set[int]) -> set[str]:
    """Return the names of the texts in the memory of the processes that run now, whose numbers are added to `seen`."""
    present: set[str] = set()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in (os.getpid(), os.getppid()):
            try:
                with open(f"/proc/{name}/cmdline", "rb") as stream:
                    if word.encode() not in stream.read():
                        continue
                for block in blocks(int(name)):
                    seen.add(int(name))
                    present |= {text for text, content in texts.items() if content in block}
            except OSError:  # it has ended
                continue
    return present


def blocks(process: int) -> Iterator[bytes]:
    """Yield the memory of a process in blocks, each with the end of the one before it."""
    with open(f"/proc/{process}/maps") as maps, open(f"/proc/{process}/mem", "rb", buffering=0) as memory:
        for line in maps:
            addresses, rights = line.split()[:2]
            start, end = (int(address, 16) for address in addresses.split("-"))
            tail = b""
            while rights.startswith("r") and start < end:
                try:
                    memory.seek(start)
                    block = memory.read(min(_BLOCK, end - start))
                except (OSError, OverflowError):  # pages of the kernel
                    break
                if not block:
                    break
                yield tail + block
                start, tail = start + len(block), block[-200:]


def main() -> None:
    """Print what was found."""
    word, end = sys.argv[1], time.monotonic() + float(sys.argv[2])
    texts = {name: text.encode() for name, text in json.load(sys.stdin).items()}
    seen: set[int] = set()
    present: set[str] = set()
    while True:
        before = len(seen)
        present |= search(word, texts, seen)
        if time.monotonic() >= end:
            break
        time.sleep(0.05 if len(seen) > before else 0.2)
    print(json.dumps({"found": sorted(present), "processes": len(seen)}))


if __name__ == "__main__":
    main()
