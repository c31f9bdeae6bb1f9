# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsing the command line of mount.nfs4."""

import pytest

from tars_lab.nfs_client.options import parse


def test_the_options_have_the_meaning_of_the_kernels_client() -> None:
    options = "ro,nosuid,nodev,_netdev,vers=4.1,soft,timeo=50,retrans=3,retry=0,x-systemd.automount"
    mount = parse(["10.77.0.20:/volume1/LLM_docs", "/srv/docs", "-o", options])
    assert (mount.server, mount.export, mount.mount_point) == ("10.77.0.20", "/volume1/LLM_docs", "/srv/docs")
    assert mount.flags == ("ro", "nosuid", "nodev")
    assert (mount.timeout_s, mount.limit_s, mount.retry_s) == (5.0, 20.0, 0)
    assert mount.spec == "10.77.0.20:/volume1/LLM_docs"


def test_a_hard_mount_has_no_time_limit() -> None:
    assert parse(["nas:/a", "/b"]).limit_s is None
    assert parse(["nas:/a", "/b", "-o", "hard,timeo=50"]).limit_s is None


def test_an_ipv6_server_stands_in_brackets() -> None:
    mount = parse(["-v", "[fd77::20]:/volume1/x", "/mnt"])
    assert (mount.server, mount.export) == ("fd77::20", "/volume1/x")


def test_answers_are_cached_for_two_seconds_at_most() -> None:
    assert parse(["nas:/a", "/b", "-o", "actimeo=600"]).cache_s == 2
    assert parse(["nas:/a", "/b", "-o", "actimeo=0"]).cache_s == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nas:/a"], "SPEC and DIR"),
        (["/dev/sda1", "/mnt"], "SERVER:/PATH"),
        (["nas:/a", "/b", "-o", "remount,ro"], "remount"),
        (["nas:/a", "/b", "-o", "port=20490"], "port"),
    ],
)
def test_unsupported_arguments_are_rejected_with_a_message(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(words)
