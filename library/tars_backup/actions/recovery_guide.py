# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts and scripts by which an exported backup is restored by hand, with the programs of any Linux distribution."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping

from .. import instants
from ..components.file_tree import TREE, Entry
from ..components.postgres import SCHEMA, TableFiles, identifier, set_sequence
from ..manifest import Manifest

TABLES = "postgres/tables.json"
LISTS = ("configuration/files.json", "site/files.json")

_GUIDE = """\
# Restore this backup by hand

Backup {id} of T.A.R.S. {version}, made at {made_at} on {host}. It contains all passwords and keys without encryption:
keep it where only you can read it.

You need tar, sha256sum and, for the database, psql and a server of PostgreSQL {postgres} or newer. Run the commands as
root, in this order.

Unpack the archive, and compare every file with its SHA-256:

```sh
tar -xzf {folder}.tar.gz
cd {folder}
sha256sum --check --quiet SHA256SUMS
```

## Database

Documents, versions, passages, vectors and conversations. Create an empty database and load it in one transaction: it is
complete, or as empty as before. Set PGHOST, PGUSER and PGPASSWORD first, as your server requires.

```sh
createdb tars
cd postgres
psql --dbname tars --no-psqlrc --quiet --set ON_ERROR_STOP=1 --single-transaction --file load.sql >/dev/null
cd ..
```

`postgres/tables.json` has the number of rows of every table. The rows themselves are text, one row a line, with a tab
between the columns that `tables.json` lists.

## Configuration and secrets

Everything that was below /opt/tars, with owners and modes. Set TARGET to `/` on a new machine, or to another folder:

```sh
sh configuration/restore.sh "$TARGET"
```

## Site folder

The spec, the vault and the certificate authority that the controller needs. Set SITE to a new folder. Where
`site/files.json` is an empty list, the controller had not sent them.

```sh
mkdir -p "$SITE"
sh site/restore.sh "$SITE"
```

## Queue

Only waiting jobs and rate limits: T.A.R.S. also works with an empty queue. Redis reads this file at its start, if it is
in its data folder and `appendonly` is off:

```sh
redis-check-rdb redis/dump.rdb
```

## Vectors and models

Chroma is filled again from the database; `chroma/collections.json` describes what it contained. `models/models.json`
has the names and digests of the models, which `ollama pull` brings back.
"""


def additions(document: Manifest, folder: str, lists: Mapping[str, bytes], names: Iterable[str]) -> dict[str, str]:
    """Return the files that an archive has besides those of the backup.

    Args:
        document: the manifest of the backup.
        folder: name of the archive's only folder.
        lists: content of those of TABLES and LISTS that the backup has.
        names: the files of the backup.
    """
    postgres = document.components.get("postgres")
    texts = {
        "RECOVERY.md": _GUIDE.format(
            id=document.id,
            version=document.versions.get("tars", ""),
            made_at=instants.to_text(document.made_at),
            host=document.host,
            postgres=(postgres.facts.get("postgres", "") if postgres else "").split(".")[0],
            folder=folder,
        )
    }
    if TABLES in lists:
        texts["postgres/load.sql"] = load_sql(lists[TABLES], names)
    for name in LISTS:
        if name in lists:
            texts[name.replace("files.json", "restore.sh")] = restore_script(lists[name])
    return texts


def load_sql(tables: bytes, names: Iterable[str]) -> str:
    """Return a script for psql, which is run in the folder `postgres`."""
    document = json.loads(tables)
    prefix = "postgres/"
    files = sorted(name[len(prefix) :] for name in names if name.startswith(f"{prefix}tables/"))
    lines = ["\\i pre-data.sql"]
    for table in map(TableFiles.of, document["tables"]):
        columns = ", ".join(map(identifier, table.columns))
        place = f"tables/{table.file_name}/" if table.split else f"tables/{table.file_name}.copy"
        lines += [
            f"\\copy {SCHEMA}.{identifier(table.name)} ({columns}) from '{file}'"
            for file in files
            if file.startswith(place)
        ]
    lines += [set_sequence(sequence).rstrip("\n") for sequence in document["sequences"]]
    return "\n".join([*lines, "\\i post-data.sql", ""])


def restore_script(entries: bytes) -> str:
    """Return a shell script that writes files below the folder in its first argument, with owners and modes."""
    lines = ["#!/bin/sh", "set -eu", 'tree="$(dirname "$0")/' + TREE + '"']
    lines += [_restored(Entry(**entry)) for entry in json.loads(entries)]
    return "\n".join([*lines, ""])


def _restored(entry: Entry) -> str:
    name = shlex.quote(entry.path)
    owner = f"-o {entry.uid} -g {entry.gid}"
    if entry.kind == "folder":
        return f'install -d -m {entry.mode} {owner} "$1"/{name}'
    if entry.kind == "link":
        link = f'ln -sfn {shlex.quote(entry.target)} "$1"/{name}'
        return f'{link} && chown -h {entry.uid}:{entry.gid} "$1"/{name}'
    return f'install -D -m {entry.mode} {owner} "$tree"/{name} "$1"/{name}'
