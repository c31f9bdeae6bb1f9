# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.Terminal and SYNO.Core.FileServ.FTP.SFTP: who may log in over SSH, and where.

Only remembered: the machine's own SSH server is how the lab reaches it, and it belongs to the lab.
"""

from __future__ import annotations

from tars_lab.dsm_twin.protocol import Api, Call, Method, invalid, versions

PORTS = range(1, 65536)


def get_terminal(call: Call) -> object:
    return call.nas.state.data["terminal"] | {
        "ssh_cipher": ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com"],
        "ssh_kex": ["curve25519-sha256"],
        "ssh_mac": ["hmac-sha2-256-etm@openssh.com"],
        "ssh_hw_acc_hint": False,
        "support_hw_ssh": False,
    }


def set_terminal(call: Call) -> object:
    """Set all four values: a call without one of them was never observed, so it is refused."""
    flags = ("enable_ssh", "enable_telnet", "forbid_console")
    wanted = {name: call.params.flag(name) for name in flags} | {"ssh_port": call.params.whole("ssh_port")}
    if wanted["ssh_port"] not in PORTS:
        raise invalid("ssh_port", "condition")
    with call.nas.state.change() as data:
        data["terminal"] = wanted
    return None


def get_sftp(call: Call) -> object:
    return call.nas.state.data["sftp"]


def set_sftp(call: Call) -> object:
    wanted = {"enable": call.params.flag("enable"), "portnum": call.params.whole("portnum")}
    if wanted["portnum"] not in PORTS:
        raise invalid("portnum", "condition")
    with call.nas.state.change() as data:
        data["sftp"] = wanted
    return None


APIS = [
    Api(
        "SYNO.Core.Terminal",
        1,
        3,
        {"get": Method(get_terminal, versions(3)), "set": Method(set_terminal, versions(3), write=True)},
    ),
    Api(
        "SYNO.Core.FileServ.FTP.SFTP",
        1,
        1,
        {"get": Method(get_sftp, versions(1)), "set": Method(set_sftp, versions(1), write=True)},
    ),
]
