# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file and the contract: everything that is wrong is named at once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tars_backup import configuration, contract
from tars_backup.errors import BackupError, UsageError

VALID: dict[str, Any] = {
    "schema": 1,
    "contract": "/opt/tars/contract.json",
    "restic": "/opt/tars/bin/restic",
    "key_file": "/opt/tars/secrets/backup_key",
    "repository": "/srv/tars/backup/repository",
    "repository_id": None,
    "mount": {"path": "/srv/tars/backup", "types": ["nfs", "nfs4"], "source": "10.77.0.20:/volume1/tars_backup"},
    "staging": "/var/lib/tars/backup/staging",
    "state": "/var/lib/tars/backup/state",
    "site": "/var/lib/tars/backup/site",
    "work": "/var/lib/tars/backup/work",
    "host": "xps8950",
    "zone": "Europe/Amsterdam",
    "retention": {"last": 3, "hourly": 48, "daily": 30, "weekly": 8, "monthly": 24, "yearly": 10},
    "configuration": ["/opt/tars"],
    "models": "digests",
    "free_mib": 1024,
}


def load(tmp_path: Path, document: object) -> configuration.Configuration:
    path = tmp_path / "backup.json"
    path.write_text(json.dumps(document))
    return configuration.load(path)


def test_valid(tmp_path: Path) -> None:
    loaded = load(tmp_path, VALID)
    assert loaded.mount == configuration.Mount(
        Path("/srv/tars/backup"), ("nfs", "nfs4"), "10.77.0.20:/volume1/tars_backup"
    )
    assert loaded.retention["hourly"] == 48
    assert loaded.good == Path("/srv/tars/backup/good")
    assert loaded.cache == Path("/var/lib/tars/backup/cache")


def test_questions_of_a_drill(tmp_path: Path) -> None:
    asked = {"question": "Where is the boat?", "path": "boat.txt"}
    loaded = load(tmp_path, {**VALID, "questions": [asked]})
    assert loaded.questions == (configuration.Question(**asked),) and load(tmp_path, VALID).questions == ()
    assert loaded.reports == Path("/srv/tars/backup/drills") and loaded.drill == Path("/var/lib/tars/backup/drill")
    for wrong in ("boat", ["boat"], [{"question": "boat"}], [{**asked, "answer": "here"}]):
        with pytest.raises(BackupError, match=r"questions: found .*; expected a list of objects with"):
            load(tmp_path, {**VALID, "questions": wrong})


def test_copies(tmp_path: Path) -> None:
    retention = {"last": 5}
    mount = {"path": "/srv/tars/copies/attic", "source": "10.77.0.30:/volume1/copy"}
    copies = {
        "cellar": {"disk": "0f3a-8d1e", "retention": retention},
        "attic": {"mount": mount, "repository": "/srv/tars/copies/attic/repository", "retention": retention},
        "away": {"server": {"url": "https://x/t/", "account": "t", "authority": True}, "retention": retention},
    }
    loaded = load(tmp_path, {**VALID, "copies": copies, "copy_ids": {"attic": "abc", "gone": "d"}})
    cellar, attic, away = (loaded.of_copy(name) for name in copies)
    assert attic.mount == configuration.Mount(
        Path("/srv/tars/copies/attic"), ("nfs", "nfs4"), "10.77.0.30:/volume1/copy"
    )
    assert (attic.repository_id, cellar.repository_id) == ("abc", None)
    assert attic.good == Path("/srv/tars/copies/attic/good")
    assert cellar.repository == Path("/var/lib/tars/backup/disks/cellar/repository")
    assert away.server == configuration.Server(
        "https://x/t/",
        "t",
        Path("/opt/tars/secrets/backup_copy_away"),
        Path("/opt/tars/secrets/backup_copy_away.pem"),
    )
    assert {place.state.name for place in (cellar, attic, away)} == set(copies)
    assert {place.cache for place in (cellar, attic, away, loaded)} == {loaded.cache}
    assert attic.retention == retention
    with pytest.raises(UsageError, match="a copy of this desktop: cellar, attic, away"):
        loaded.of_copy("loft")


@pytest.mark.parametrize("document", [[], 7, {}, {**VALID, "schema": 2}, {**VALID, "schema": "1"}])
def test_unknown_schema(tmp_path: Path, document: object) -> None:
    with pytest.raises(BackupError, match="expected schema 1"):
        load(tmp_path, document)


def test_absent_and_unreadable(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="No such file"):
        configuration.load(tmp_path / "absent.json")
    (tmp_path / "backup.json").write_text("{")
    with pytest.raises(BackupError, match="a readable JSON file"):
        configuration.load(tmp_path / "backup.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"restic": "bin/restic"}, 'restic: found "bin/restic"; expected an absolute path'),
        ({"repository_id": 7}, "repository_id: found 7"),
        ({"mount": {"path": "x"}}, 'mount.path: found "x"; expected an absolute path; mount.types: not present'),
        ({"zone": "Mars/Olympus"}, 'zone: found "Mars/Olympus"'),
        ({"zone": "../etc/passwd"}, "zone: found"),
        ({"models": "some"}, 'models: found "some"; expected digests or bytes'),
        ({"free_mib": True}, "free_mib: found true"),
        ({"extra": 1}, "extra: unknown key"),
        ({"retention": []}, "retention: found []"),
        ({"retention": {"last": 3, "hourley": 4}}, 'retention: found "hourley"; expected the rules last, hourly'),
        ({"retention": {"last": 3, "daily": -1}}, "retention.daily: found -1; expected a number of backups"),
        ({"retention": {"last": 3, "daily": "7"}}, 'retention.daily: found "7"'),
        ({"retention": {"last": 3, "daily": 1.5}}, "retention.daily: found 1.5"),
        ({"retention": {"last": 3, "daily": True}}, "retention.daily: found true"),
        ({"retention": {"last": 2, "daily": 9}}, "retention.last: found 2; expected at least 3"),
        ({"retention": {}}, "retention.last: found 0; expected at least 3"),
        ({"retention": None}, "retention: found null"),
        ({"copies": {"Cellar": {}}}, 'copies: found "Cellar"; expected names of lower-case letters'),
        (
            {"copies": {"a": {"retention": {"last": 3}}}},
            "copies.a.place: found no place; expected one of disk, mount, server",
        ),
        ({"copies": {"a": {"disk": "1", "server": {}}}}, "copies.a.place: found disk and server"),
        ({"copies": {"a": {"disk": "1", "retention": {"last": 1}}}}, "copies.a.retention.last: found 1"),
        ({"copies": {"a": {"disk": "1", "id": 2}}}, "copies.a.id: unknown key"),
        (
            {"copies": {"a": {"mount": {"path": "/a"}, "repository": "/b"}}},
            'copies.a.repository: found "/b"; expected a',
        ),
        ({"copies": {"a": {"server": {"url": "ftp://b"}}}}, 'copies.a.server.url: found "ftp://b"'),
    ],
)
def test_invalid_values(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(BackupError) as caught:
        load(tmp_path, {**VALID, **changes})
    assert message in str(caught.value)


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    with pytest.raises(BackupError) as caught:
        load(tmp_path, {"schema": 1, "zone": 7})
    message = str(caught.value)
    assert all(f"{key}: not present" in message for key in VALID if key not in ("schema", "zone"))


CONTRACT: dict[str, Any] = {
    "schema": 1,
    "version": "0.1",
    "project": "tars",
    "folder": "/opt/tars/stack",
    "compose_file": "/opt/tars/stack/compose.yaml",
    "data_folder": "/srv/tars/data",
    "documents_folder": "/srv/tars/documents",
    "application": {"version": "1", "image": "tars-app:1"},
    "images": {},
    "services": {
        "postgres": {
            "container": "tars-postgres-1",
            "image": "postgres:17",
            "user": 70,
            "volumes": [{"source": "/srv/tars/data/postgres", "target": "/var/lib/postgresql"}],
        }
    },
    "database": {"service": "postgres"},
    "queue": {},
    "vectors": {},
    "models": {},
    "page": {},
}


def test_contract(tmp_path: Path) -> None:
    path = tmp_path / "contract.json"
    path.write_text(json.dumps(CONTRACT))
    loaded = contract.load(path)
    assert loaded.services["postgres"].volumes == ((Path("/srv/tars/data/postgres"), "/var/lib/postgresql"),)
    path.write_text(json.dumps({**CONTRACT, "schema": 2}))
    with pytest.raises(BackupError, match="found schema 2; expected schema 1"):
        contract.load(path)
    path.write_text("[]")
    with pytest.raises(BackupError, match="expected schema 1"):
        contract.load(path)
    path.write_text(json.dumps({key: value for key, value in CONTRACT.items() if key != "project"}))
    with pytest.raises(BackupError, match="KeyError 'project'"):
        contract.load(path)
    with pytest.raises(BackupError, match="No such file"):
        contract.load(tmp_path / "absent")


def test_alarms(tmp_path: Path) -> None:
    assert load(tmp_path, VALID).alarms == configuration.Alarms()
    hooks = [
        {"kind": "mail", "to": ["a@example.org"], "sender": "b@example.org"},
        {"kind": "ntfy", "url": "https://ntfy.sh/x"},
    ]
    alarms = load(tmp_path, {**VALID, "alarms": {"silence_h": 9, "hooks": hooks}}).alarms
    assert (alarms.silence_h, alarms.sheet_days) == (9, 180)
    assert [(hook.kind, hook.to) for hook in alarms.hooks] == [("mail", ("a@example.org",)), ("ntfy", ())]
    assert load(tmp_path, VALID).alarm_secrets == Path("/opt/tars/secrets/backup_alarms.json")


@pytest.mark.parametrize(
    ("alarms", "message"),
    [
        ([], "alarms: found []; expected an object of limits"),
        ({"silence_h": 0}, "alarms.silence_h: found 0; expected at least 1"),
        ({"free_percent": -1}, "alarms.free_percent: found -1; expected at least 0"),
        ({"drill_days": "x"}, 'alarms.drill_days: found "x"; expected a whole number'),
        ({"colour": 1}, "alarms.colour: unknown key"),
        ({"hooks": 1}, "alarms.hooks: found 1; expected a list of objects"),
        ({"hooks": ["mail"]}, 'alarms.hooks: found ["mail"]; expected a list of objects'),
        ({"hooks": [{"kind": "mail", "colour": 1}]}, "alarms.hooks: found "),
        ({"hooks": [{"kind": "smoke"}]}, 'alarms.hooks: found ["smoke"]; expected mail, ntfy, webhook'),
        ({"hooks": [{"kind": "mail"}, {"kind": "mail"}]}, "each at most once"),
    ],
)
def test_invalid_alarms(tmp_path: Path, alarms: object, message: str) -> None:
    with pytest.raises(BackupError, match=re.escape(message)):
        load(tmp_path, {**VALID, "alarms": alarms})
