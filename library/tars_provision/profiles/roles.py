# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of each role that the spec decides, as types.

The keys are the names of the roles' variables (meta/argument_specs.yml), the values are plain data. Secrets are not
among them: the profile roles take those from the vault.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class Certificate(TypedDict):
    """One entry of `authority_certificates`: a server certificate by name, with DNS names and IP addresses."""

    name: str
    names: list[str]
    addresses: list[str]


class Authority(TypedDict):
    """Role tars.home.authority."""

    authority_zones: list[str]
    authority_networks: list[str]
    authority_certificates: list[Certificate]


class HostAddress(TypedDict):
    """Role tars.home.host_address."""

    host_address_interface: str
    host_address_address: str
    host_address_network: str
    host_address_gateway: str
    host_address_method: Literal["static", "reservation"]
    host_address_dns: list[str]


class Service(TypedDict):
    """One entry of `host_firewall_services`."""

    name: str
    ports: list[int]
    protocol: NotRequired[Literal["tcp", "udp", "dns"]]
    sources: list[str]


class HostFirewall(TypedDict):
    """Role tars.home.host_firewall."""

    host_firewall_enabled: bool
    host_firewall_interface: str
    host_firewall_services: list[Service]


class Record(TypedDict):
    """One entry of `names_records`: a machine's own name in full, its further names, its addresses."""

    name: str
    aliases: list[str]
    addresses: list[str]


class Names(TypedDict):
    """Role tars.home.names."""

    names_enabled: bool
    names_zone: str
    names_networks: list[str]
    names_address: str
    names_records: list[Record]
    names_upstream: list[str]


class Nvidia(TypedDict):
    """Role tars.home.nvidia."""

    nvidia_required: bool


class DockerEngine(TypedDict):
    """Role tars.home.docker_engine."""

    docker_engine_source: Literal["distribution", "docker"]
    docker_engine_registry_mirrors: list[str]


class Mount(TypedDict):
    """One entry of `nfs_mount_mounts`."""

    source: str
    path: str
    read_only: bool
    options: NotRequired[list[str]]


class NfsMount(TypedDict):
    """Role tars.home.nfs_mount."""

    nfs_mount_mounts: list[Mount]


class Images(TypedDict):
    """The value of `stack_images`: image references by exact version."""

    postgres: str
    redis: str
    caddy: str
    chroma: str
    python: str
    ollama: str


class Stack(TypedDict):
    """Role tars.home.stack."""

    stack_version: str
    stack_images: Images
    stack_scan_interval_s: int
    stack_names: list[str]
    stack_addresses: list[str]
    stack_chat_model: str
    stack_context_tokens: int
    stack_answer_tokens: int
    stack_embedding_model: str
    stack_time_zone: str
    stack_history_shares: list[str]
    stack_history_days: int
    stack_versions_years: int
    stack_uploads_mount: str
    stack_uploads_place: str


class BackupMount(TypedDict):
    """The value of `backup_mount`: folder of the machine, and the export that is mounted there."""

    path: str
    source: str


class Alarm(TypedDict):
    """One entry of `hooks` in `backup_alarms`: a kind (mail, ntfy, webhook) with its options."""

    kind: str
    url: NotRequired[str]
    to: NotRequired[list[str]]
    sender: NotRequired[str]
    server: NotRequired[str]
    port: NotRequired[int]
    encryption: NotRequired[str]
    user: NotRequired[str]


class Alarms(TypedDict):
    """The value of `backup_alarms`."""

    silence_h: int
    drill_days: int
    sheet_days: int
    free_percent: int
    hooks: list[Alarm]


class Backup(TypedDict):
    """Role tars.home.backup."""

    backup_copies: dict[str, dict[str, object]]
    backup_copy_authorities: dict[str, str]
    backup_drill_questions: list[dict[str, str]]
    backup_drill_schedule: Literal["weekly", "monthly"]
    backup_alarms: Alarms
    backup_host: str
    backup_image: str
    backup_mount: BackupMount
    backup_retention: dict[str, int]
    backup_schedule: Literal["hourly", "daily"]
    backup_site_files: list[str]
    backup_zone: str


class Models(TypedDict):
    """Role tars.home.models."""

    models_names: list[str]


class Benchmark(TypedDict):
    """The value of `xps8950_benchmark`: options of tars.home.llm_benchmark; lengths in tokens, bandwidth in GB/s."""

    prompt_tokens: int
    output_tokens: int
    epochs: int
    floor_tokens_per_s: float
    memory_bandwidth_gb_s: float | None


class Check(TypedDict):
    """One check of tars.home.health_checks: a command, and a regular expression that its output must match."""

    name: str
    command: list[str]
    expect: str
    fix: str


class Desktop(TypedDict):
    """The profile role xps8950: which of the optional roles run, and what its own tasks need."""

    xps8950_firewall: bool
    xps8950_names: bool
    xps8950_nvidia: bool
    xps8950_backup: bool
    xps8950_mount_checks: list[Check]
    xps8950_benchmark: Benchmark


class StaticAddress(TypedDict):
    """The value of `nas_static_address`."""

    serial: str
    found_at: str
    address: str
    prefix: int
    gateway: str


class NasShare(TypedDict):
    """One entry of `nas_shares`."""

    name: str
    volume: str
    description: str
    quota_mib: NotRequired[int]


class ExportRule(TypedDict):
    """One entry of an export's `rules`."""

    client: str
    access: Literal["ro", "rw"]
    squash: str


class Export(TypedDict):
    """One entry of `nas_exports`: a share with all its rules."""

    share: str
    rules: list[ExportRule]


class Permission(TypedDict):
    """One entry of a share's `permissions`."""

    user: str
    access: Literal["ro", "rw"]


class SharePermissions(TypedDict):
    """One entry of `nas_permissions`."""

    share: str
    permissions: list[Permission]
    exclusive: bool


class ShareSnapshots(TypedDict):
    """One entry of `nas_snapshots`: hour of the day, how many snapshots stay for each period, and who sees them."""

    share: str
    schedule: NotRequired[dict[str, int]]
    retention: NotRequired[dict[str, int]]
    visible: NotRequired[bool]


class FirewallRule(TypedDict):
    """One entry of a section's `rules`."""

    name: str
    action: NotRequired[Literal["drop"]]
    protocol: Literal["tcp", "all"]
    ports: list[str]
    sources: list[str]


class FirewallSection(TypedDict):
    """One entry of `nas_firewall_sections`."""

    adapter: str
    policy: Literal["allow", "drop"]
    rules: list[FirewallRule]


class Nas(TypedDict):
    """Role tars.home.nas."""

    nas_host: str
    nas_port: int
    nas_account: str
    nas_static_address: StaticAddress | None
    nas_server_name: str
    nas_gateway: str
    nas_resolvers: list[str] | None
    nas_time_zone: str
    nas_ntp_servers: list[str]
    nas_shares: list[NasShare]
    nas_exports: list[Export]
    nas_permissions: list[SharePermissions]
    nas_snapshots: list[ShareSnapshots]
    nas_firewall_enabled: bool
    nas_firewall_sections: list[FirewallSection]


class Account(TypedDict):
    """One entry of `ds1515plus_accounts`: an account of the NAS without its password, which is in the vault."""

    name: str
    description: str


class NasProfile(TypedDict):
    """The profile role ds1515plus: accounts that need a password, and what the desktop must and must not reach."""

    ds1515plus_accounts: list[Account]
    ds1515plus_desktop: str
    ds1515plus_desktop_mounts: bool
    ds1515plus_desktop_manages: bool
