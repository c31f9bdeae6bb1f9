# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.Terminal and SYNO.Core.FileServ.FTP.SFTP: the settings of SSH and SFTP.

They are only stored: the machine's own SSH server belongs to the lab, which uses it to connect to the machine.
"""

from __future__ import annotations

from tars_lab.dsm_twin.protocol import Api, Call, Method, invalid, versions

PORTS = range(1, 65536)


def get_terminal(call: Call) -> object:
    """Return the settings of SSH and Telnet."""
    return call.nas.state.data["terminal"] | {
        "ssh_cipher": ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com"],
        "ssh_kex": ["curve25519-sha256"],
        "ssh_mac": ["hmac-sha2-256-etm@openssh.com"],
        "ssh_hw_acc_hint": False,
        "support_hw_ssh": False,
    }


def set_terminal(call: Call) -> object:
    """Set all four values. A call without one of them was never observed and is rejected."""
    flags = ("enable_ssh", "enable_telnet", "forbid_console")
    wanted = {name: call.params.flag(name) for name in flags} | {"ssh_port": call.params.integer("ssh_port")}
    if wanted["ssh_port"] not in PORTS:
        raise invalid("ssh_port", "condition")
    with call.nas.state.change() as data:
        data["terminal"] = wanted
    return None


def get_sftp(call: Call) -> object:
    """Return the settings of SFTP."""
    return call.nas.state.data["sftp"]


def set_sftp(call: Call) -> object:
    """Set both values of SFTP."""
    wanted = {"enable": call.params.flag("enable"), "portnum": call.params.integer("portnum")}
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
