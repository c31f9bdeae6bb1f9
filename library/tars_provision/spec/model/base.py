# SPDX-License-Identifier: GPL-3.0-or-later
"""What all sections of the spec share: their base class, and the text patterns with their meaning."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
SHARE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$"
PATH = r"^(/[A-Za-z0-9_@-][A-Za-z0-9_.@-]*)+$"
IMAGE = r"^[a-z0-9][a-z0-9.-]*(:[0-9]+/[a-z0-9._-]+)?(/[a-z0-9._-]+)*:(?!latest$)[A-Za-z0-9_][A-Za-z0-9_.-]*$"
MODEL = r"^[A-Za-z0-9][A-Za-z0-9._/-]*(:[A-Za-z0-9._-]+)?$"
URL = r"^https?://[^/\s]+/?$"
USER = r"^[a-z_][a-z0-9_-]*\$?$"
INTERFACE = r"^[A-Za-z0-9_.-]{1,15}$"
SERIAL = r"^[A-Za-z0-9]{6,32}$"
VOLUME = r"^/volume[1-9][0-9]*$"
DOMAIN = r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$"

PATTERNS = {
    NAME: "a host name of lower-case letters, digits and hyphens, such as xps8950",
    SHARE_NAME: "a share's name of at most 32 letters, digits, dots, hyphens and underscores, such as LLM_docs",
    PATH: "an absolute path of letters, digits and ._@-, such as /srv/tars/documents/LLM_docs",
    IMAGE: "an image by exact version and not latest, such as postgres:17.6",
    MODEL: "a model's name in Ollama's library, such as llama3.1:8b",
    URL: "the address of a server, such as http://192.168.1.5:5000",
    USER: "a user's name, such as owner",
    INTERFACE: "the name of a network interface, such as enp4s0",
    SERIAL: "the serial number on the NAS's label, such as 15A0LKN000000",
    VOLUME: "a volume of the NAS, such as /volume1",
    DOMAIN: "a DNS zone of at least two labels, such as home.arpa",
}
"""What each pattern means, in the words a mistake is reported with."""

Name = Annotated[str, Field(pattern=NAME)]
ShareName = Annotated[str, Field(pattern=SHARE_NAME)]
Path = Annotated[str, Field(pattern=PATH)]
Port = Annotated[int, Field(ge=1, le=65535)]
Image = Annotated[str, Field(pattern=IMAGE)]
ModelName = Annotated[str, Field(pattern=MODEL)]
Url = Annotated[str, Field(pattern=URL)]


class Section(BaseModel):
    """Common ground: unknown keys are mistakes, a loaded spec does not change, docstrings describe the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, regex_engine="python-re")
