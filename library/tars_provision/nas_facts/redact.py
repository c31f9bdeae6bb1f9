# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace names, addresses and numbers of machines and people in a recording by stand-ins.

Everything that is not known to be harmless is replaced, the same value by the same stand-in everywhere, so that answers
still fit together and can be requested again. These stay: the shape of every answer, its numbers, booleans and names of
fields; the model and version of DSM; DSM's own words (states, protocols, kinds of things, names of services, packages
and time zones); times; the names of volumes and interfaces, and of the shares, users and groups that every DSM has.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tars_provision.nas_facts.recorder import Exchange


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


KEPT = words(
    """
    advPolicyType codepage date date_format date_type device_type display_name_i18n enable_ntp expired firmware_date
    firmware_ver fs_type ifname inherit install_type key_types last_run_time model monthly_week mtu_config
    next_trigger_time now policy port_direction port_group ports privilege protocol requestFormat root_squash service
    signature_algorithm source_ip_group ssh_cipher ssh_kex ssh_mac status subscriber time time_format time_zone
    time_zone_desc timezone type user_group_type valid_from valid_till version version_string week_day week_name
    """
)
"""Fields whose text is one of DSM's own words, or a time."""

KEPT_OF = {
    "SYNO.API.Info": {"path"},
    "SYNO.Core.Package": {"id", "name", "dname"},
    "SYNO.Core.Region.NTP": {"value", "display"},
}
"""Such fields of one API."""

BUILT_IN = words(
    """
    - * admin administrators all custom default global guest home homes http internal music NetBackup photo root
    Share# surveillance system users video web web_packages
    """
)
HARMLESS = re.compile(
    r"""
    | [^a-z0-9]* | [-+]?[\d.,:/ ]+%? | true | false | yes | no                    # nothing, numbers, dates, answers
    | /volume\d+ | (volume|pool|reuse|space)_?\d+ | (ovs_)?(eth|bond|lo|ppp|pppoe|tun|usb)\d*
    | (usb|sata|esata)share[\w-]* | \#recycle | (GMT)?[+-]?[\d-]*-?\d{4}[.]\d\d[.]\d\d-[\d.]+   # a snapshot's time
    """,
    re.VERBOSE | re.IGNORECASE,
)
MASKS = {str(ipaddress.ip_network((0, length)).netmask) for length in range(33)}

ADDRESS = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
ADDRESS6 = re.compile(r"(?<![\w:])(?=[0-9a-f:]*:[0-9a-f:]*:)[0-9a-f:]{2,39}(?:%\w+)?(?![\w:])", re.IGNORECASE)
MAC = re.compile(r"(?<![\w:-])(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}(?![\w:-])", re.IGNORECASE)
MAIL = re.compile(r"[^\s,;<>@]+@[^\s,;<>@]+\.[^\s,;<>@]+")
TOKEN = frozenset({"serial", "sid", "synotoken", "did", "device_id", "uuid", "fingerprint", "id", "ruuid"})
"""Fields whose text is made of letters and digits that mean nothing, and whose form stays."""

KINDS = {
    "user": {"who", "account", "owner", "real_owner", "user"},
    "group": {"group"},
    "share": {"share", "share_name"},
    "host": {"client", "common_name", "hostname", "server_name", "server", "sub_alt_name"},
}
NAMES = {"SYNO.Core.User": "user", "SYNO.Core.Group": "group", "SYNO.Core.Group.Member": "user"}
SENT = frozenset({"name", "share_name", "group", "user", "real_owner", "id"})
"""Parameters that a caller took from an answer; the others are words of this program."""


class Redaction:
    """Stand-ins of one recording."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def exchange(self, call: Exchange) -> Exchange:
        """Return a call with its private values replaced."""
        params = {
            name: self.value(value, call.api, name) if name in SENT else value for name, value in call.params.items()
        }
        return replace(call, params=params, answer=self.value(call.answer, call.api, ""))

    def value(self, value: Any, api: str, name: str) -> Any:
        """Return the stand-in for a value of a field of an API's answer, of the same type and shape."""
        if isinstance(value, dict):
            return {self._key(key): self.value(each, api, str(key)) for key, each in value.items()}
        if isinstance(value, list):
            return [self.value(each, api, name) for each in value]
        return self._text(value, api, name) if isinstance(value, str) else value

    def _key(self, key: str) -> str:
        return self._machines(key)

    def _text(self, text: str, api: str, name: str) -> str:
        if text in BUILT_IN or text in MASKS or name in KEPT or name in KEPT_OF.get(api, ()):
            return text
        plain = self._machines(text)
        around = text if plain == text else ADDRESS6.sub("", ADDRESS.sub("", MAC.sub("", text)))
        if HARMLESS.fullmatch(around):
            return plain
        inside = re.fullmatch(r"(/volume\d+/)([^/]+)(.*)", text)
        if inside:
            volume, share, rest = inside.groups()
            below = "".join(f"/{self._stand_in(part, 'text')}" for part in rest.split("/")[1:])
            return f"{volume}{self._text(share, 'SYNO.Core.Share', 'name')}{below}"
        if MAIL.fullmatch(text):
            return self._stand_in(text, "person", "{}@example.net")
        if name in TOKEN:
            return self._token(text)
        return self._stand_in(text, kind(api, name))

    def _machines(self, text: str) -> str:
        """Return a text with the addresses in it replaced."""
        text = MAC.sub(lambda match: self._numbered(match[0], "mac", lambda n: mac(n, match[1])), text)
        text = ADDRESS.sub(lambda match: self._address(match[0]), text)
        return ADDRESS6.sub(lambda match: self._address6(match[0]), text)

    def _address(self, text: str) -> str:
        try:
            address = ipaddress.IPv4Address(text)
        except ValueError:
            return text
        if text in MASKS or address.is_loopback or address.is_unspecified:
            return text
        # Neighbours stay neighbours: a network of 256 addresses becomes one of those kept for measurements (RFC 2544).
        network, last = text.rsplit(".", 1)
        return self._numbered(f"{network}.", "network", lambda n: f"198.18.{n % 256}.") + last

    def _address6(self, text: str) -> str:
        try:
            address = ipaddress.IPv6Address(text.partition("%")[0])
        except ValueError:
            return text
        if address.is_loopback or address.is_unspecified:
            return text
        start = "fe80::" if address.is_link_local else "2001:db8::"
        return self._numbered(str(address), "address6", lambda n: f"{start}{n:x}")

    def _token(self, text: str) -> str:
        """Return letters and digits of the same form."""
        form = re.sub(r"[a-z]", "x", re.sub(r"[A-Z]", "X", re.sub(r"\d", "0", text)))
        return self._numbered(text, "token", lambda n: form[: -len(str(n))] + str(n) if len(form) > 4 else f"x{n}")

    def _stand_in(self, text: str, kind: str, form: str = "{}") -> str:
        return self._numbered(text, kind, lambda n: form.format(f"{kind}-{n}"))

    def _numbered(self, text: str, kind: str, made: Callable[[int], str]) -> str:
        if text not in self._known:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._known[text] = made(self._counts[kind])
        return self._known[text]


def mac(number: int, separator: str) -> str:
    """Return a locally administered hardware address."""
    return separator.join(f"{byte:02x}" for byte in (2, 0, 0, 0, number // 256, number % 256))


def kind(api: str, name: str) -> str:
    """Return the kind of thing that a field names: user, group, share, host, or text."""
    for name_kind, names in KINDS.items():
        if name in names:
            return name_kind
    if name == "name":
        return NAMES.get(api, "share" if api.startswith("SYNO.Core.Share") else "text")
    return "text"
