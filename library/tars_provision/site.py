# SPDX-License-Identifier: GPL-3.0-or-later
"""The spec: what `tars.yml` may say, as pydantic models.

The models feed validation, the JSON Schema for editors, the reference page and the inventory. Rules that span several
fields (addresses inside the network, clients that exist) stand in :mod:`tars_provision.checks`;
:func:`tars_provision.load.load` applies both.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress

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


class Network(Section):
    """The household's network."""

    cidr: IPv4Network = Field(examples=["192.168.1.0/24"])
    """Address range of the household's network."""
    gateway: IPv4Address = Field(examples=["192.168.1.1"])
    """Address of the router, inside the range."""
    dns: tuple[IPvAnyAddress, ...] | None = Field(default=None, examples=[["192.168.1.1"]])
    """Name servers for what is outside. Without `names`, both machines ask them, the NAS the first two; with `names`,
    the desktop asks them for everyone. Left out: those that the desktop has, and for the NAS what it has."""


class Connect(Section):
    """How Ansible reaches the desktop over ssh."""

    address: str | None = Field(default=None, examples=["192.168.1.77"])
    """Address or name it answers on before the first run. Left out: its own address."""
    user: str = Field(default="root", pattern=USER, examples=["owner"])
    """Account to log in with. Any other than root becomes root with sudo."""
    port: Port = 22
    """TCP port of its sshd."""
    private_key: str | None = Field(default=None, examples=["~/.ssh/id_ed25519"])
    """File of the private key on the controller. Left out: what ssh tries by itself."""
    known_hosts: str | None = Field(default=None, examples=["~/.ssh/known_hosts"])
    """File with the machine's host key on the controller. Left out: ssh's own."""


class Dsm(Section):
    """How the NAS's web interface (DSM) is reached."""

    port: Port = 5001
    """TCP port of DSM's HTTPS."""
    account: str = Field(default="tars-admin", min_length=1, examples=["tars-admin"])
    """Administrator's account. Its password is `tars_secrets.dsm_password` in the vault."""


class FirstContact(Section):
    """Where the NAS answers before the first run, and what it is recognised by."""

    address: IPv4Address = Field(examples=["192.168.1.77"])
    """Address it answers on before the first run, mostly one that the router's DHCP server chose."""
    serial: str = Field(pattern=SERIAL, examples=["15A0LKN000000"])
    """Its serial number, from its label or Control Panel > Info Center."""


class Clock(Section):
    """The clock of the NAS."""

    zone: str = Field(min_length=1, examples=["Amsterdam"])
    """Time zone in DSM's own words, as Control Panel shows it; Amsterdam stands for Central Europe."""
    servers: tuple[str, ...] = Field(min_length=1, max_length=3, examples=[["pool.ntp.org"]])
    """Time servers."""


class Keep(Section):
    """How many snapshots of the backups stay, one for each period. All 0 keeps every one."""

    daily: int = Field(default=7, ge=0)
    """Days that keep one."""
    weekly: int = Field(default=4, ge=0)
    """Weeks that keep one."""
    monthly: int = Field(default=6, ge=0)
    """Months that keep one."""
    yearly: int = Field(default=0, ge=0)
    """Years that keep one."""


class Snapshots(Section):
    """Snapshots of the backups, which the desktop can neither change nor delete."""

    hour: int = Field(default=5, ge=0, le=23)
    """Hour of the day, on the NAS's clock, when one is taken."""
    keep: Keep = Keep()
    """Which of them stay."""


class Backup(Section):
    """Where the NAS keeps the desktop's backups. Left out: nowhere."""

    share: ShareName = "tars_backup"
    """Shared folder of its own that nobody but the backup account may open."""
    volume: str = Field(default="/volume1", pattern=VOLUME)
    """Volume of the NAS it lies on; snapshots need one with btrfs."""
    account: str = Field(default="tars-backup", pattern=USER)
    """Account of the NAS. Its password is `tars_secrets.dsm_backup_password` in the vault."""
    snapshots: Snapshots = Snapshots()
    """Snapshots of it."""


class Firewall(Section):
    """Who may reach what on both machines. Left out: what they have stays.

    Sources are `household` (all of `network.cidr`, and over IPv6 the networks on the link of the desktop's interface),
    names under `hosts` and `machines` (the IPv4 address there), addresses and networks.
    """

    enabled: bool = True
    """Whether the firewalls are on."""
    manage: tuple[str, ...] = Field(default=("household",), min_length=1, examples=[["laptop", "192.168.1.64/28"]])
    """Sources that may reach ssh and DSM. The computer that provisions must be among them."""
    use: tuple[str, ...] = Field(default=("household",), min_length=1, examples=[["household"]])
    """Sources that may reach the web page, and the NAS's `open_ports`."""


class Names(Section):
    """Name service of the household, by dnsmasq on the desktop. Left out: nobody serves the zone.

    It knows everything under `hosts` and `machines`, and asks others for the rest. The NAS asks the desktop first.
    """

    enabled: bool = True
    """Whether it runs. false takes away what an earlier run has set up."""


class Desktop(Section):
    """The GPU desktop (Dell XPS 8950), reached over ssh."""

    profile: Literal["xps8950"]
    """Which machine this is."""
    address: IPv4Address = Field(examples=["192.168.1.10"])
    """Its address in the household's network."""
    labels: tuple[Name, ...] = Field(default=("tars", "llm"), min_length=1, examples=[["tars", "llm"]])
    """Names in front of `domain` that it answers to besides its own, in the name service and in its certificate. The
    first is the web page's."""
    interface: str = Field(pattern=INTERFACE, examples=["enp4s0"])
    """Name of its network interface (`ip -brief link` shows it)."""
    addressing: Literal["static", "reservation"] = "static"
    """How it comes to its address: set on the machine, or reserved in the router (`site` then says what to tell it)."""
    connect: Connect = Connect()
    """How Ansible reaches it."""


class Nas(Section):
    """The NAS (Synology DS1515+, DSM 7.1), reached over its web API."""

    profile: Literal["ds1515plus"]
    """Which machine this is."""
    address: IPv4Address = Field(examples=["192.168.1.20"])
    """Its address in the household's network."""
    labels: tuple[Name, ...] = Field(default=("nas",), examples=[["nas"]])
    """Names in front of `domain` that it answers to besides its own, in the name service and in its certificate."""
    connect: FirstContact | None = None
    """Where it answers before the first run, which then gives it `address` for good (experimental: no public source
    shows the call that does it carried out). Left out: it has `address` already, by hand or reserved in the router."""
    dsm: Dsm = Dsm()
    """How its web interface is reached."""
    clock: Clock | None = None
    """Its time zone and time servers. Left out: what DSM has stays."""
    open_ports: tuple[Port, ...] = Field(default=(), examples=[[445]])
    """Further TCP ports that the firewall opens to the sources under `firewall.use`, such as 445 for SMB."""


class Machine(Section):
    """Another machine of the household, named so that shares can be opened to it. Nothing is changed on it."""

    address: IPv4Address = Field(examples=["192.168.1.30"])
    """Its address in the household's network."""


class ShareClient(Section):
    """What one machine may do with a share."""

    access: Literal["ro", "rw"]
    """Read only, or read and write."""
    mount: Path | None = Field(default=None, examples=["/srv/tars/documents/LLM_docs"])
    """Where the desktop mounts it. Left out: nothing is mounted, access alone is granted."""


class Share(Section):
    """A shared folder of the NAS, exported over NFS."""

    volume: str = Field(pattern=VOLUME, examples=["/volume1"])
    """Volume of the NAS it lies on."""
    description: str = Field(default="", max_length=64, examples=["Documents T.A.R.S. answers from"])
    """What DSM shows beside its name."""
    clients: dict[Name, ShareClient] = Field(default_factory=dict, examples=[{"xps8950": {"access": "ro"}}])
    """Who may mount it, by the names under `hosts` and `machines`. All others are refused."""


class ChatModel(Section):
    """The model that writes the answers."""

    name: ModelName = Field(examples=["llama3.1:8b"])
    """Its name in Ollama's library."""
    context_tokens: int = Field(default=8192, ge=512, le=1_048_576)
    """Size of the context sent to the model, in tokens (Ollama's `num_ctx`)."""
    answer_tokens: int = Field(default=768, ge=16)
    """Longest answer, in tokens. The rest of the context holds the question and the passages."""


class EmbeddingModel(Section):
    """The model that turns passages into vectors. Changing it makes the whole index anew."""

    name: ModelName = Field(examples=["nomic-embed-text"])
    """Its name in Ollama's library."""


class Benchmark(Section):
    """How `benchmark` measures the chat model, and what passes."""

    floor_tokens_per_s: float = Field(default=20.0, ge=0)
    """Slowest mean decode that passes, in tokens per second."""
    memory_bandwidth_gb_s: float | None = Field(default=None, ge=1, examples=[360])
    """Bandwidth of the GPU's memory in GB/s, which limits decode. Left out: looked up by the card's name."""
    epochs: int = Field(default=6, ge=6, le=100)
    """How many answers are measured; from fewer, no change could be told from chance."""
    prompt_tokens: int = Field(default=512, ge=1)
    """Length of the prompts, about."""
    output_tokens: int = Field(default=128, ge=2)
    """Longest answer."""


class Models(Section):
    """The models the desktop serves."""

    chat: ChatModel
    """The model that writes the answers."""
    embedding: EmbeddingModel
    """The model that finds the passages."""
    benchmark: Benchmark = Benchmark()
    """How the chat model is measured, and what passes."""


class Docker(Section):
    """Docker Engine on the desktop."""

    source: Literal["distribution", "docker"] = "distribution"
    """Whose packages where there is no Docker yet: the distribution's own, or Docker's. An installed one is adopted."""
    registry_mirrors: tuple[Url, ...] = Field(default=(), examples=[["http://192.168.1.5:5000"]])
    """Mirrors of Docker Hub to ask first."""


class Images(Section):
    """Container images by exact version. The digest met at the first pull is recorded and kept to from then on."""

    postgres: Image = Field(examples=["postgres:17.6"])
    """PostgreSQL, the source of truth."""
    redis: Image = Field(examples=["redis:8.0.2"])
    """Redis, the queue."""
    caddy: Image = Field(examples=["caddy:2.10.2"])
    """Caddy, which serves TLS."""
    chroma: Image = Field(examples=["chromadb/chroma:1.5.9"])
    """Chroma, the vector index."""
    python: Image = Field(examples=["python:3.13-slim"])
    """Base of the application's own image."""
    ollama: Image = Field(examples=["ollama/ollama:0.12.6"])
    """Ollama, the model server."""


class Stack(Section):
    """The services on the desktop."""

    images: Images
    """Container images by exact version."""
    scan_interval_s: int = Field(default=60, ge=1, le=86_400)
    """Seconds between two looks at the documents on the NAS."""


class Site(Section):
    """What a household wants: one desktop, one NAS, and what they are to each other."""

    plugin: Literal["tars.home.site"]
    """Names the inventory plugin, so that Ansible reads this file by itself."""
    domain: str = Field(default="home.arpa", pattern=DOMAIN, examples=["home.arpa"])
    """The household's DNS zone: home.arpa (RFC 8375) or a zone of your own, never .local (RFC 6762)."""
    network: Network
    """The household's network."""
    hosts: dict[Name, Annotated[Desktop | Nas, Field(discriminator="profile")]]
    """The two machines by their host names: one desktop, one NAS."""
    machines: dict[Name, Machine] = Field(default_factory=dict)
    """Other machines of the household that shares can be opened to."""
    shares: dict[ShareName, Share]
    """Shared folders of the NAS by name."""
    backup: Backup | None = None
    """Where the NAS keeps the desktop's backups. Left out: nowhere."""
    firewall: Firewall | None = None
    """Who may reach what on both machines. Left out: what they have stays."""
    names: Names | None = None
    """Name service of the household, by dnsmasq on the desktop. Left out: nobody serves the zone."""
    models: Models
    """The models the desktop serves."""
    docker: Docker = Docker()
    """Docker Engine on the desktop."""
    gpu: Literal["auto", "nvidia", "none"] = "auto"
    """Graphics processor for the models: an NVIDIA card if there is one, such a card required, or none."""
    stack: Stack
    """The services on the desktop."""

    @property
    def desktop(self) -> str:
        """Inventory name of the desktop."""
        return next(name for name, host in self.hosts.items() if isinstance(host, Desktop))

    @property
    def nas(self) -> str:
        """Inventory name of the NAS."""
        return next(name for name, host in self.hosts.items() if isinstance(host, Nas))

    def names_of(self, machine: str) -> list[str]:
        """Return the names in full of a machine of the household: its labels', then its own."""
        host = self.hosts.get(machine)
        return [f"{label}.{self.domain}" for label in (*(host.labels if host else ()), machine)]

    def addresses(self, sources: Iterable[str]) -> list[str]:
        """Return the addresses and networks that the firewall's sources stand for, each once, in their order."""
        known = {"household": self.network.cidr} | {
            name: machine.address for name, machine in (*self.hosts.items(), *self.machines.items())
        }
        return list(dict.fromkeys(str(known.get(source, source)) for source in sources))
