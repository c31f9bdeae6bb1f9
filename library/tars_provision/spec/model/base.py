# SPDX-License-Identifier: GPL-3.0-or-later
r"""What all sections of the spec share: their base class, and the text patterns with their meaning.

Patterns end with `\Z`, because Python's `$` also matches before a newline at the end.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, IPvAnyAddress
from pydantic_core import PydanticCustomError

NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z"
SHARE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}\Z"
PATH = r"^(/[A-Za-z0-9_@-][A-Za-z0-9_.@-]*)+\Z"
IMAGE = r"^[a-z0-9][a-z0-9.-]*(:[0-9]+/[a-z0-9._-]+)?(/[a-z0-9._-]+)*:(?!latest\Z)[A-Za-z0-9_][A-Za-z0-9_.-]*\Z"
MODEL = r"^[A-Za-z0-9][A-Za-z0-9._/-]*(:[A-Za-z0-9._-]+)?\Z"
URL = r"^https?://[^/\s]+/?\Z"
HOOK = r"^https?://[^/\s]+(/\S*)?\Z"
EMAIL = r"^[^\s@,<>\"-][^\s@,<>\"]*@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\Z"
SERVER_URL = r"^https?://[^/\s]+/(\S+/)?\Z"
DISK = r"^[0-9A-Fa-f-]{8,36}\Z"
EXPORT = r"^[A-Za-z0-9.:-]*[A-Za-z0-9]:(/[A-Za-z0-9_@-][A-Za-z0-9_.@-]*)+\Z"
USER = r"^[a-z_][a-z0-9_-]*\$?\Z"
INTERFACE = r"^[A-Za-z0-9_.-]{1,15}\Z"
SERIAL = r"^[A-Za-z0-9]{6,32}\Z"
VOLUME = r"^/volume[1-9][0-9]*\Z"
DOMAIN = r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}\Z"
FOLDER = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*\Z"
HOST = r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z"
FILE = r"^[^-\x00-\x1f\x7f\"][^\x00-\x1f\x7f\"]*\Z"
LINE = r"^[^\x00-\x1f\x7f]*\Z"
WORDS = r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?\Z"

PATTERNS = {
    NAME: "a host name of lower-case letters, digits and hyphens, such as xps8950",
    SHARE_NAME: "a share's name of at most 32 letters, digits, dots, hyphens and underscores, such as LLM_docs",
    PATH: "an absolute path of letters, digits and ._@-, such as /srv/tars/documents/LLM_docs",
    IMAGE: "an image by exact version and not latest, such as postgres:17.6",
    MODEL: "a model's name in Ollama's library, such as llama3.1:8b",
    URL: "the address of a server, such as http://192.168.1.5:5000",
    HOOK: "an address of HTTP, such as https://ntfy.sh/{secret}",
    EMAIL: "an address of mail, such as owner@example.org",
    SERVER_URL: "the address of a folder of a server, such as https://backup.example.org:8000/tars/",
    DISK: "the UUID of a file system, as blkid prints it, such as 0f3a8d1e-2b7c-4e55-9d60-1c2f3a4b5c6d",
    EXPORT: "an NFS export as server:/path, such as 192.168.1.30:/volume1/tars_copy",
    USER: "a user's name, such as owner",
    INTERFACE: "the name of a network interface, such as enp4s0",
    SERIAL: "the serial number on the NAS's label, such as 15A0LKN000000",
    VOLUME: "a volume of the NAS, such as /volume1",
    DOMAIN: "a DNS zone of at least two labels, such as home.arpa",
    FOLDER: "a folder below the share, of letters, digits and ._-, such as Incoming",
    HOST: "a host name or an IPv4 address, such as 192.168.1.77",
    FILE: "a file on the controller, without control characters or double quotes, such as ~/.ssh/id_ed25519",
    LINE: "one line of text",
    WORDS: "one line of text without spaces at its ends, such as tars-admin",
}
"""Meaning of each pattern, as reports of mistakes and the reference page state it."""

Name = Annotated[str, Field(pattern=NAME)]
ShareName = Annotated[str, Field(pattern=SHARE_NAME)]
Path = Annotated[str, Field(pattern=PATH)]
Port = Annotated[int, Field(ge=1, le=65535)]
Image = Annotated[str, Field(pattern=IMAGE)]
ModelName = Annotated[str, Field(pattern=MODEL)]
Url = Annotated[str, Field(pattern=URL)]
HookUrl = Annotated[str, Field(pattern=HOOK)]
Email = Annotated[str, Field(pattern=EMAIL)]
Host = Annotated[str, Field(pattern=HOST)]


def _require_ipv4_address(value: object) -> object:
    try:
        if isinstance(value, str) and IPv4Address(value):
            return value
    except ValueError:
        pass
    raise PydanticCustomError("ipv4_address", "an IPv4 address, such as 192.168.1.10")


def _require_ip_address(value: object) -> object:
    try:
        if isinstance(value, str) and ipaddress.ip_address(value):
            return value
    except ValueError:
        pass
    raise PydanticCustomError("ip_address", "an IP address, such as 192.168.1.1")


def _require_ipv4_network(value: object) -> object:
    try:
        # The prefix length is a number here: Python also takes netmasks, and addresses without one.
        if isinstance(value, str) and value.partition("/")[2].isdecimal() and IPv4Network(value):
            return value
    except ValueError:
        pass
    raise PydanticCustomError(
        "ipv4_network", "a network as address and prefix length with no host bits set, such as 192.168.1.0/24"
    )


def _require_time_zone(value: object) -> object:
    try:
        if isinstance(value, str) and ZoneInfo(value):
            return value
    except (ValueError, OSError, ZoneInfoNotFoundError):
        pass
    raise PydanticCustomError("time_zone", "a time zone of the IANA database, such as Europe/Amsterdam")


Ipv4Address = Annotated[IPv4Address, BeforeValidator(_require_ipv4_address)]
Ipv4Network = Annotated[IPv4Network, BeforeValidator(_require_ipv4_network)]
IpAddress = Annotated[IPvAnyAddress, BeforeValidator(_require_ip_address)]
TimeZone = Annotated[str, BeforeValidator(_require_time_zone)]


class Section(BaseModel):
    """A mapping in the spec: unknown keys are mistakes, a loaded spec is immutable, docstrings describe the fields.

    Types are strict: the JSON form of a value decides, so that a number is never taken for an address or a text.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, regex_engine="python-re"
    )
