# SPDX-License-Identifier: GPL-3.0-or-later
"""The desktop's mounts on a real kernel, with a NAS that boots late, fails and returns, without any intervention.

Each test builds on the previous ones. Checked with findmnt, mountstats and md5sum on the desktop, md5sum on the NAS.
"""

import re
import time

import pytest

from .conftest import DESKTOP, Pair

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(3600)]

# An emulated processor on a busy computer needs more time for a mount.
ROLE = ("--limit", DESKTOP, "--tags", "nfs_mount", "-e", "nfs_mount_mount_timeout_s=60")
DOCS, WORK = "/srv/tars/documents/LLM_docs", "/srv/tars/work"
UNITS = ("srv-tars-documents-LLM_docs", "srv-tars-work")
SIZE = 32 * 2**20
AWAY_SECONDS = 60

# Reads or writes 64 KiB twice a second, and the rest at once when /run/hurry exists; then writes the digest or the
# error, and the longest duration.
PACED = """
import hashlib, os, sys, time
what, path, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
name = os.path.basename(path) + "." + what
digest, longest, step = hashlib.md5(), 0.0, 2**16
try:
    with open(path, "rb" if what == "read" else "wb", buffering=0) as file:
        for number in range(size // step):
            began = time.monotonic()
            block = file.read(step) if what == "read" else os.urandom(step)
            if what == "write":
                file.write(block)
                os.fsync(file.fileno())
            digest.update(block)
            longest = max(longest, time.monotonic() - began)
            print(number, flush=True, file=open(f"/run/{name}.at", "w"))
            while not os.path.exists("/run/hurry") and time.monotonic() < began + 0.5:
                time.sleep(0.1)
    outcome = digest.hexdigest()
except OSError as error:
    outcome = f"{error.strerror} after {time.monotonic() - began:.0f} s"
print(f"{outcome} (longest {longest:.0f} s)", file=open(f"/run/{name}.part", "w"))
os.rename(f"/run/{name}.part", f"/run/{name}")
"""
# The first calls of an application, with their durations.
FIRST_CALLS = (
    f"TIMEFORMAT='%0R s'; for call in stat ls cat; do time $call {DOCS}/first.txt >&2 || echo $call failed >&2; done"
)


def eventually(pair: Pair, script: str, *, seconds: float = 300) -> str:
    """Run a script on the desktop until it succeeds; return its output."""
    deadline = time.monotonic() + seconds
    while (done := pair.on_desktop(script, check=False)).returncode:
        assert time.monotonic() < deadline, f"{script}: still {done.stderr} after {seconds} s"
        time.sleep(2)
    return done.stdout


def mounted(pair: Pair) -> dict[str, str]:
    """Return the sources of the kernel's NFS mounts by mount point, as findmnt reports them."""
    listed = pair.on_desktop("findmnt --noheadings --raw --types nfs4 --output TARGET,SOURCE", check=False).stdout
    return dict(line.split() for line in listed.splitlines())


def states(pair: Pair) -> set[str]:
    """Return the states of the automounts, as systemd reports them."""
    units = " ".join(f"{unit}.automount" for unit in UNITS)
    return set(pair.on_desktop(f"systemctl show --value --property=ActiveState,UnitFileState {units}").stdout.split())


def read(pair: Pair, name: str) -> str:
    """Return the digest of a document, read on the desktop."""
    return pair.on_desktop(f"md5sum < {DOCS}/{name}").stdout


def start(pair: Pair, *jobs: tuple[str, str]) -> list[str]:
    """Start to read and write files at a constant rate, wait for the first blocks, and return the names of the jobs."""
    names = [f"{path.rpartition('/')[2]}.{what}" for what, path in jobs]
    pair.on_desktop(f"cat > /root/paced.py <<'END'\n{PACED}\nEND\nrm -f /run/hurry /run/*.at")
    pair.on_desktop(
        "; ".join(
            f"systemd-run --quiet --collect --unit={name} python3 /root/paced.py {what} {path} {SIZE}"
            for name, (what, path) in zip(names, jobs, strict=True)
        )
    )
    eventually(pair, "; ".join(["set -e", *(f"test $(cat /run/{name}.at) -ge 2" for name in names)]))
    return names


def test_the_first_run_configures_the_mounts_and_the_second_changes_nothing(pair: Pair) -> None:
    assert re.search(rf"{DESKTOP} .*changed=[1-9]", pair.site(*ROLE))
    assert states(pair) == {"active", "enabled"} and mounted(pair) == {}
    assert re.search(rf"{DESKTOP} .*changed=0 ", pair.site(*ROLE))


def test_the_first_access_mounts_a_share(pair: Pair) -> None:
    pair.on_nas(f"head -c {SIZE} /dev/urandom > /volume1/LLM_docs/big; echo first > /volume1/LLM_docs/first.txt")
    assert pair.on_desktop(f"cat {DOCS}/first.txt").stdout == "first\n"
    assert mounted(pair) == {DOCS: "10.78.0.20:/volume1/LLM_docs"}
    pair.on_desktop(f"ls {WORK}")
    assert mounted(pair)[WORK] == "10.78.0.20:/volume1/work"
    statistics = pair.on_desktop("cat /proc/self/mountstats").stdout
    options = re.findall(r"mounted on (\S+) with fstype nfs4.*\n\s+opts:\s+(\S+)", statistics)
    wanted = {DOCS: {"ro", "soft"}, WORK: {"rw", "hard"}}
    for path, given in options:
        assert wanted.pop(path) | {"vers=4.1", "proto=tcp", "timeo=50", "retrans=2"} <= set(given.split(",")), given
    assert not wanted, statistics
    assert "Read-only file system" in pair.on_desktop(f"touch {DOCS}/x", check=False).stderr
    assert not pair.on_desktop("ss -Hltn sport = :111").stdout, "the port mapper listens"


def test_after_a_reboot_the_automounts_start_before_the_network(pair: Pair) -> None:
    before = pair.wait()
    pair.on_desktop("systemctl reboot")
    pair.wait(after=before)
    assert states(pair) == {"active", "enabled"} and mounted(pair) == {}
    show = "systemctl show --value --property"
    entered = pair.on_desktop(
        f"{show}=ActiveEnterTimestampMonotonic {UNITS[0]}.automount network-online.target"
    ).stdout.split()
    assert 0 < int(entered[0]) < int(entered[1]), "the automount stands before there is a network"
    assert "network-online.target" in pair.on_desktop(f"{show}=After {UNITS[0]}.mount").stdout
    # Repeated failures of the mount must not stop the automount.
    assert pair.on_desktop(f"{show}=StartLimitIntervalUSec {UNITS[0]}.mount").stdout.strip() == "0"
    assert read(pair, "big") == pair.on_nas("md5sum < /volume1/LLM_docs/big")


def test_a_minute_without_the_nas_loses_no_data(pair: Pair) -> None:
    pair.on_nas(f"cd /volume1; for name in work/given LLM_docs/new; do head -c {SIZE} /dev/urandom > $name; done")
    document, given, made = start(pair, ("read", f"{DOCS}/new"), ("read", f"{WORK}/given"), ("write", f"{WORK}/made"))
    pair.nas_off()
    gone = time.monotonic()
    # While the NAS is off, reads of the read-only mount fail; the writable mount waits.
    outcome = eventually(pair, f"cat /run/{document}")
    assert "Input/output error" in outcome or "timed out" in outcome, outcome
    print(f"\nwithout the NAS, reading: {outcome}", pair.on_desktop(FIRST_CALLS, check=False).stderr)
    time.sleep(max(0.0, gone + AWAY_SECONDS - time.monotonic()))
    assert pair.on_desktop(f"ls /run/{given} /run/{made}", check=False).stdout == ""
    pair.nas_on()
    pair.on_desktop("touch /run/hurry")
    for job, path in ((given, "work/given"), (made, "work/made")):
        outcome = eventually(pair, f"cat /run/{job}", seconds=600)
        print(f"{job}: {outcome}")
        assert outcome.split()[0] == pair.on_nas(f"md5sum < /volume1/{path}").split()[0], outcome
    assert eventually(pair, f"md5sum < {DOCS}/new") == pair.on_nas("md5sum < /volume1/LLM_docs/new")


def test_the_desktop_boots_without_the_nas(pair: Pair) -> None:
    before = pair.wait()
    pair.on_desktop(f"ls {DOCS}; echo kept > {WORK}/kept")
    assert set(mounted(pair)) == {DOCS, WORK}
    pair.nas_off()
    pair.on_desktop("systemctl reboot")
    pair.wait(after=before)
    assert states(pair) == {"active", "enabled"} and mounted(pair) == {}
    missed = pair.on_desktop(f"TIMEFORMAT='%0R s'; time ls {DOCS}", check=False)
    print(f"\nbooted without the NAS: {missed.stderr}")
    assert "No such device" in missed.stderr and not missed.stdout, missed
    assert states(pair) == {"active", "enabled"}
    pair.nas_on()
    pair.on_nas("echo later > /volume1/LLM_docs/later.txt")
    assert eventually(pair, f"cat {DOCS}/later.txt") == "later\n"
    assert pair.wait() != before and mounted(pair) == {DOCS: "10.78.0.20:/volume1/LLM_docs"}
    assert pair.on_desktop(f"cat {WORK}/kept").stdout == "kept\n"
