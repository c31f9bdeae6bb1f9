# SPDX-License-Identifier: GPL-3.0-or-later
"""The household's authority. What it makes is judged by openssl; what has to be made anew, by a table."""

import dataclasses
import shutil
import stat
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.module_utils.authority import certificates as authority
from ansible_collections.tars.home.plugins.module_utils.authority import files as authority_files
from ansible_collections.tars.home.plugins.module_utils.authority.certificates import AuthorityError, Desired, scope

NOW = datetime.now(timezone.utc)
PASSPHRASE = "opens it"
ROOT = Desired("root", scope(["home.arpa"], ["10.77.0.0/24"]), 3650)
NAS = Desired("server", scope(["nas.home.arpa", "ds1515plus.home.arpa"], ["10.77.0.20"]), 397)
DESKTOP = Desired("issuer", scope(["tars.home.arpa"], ["10.77.0.10"]), 1095)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority in it, for reading."""
    folder = tmp_path_factory.mktemp("made") / "authority"
    authority_files.make_root(str(folder), PASSPHRASE, "Household", ROOT, NOW)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """The same, for changing."""
    return Path(shutil.copytree(made, tmp_path / "authority"))


def openssl(*arguments: Any, key: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *map(str, arguments)], input=key, capture_output=True, text=True)


def opened(folder: Path) -> authority_files.Root:
    root = authority_files.open_root(str(folder), PASSPHRASE, NOW)
    assert root is not None
    return root


def signed(folder: Path, name: str, wish: Desired, above: Any = None) -> Path:
    """A certificate of a new key, whatever the authority's limits say."""
    certificate, key = above or (opened(folder).certificate, opened(folder).key)
    path = folder / f"{name}.pem"
    private = authority.make_key("root")
    path.write_bytes(authority.issue(certificate, key, private.public_key(), name, wish, NOW))
    (folder / f"{name}.key").write_bytes(authority.key_pem(private))
    return path


def verified(folder: Path, path: Path, *between: Path) -> subprocess.CompletedProcess[str]:
    chain = [option for other in between for option in ("-untrusted", other)]
    root = folder / "root.pem"
    return openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", root, *chain, path)


def test_the_key_is_encrypted_and_private(made: Path) -> None:
    key = made / "root.key"
    assert "ENCRYPTED" in key.read_text() and stat.S_IMODE(key.stat().st_mode) == 0o600
    assert openssl("pkey", "-in", key, "-noout", "-passin", "pass:").returncode != 0
    assert openssl("pkey", "-in", key, "-noout", "-passin", "stdin", key=PASSPHRASE).returncode == 0


def test_the_root_is_limited_to_the_zone_and_the_network(made: Path) -> None:
    shown = openssl("x509", "-in", made / "root.pem", "-noout", "-text").stdout
    after = shown.split("X509v3 Name Constraints: critical")[1].split("Signature")[0].split()
    outside = ["Excluded:", "IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0"]
    assert after == ["Permitted:", "DNS:home.arpa", "IP:10.77.0.0/255.255.255.0", *outside], shown


@pytest.mark.parametrize("wish", [NAS, Desired("server", scope(["home.arpa"], ["10.77.0.254"]), 1)])
def test_a_server_of_the_household_is_vouched_for(folder: Path, wish: Desired) -> None:
    judged = verified(folder, signed(folder, "server", wish))
    assert judged.returncode == 0, judged.stderr


@pytest.mark.parametrize(
    "wish",
    [
        Desired("server", scope(["bank.example"], ["10.77.0.20"]), 397),
        Desired("server", scope(["nothome.arpa"], ["10.77.0.20"]), 397),
        Desired("server", scope(["nas.home.arpa"], ["192.0.2.1"]), 397),
        Desired("server", scope(["nas.home.arpa"], ["fd00::1"]), 397),
    ],
    ids=lambda wish: str(wish.scope),
)
def test_a_server_outside_is_refused_by_others_and_not_issued(folder: Path, wish: Desired) -> None:
    judged = verified(folder, signed(folder, "outside", wish))
    assert judged.returncode != 0 and "subtree violation" in judged.stderr.lower(), judged.stderr
    with pytest.raises(AuthorityError, match=r"inside those of the authority, home\.arpa, 10\.77\.0\.0/24"):
        authority_files.Issued(str(folder), "outside", wish).reasons(opened(folder), NOW)


def test_an_issuer_signs_for_itself_and_for_nobody_else(folder: Path) -> None:
    issuer = signed(folder, "desktop", DESKTOP)
    above = authority.load(issuer.read_bytes()), authority.load_key((folder / "desktop.key").read_bytes())
    own = signed(folder, "own", Desired("server", DESKTOP.scope, 30), above)
    assert verified(folder, own, issuer).returncode == 0
    assert "permitted subtree" in verified(folder, signed(folder, "nas", NAS, above), issuer).stderr
    below = signed(folder, "below", DESKTOP, above)
    deeper = authority.load(below.read_bytes()), authority.load_key((folder / "below.key").read_bytes())
    judged = verified(folder, signed(folder, "deep", Desired("server", DESKTOP.scope, 30), deeper), issuer, below)
    assert "path length" in judged.stderr, judged


def test_issued_once_and_again_only_for_a_reason(folder: Path) -> None:
    one, root = authority_files.Issued(str(folder), "nas", NAS), opened(folder)
    assert set(one.reasons(root, NOW)) == {"it does not exist", "its key does not exist"}
    one.issue(root, NOW)
    assert one.reasons(root, NOW) == ()
    assert stat.S_IMODE(Path(one.key_path).stat().st_mode) == 0o600
    assert verified(folder, Path(one.path)).returncode == 0
    key, first = Path(one.key_path).read_bytes(), one.pem
    late = NOW + timedelta(days=NAS.days * 2 / 3 + 1)
    assert "less than a third" in " ".join(one.reasons(root, late))
    one.issue(root, late)
    assert one.reasons(root, late) == () and one.pem != first
    assert Path(one.key_path).read_bytes() == key, "a renewal must not change the key"


@pytest.mark.parametrize(
    "harm", [lambda path: path.unlink(), lambda path: path.write_text("-----BEGIN"), lambda path: path.write_text("")]
)
@pytest.mark.parametrize("part", ["nas.pem", "nas.key"])
def test_what_was_lost_or_damaged_is_issued_anew(folder: Path, harm: Any, part: str) -> None:
    one, root = authority_files.Issued(str(folder), "nas", NAS), opened(folder)
    one.issue(root, NOW)
    harm(folder / "issued" / part)
    assert one.reasons(root, NOW)
    one.issue(root, NOW)
    assert one.reasons(root, NOW) == ()


def test_of_a_request_only_the_key_counts(folder: Path) -> None:
    make = [
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=bank.example",
    ]
    requests = [
        openssl(*make, "-keyout", folder / "asked.key", "-addext", "basicConstraints=CA:TRUE").stdout for _ in "ab"
    ]
    root = opened(folder)
    for request in requests:
        one = authority_files.Issued(str(folder), "desktop", DESKTOP, request)
        assert one.reasons(root, NOW)
        one.issue(root, NOW)
        assert one.reasons(root, NOW) == ()
    assert authority.read(one.pem, root.certificate).scope == DESKTOP.scope
    assert "bank" not in openssl("x509", "-in", one.path, "-noout", "-text").stdout
    assert not Path(one.key_path).exists()
    # Check mode, where the machine has no key yet.
    assert authority_files.Issued(str(folder), "desktop", DESKTOP, "").reasons(root, NOW) == ()
    with pytest.raises(AuthorityError, match="certificate signing request"):
        dataclasses.replace(one, request="nonsense").reasons(root, NOW)


FOUND = authority.Certificate("server", NAS.scope, "key", True, NOW, NOW + timedelta(days=397))
LIMIT = NOW + timedelta(days=3650)


@pytest.mark.parametrize(
    ("found", "later", "wanted"),
    [
        ({}, 0, None),
        ({}, 264, None),
        ({}, 265, "less than a third"),
        ({}, 500, "less than a third"),
        ({"signed": False}, 0, "another authority"),
        ({"kind": "issuer"}, 0, "of the kind issuer, expected server"),
        ({"scope": DESKTOP.scope}, 0, "it is for tars.home.arpa, 10.77.0.10"),
        ({"key": "other"}, 0, "another key"),
        ({"end": NOW + timedelta(days=90)}, 0, "lifetime is 90 days"),
        ({"end": LIMIT}, 3640, None),
    ],
)
def test_reasons(found: dict[str, Any], later: int, wanted: str | None) -> None:
    certificate = dataclasses.replace(FOUND, **found)
    why = authority.reasons(certificate, NAS, "key", LIMIT, NOW + timedelta(days=later))
    assert (wanted is None and not why) or (wanted is not None and len(why) == 1 and wanted in why[0]), why


def test_nothing_outlasts_the_authority(folder: Path) -> None:
    root, late = opened(folder), NOW + timedelta(days=3600)
    one = authority_files.Issued(str(folder), "nas", NAS)
    one.issue(root, late)
    assert authority.load(one.pem).not_valid_after_utc == root.certificate.not_valid_after_utc
    assert one.reasons(root, late + timedelta(days=49)) == ()


def lose_key(folder: Path) -> None:
    (folder / "root.key").unlink()


def lose_certificate(folder: Path) -> None:
    (folder / "root.pem").unlink()


def other_key(folder: Path) -> None:
    (folder / "root.key").write_bytes(authority.key_pem(authority.make_key("root"), PASSPHRASE))


def other_passphrase(folder: Path) -> None:
    (folder / "root.key").write_bytes(authority.key_pem(opened(folder).key, "something else"))


def no_passphrase(folder: Path) -> None:
    (folder / "root.key").write_bytes(authority.key_pem(opened(folder).key))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lose_key, "root.key: expected both parts"),
        (lose_certificate, "root.pem: expected both parts"),
        (other_key, "root.key is not the key of root.pem"),
        (other_passphrase, "a root.key that the passphrase opens"),
        (no_passphrase, "root.key: expected an encrypted key"),
    ],
)
def test_a_damaged_authority_is_said_and_left_alone(folder: Path, harm: Any, said: str) -> None:
    harm(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(AuthorityError) as told:
        opened(folder)
    assert said in str(told.value) and PASSPHRASE not in str(told.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_authority_whose_time_is_over_is_said(made: Path) -> None:
    with pytest.raises(AuthorityError, match="expected a valid authority"):
        authority_files.open_root(str(made), PASSPHRASE, NOW + timedelta(days=3651))
