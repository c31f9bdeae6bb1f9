# SPDX-License-Identifier: GPL-3.0-or-later
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.tars.home.plugins.module_utils.system import disk_space

FOLDERS = ["/opt/tars", "/var/lib/tars"]
CASES = {
    "enough": ("  62830 /\r\n   1024 /var/lib\r\n", ""),
    "one is full": ("      1 /opt/tars\n  62830 /\n", "found 1 MiB on /opt/tars, expected"),
    "both are on the same": (" 1023 /\n 1023 /\n", "found 1023 MiB on /, expected"),
    "each is full": (" 0 /a b\n 12 /\n", "found 0 MiB on /a b, 12 MiB on /, expected"),
    "a line of another program": ("sudo: unable to resolve host\n 2000 /\n 2000 /\n", ""),
    "df fails": ("df: /opt: Input/output error\n", "found df: /opt: Input/output error, expected"),
    "df is missing": ("", "found no output of df, expected"),
}


@pytest.mark.parametrize(("output", "expected"), CASES.values(), ids=CASES)
def test_refusal(output: str, expected: str) -> None:
    message = disk_space.refusal(FOLDERS, 1024, output)
    if not expected:
        assert message == ""
    else:
        assert message.startswith("/opt/tars, /var/lib/tars: ")
        assert expected in message and "1024 MiB free" in message and "Nothing was changed. Next: " in message


def test_the_query_reads_the_file_system_that_a_folder_is_or_will_be_on(tmp_path: Path) -> None:
    folders = ["/", "/no/such/folder", str(tmp_path), str(tmp_path / "to come/soon"), "/proc/no/such"]
    output = subprocess.run(disk_space.query(folders), capture_output=True, text=True, check=True).stdout
    mounts = [line.split(None, 1)[1] for line in output.splitlines()]
    top = str(tmp_path)
    while not os.path.ismount(top):
        top = os.path.dirname(top)
    assert mounts == ["/", "/", top, top, "/proc"]
    assert disk_space.refusal(folders[:4], 1, "\n".join(output.splitlines()[:4])) == ""
    assert "0 MiB on /proc" in disk_space.refusal(folders, 1, output)
