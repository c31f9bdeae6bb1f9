# SPDX-License-Identifier: GPL-3.0-or-later
"""The restic of the lab's desktop; PostgreSQL, Redis and Chroma on loopback, as the services of a contract."""

from __future__ import annotations

import ctypes
import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tars_backup.configuration import Configuration, Mount
from tars_backup.context import Context
from tars_backup.contract import Contract, Service
from tars_backup.deadline import Deadline
from tars_lab import restic as lab_restic

from ..servers import REDIS_PASSWORD, Server, start_chroma, start_postgres, start_redis
from .local_services import LocalServices

_HUGE_PAGE = 1 << 21
_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25


@pytest.fixture(scope="session", autouse=True)
def huge_pages() -> None:
    """Let this process keep its memory in huge pages, if the kernel has them: most tests here fork a hundred times.

    Each fork copies the tables of small pages, which takes ten times as long as all else that the child does.
    """
    madvise = ctypes.CDLL(None).madvise
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, rights, _, _, inode, *_ = line.split()
        start, end = (int(address, 16) for address in addresses.split("-"))
        start, end = -(-start // _HUGE_PAGE) * _HUGE_PAGE, end // _HUGE_PAGE * _HUGE_PAGE
        if rights == "rw-p" and inode == "0" and start < end:
            for advice in (_MADV_HUGEPAGE, _MADV_COLLAPSE):
                madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), advice)


@pytest.fixture(scope="session")
def restic() -> Path:
    """Return the path of a restic program, 0.18 or newer."""
    return lab_restic.binary()


@pytest.fixture(scope="session")
def workspace() -> Iterator[Path]:
    """A folder that servers under other accounts can reach too."""
    folder = Path(tempfile.mkdtemp(prefix="tars-backup-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres(workspace: Path) -> Iterator[Server]:
    server = start_postgres(workspace)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server(workspace: Path) -> Iterator[Server]:
    server = start_redis(workspace)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def chroma(workspace: Path) -> Iterator[Server]:
    server = start_chroma(workspace)
    yield server
    server.stop()


@dataclass
class Database:
    """A database of its own on the shared server, as a contract describes it."""

    contract: dict[str, Any]

    @property
    def url(self) -> str:
        return f"host=127.0.0.1 port={self.contract['port']} user=tars dbname={self.contract['name']}"

    def execute(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []


@dataclass
class Databases:
    """Creates databases, and drops them at the end."""

    port: int
    password_file: Path
    names: list[str] = field(default_factory=list)

    def create(self) -> Database:
        name = f"test_{uuid4().hex}"
        self._execute(f"CREATE DATABASE {name}")
        self.names.append(name)
        values = {"service": "postgres", "name": name, "user": "tars", "port": self.port}
        return Database({**values, "password_file": str(self.password_file)})

    def drop(self) -> None:
        for name in self.names:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(
            f"host=127.0.0.1 port={self.port} user=tars dbname=postgres", autocommit=True
        ) as connection:
            connection.execute(statement)


@pytest.fixture
def databases(postgres: Server, tmp_path: Path) -> Iterator[Databases]:
    password_file = tmp_path / "postgres_password"
    password_file.write_text("not-asked-for\n")
    databases = Databases(int(postgres.environment["PGPORT"]), password_file)
    yield databases
    databases.drop()


@dataclass
class Household:
    """The context of a backup over real servers, and what the tests change in it."""

    context: Context
    services: LocalServices
    folder: Path
    messages: list[str]

    def with_contract(self, **values: Any) -> Household:
        """Return the same household with other values in its contract."""
        contract = dataclasses.replace(self.context.contract, **values)
        return dataclasses.replace(self, context=dataclasses.replace(self.context, contract=contract))

    def with_configuration(self, **values: Any) -> Household:
        """Return the same household with other values in its configuration."""
        configuration = dataclasses.replace(self.context.configuration, **values)
        return dataclasses.replace(self, context=dataclasses.replace(self.context, configuration=configuration))


def configuration(folder: Path) -> Configuration:
    """Return a configuration whose folders are below one folder."""
    return Configuration(
        contract=folder / "contract.json",
        restic=Path("/usr/bin/restic"),
        key_file=folder / "key",
        repository=folder / "nas/repository",
        repository_id=None,
        mount=Mount(folder / "nas", ("nfs4",), "nas:/volume1/backup"),
        staging=folder / "staging",
        state=folder / "state",
        site=folder / "site",
        work=folder / "work",
        host="xps8950",
        zone="Europe/Amsterdam",
        retention={"last": 3},
        configuration=(folder / "opt",),
        models="digests",
        free_mib=1,
    )


@pytest.fixture
def household(tmp_path: Path) -> Household:
    """A household without servers: a contract whose folders are below tmp_path, and no rows anywhere."""
    password_file = tmp_path / "redis_password"
    password_file.write_text(f"{REDIS_PASSWORD}\n")
    messages: list[str] = []
    (tmp_path / "temporary").mkdir()
    services = LocalServices(tmp_path / "temporary")
    contract = Contract(
        version="1.0.0",
        project="tars",
        folder=tmp_path / "opt",
        compose_file=tmp_path / "opt/compose.yaml",
        data_folder=tmp_path / "data",
        documents_folder=tmp_path / "documents",
        application={"version": "1.0.0", "image": "tars-app:1.0.0"},
        images={},
        services={
            name: Service(f"tars-{name}-1", name, 10003, ((tmp_path / "data" / name, "/data"),))
            for name in ("postgres", "redis", "chroma", "ollama")
        },
        database={},
        queue={"service": "redis", "port": 1, "password_file": str(password_file)},
        vectors={"service": "chroma", "port": 1},
        models={"service": "ollama", "port": 1, "chat": "chat", "embedding": "embedding"},
        page={},
    )
    (tmp_path / "opt").mkdir()
    context = Context(configuration(tmp_path), contract, services, Deadline(600), messages.append)
    return Household(context, services, tmp_path, messages)


@pytest.fixture
def database(databases: Databases) -> Database:
    return databases.create()


@pytest.fixture
def stack(household: Household, database: Database, redis_server: Server, chroma: Server) -> Household:
    """A household with its servers."""
    contract = household.context.contract
    return household.with_contract(
        database=database.contract,
        queue={**contract.queue, "port": int(redis_server.environment["REDIS_PORT"])},
        vectors={"service": "chroma", "port": int(chroma.environment["CHROMA_URL"].rsplit(":", 1)[1])},
    )
