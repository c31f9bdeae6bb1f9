# SPDX-License-Identifier: GPL-3.0-or-later
"""How mount.nfs4's command line is understood."""

import pytest

from tars_lab.nfs_client.options import parse


def test_mounts_command_line_is_read_as_the_kernels_client_reads_it() -> None:
    options = "ro,nosuid,nodev,_netdev,vers=4.1,soft,timeo=50,retrans=3,retry=0,x-systemd.automount"
    mount = parse(["10.77.0.20:/volume1/LLM_docs", "/srv/docs", "-o", options])
    assert (mount.server, mount.export, mount.place) == ("10.77.0.20", "/volume1/LLM_docs", "/srv/docs")
    assert mount.flags == ("ro", "nosuid", "nodev")
    assert (mount.timeout, mount.patience, mount.retry) == (5.0, 20.0, 0)
    assert mount.spec == "10.77.0.20:/volume1/LLM_docs"


def test_a_hard_mount_has_patience_without_end() -> None:
    assert parse(["nas:/a", "/b"]).patience is None
    assert parse(["nas:/a", "/b", "-o", "hard,timeo=50"]).patience is None


def test_an_ipv6_server_stands_in_brackets() -> None:
    mount = parse(["-v", "[fd77::20]:/volume1/x", "/mnt"])
    assert (mount.server, mount.export) == ("fd77::20", "/volume1/x")


def test_nothing_is_believed_for_longer_than_two_seconds() -> None:
    assert parse(["nas:/a", "/b", "-o", "actimeo=600"]).cache == 2
    assert parse(["nas:/a", "/b", "-o", "actimeo=0"]).cache == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nas:/a"], "SPEC and DIR"),
        (["/dev/sda1", "/mnt"], "SERVER:/PATH"),
        (["nas:/a", "/b", "-o", "remount,ro"], "remount"),
        (["nas:/a", "/b", "-o", "port=20490"], "port"),
    ],
)
def test_what_it_cannot_do_is_said_in_a_sentence(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(words)
