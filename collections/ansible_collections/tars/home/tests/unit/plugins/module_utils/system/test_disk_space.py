# SPDX-License-Identifier: GPL-3.0-or-later
import os
import subprocess

import pytest
from ansible_collections.tars.home.plugins.module_utils.system import disk_space as room

PLACES = ["/opt/tars", "/var/lib/tars"]
CASES = {
    "enough": ("  62830 /\r\n   1024 /var/lib\r\n", ""),
    "one is full": ("      1 /opt/tars\n  62830 /\n", "Found: 1 MiB on /opt/tars."),
    "both are on the same": (" 1023 /\n 1023 /\n", "Found: 1023 MiB on /."),
    "each is full": (" 0 /a b\n 12 /\n", "Found: 0 MiB on /a b, 12 MiB on /."),
    "a line beside the answer": ("sudo: unable to resolve host\n 2000 /\n 2000 /\n", ""),
    "df fails": ("df: /opt: Input/output error\n", "Found: df: /opt: Input/output error."),
    "df is missing": ("", "Found: nothing that df would tell."),
}


@pytest.mark.parametrize(("answer", "found"), CASES.values(), ids=CASES)
def test_refusal(answer, found):
    said = room.refusal(PLACES, 1024, answer)
    if not found:
        assert said == ""
    else:
        assert said.startswith("1024 MiB free are wanted on the file system of each of /opt/tars, /var/lib/tars. ")
        assert found in said and "Nothing was changed. Make room there" in said


def test_what_is_asked_tells_of_the_file_system_a_place_is_or_will_be_on(tmp_path):
    places = ["/", "/no/such/folder", str(tmp_path), str(tmp_path / "to come/soon"), "/proc/no/such"]
    answer = subprocess.run(room.query(places), capture_output=True, text=True, check=True).stdout
    mounts = [line.split(None, 1)[1] for line in answer.splitlines()]
    top = str(tmp_path)
    while not os.path.ismount(top):
        top = os.path.dirname(top)
    assert mounts == ["/", "/", top, top, "/proc"]
    assert room.refusal(places[:4], 1, "\n".join(answer.splitlines()[:4])) == ""
    assert "0 MiB on /proc" in room.refusal(places, 1, answer)
