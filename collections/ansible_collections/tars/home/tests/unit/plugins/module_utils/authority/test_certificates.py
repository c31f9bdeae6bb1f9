# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate authority: openssl verifies its certificates, a table the reasons to issue one again."""

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


def signed(folder: Path, name: str, desired: Desired, above: Any = None) -> Path:
    """A certificate of a new key, whatever the authority's limits say."""
    certificate, key = above or (opened(folder).certificate, opened(folder).key)
    path = folder / f"{name}.pem"
    private = authority.make_key("root")
    path.write_bytes(authority.issue(certificate, key, private.public_key(), name, desired, NOW))
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


@pytest.mark.parametrize("desired", [NAS, Desired("server", scope(["home.arpa"], ["10.77.0.254"]), 1)])
def test_a_server_of_the_household_is_accepted(folder: Path, desired: Desired) -> None:
    verification = verified(folder, signed(folder, "server", desired))
    assert verification.returncode == 0, verification.stderr


@pytest.mark.parametrize(
    "desired",
    [
        Desired("server", scope(["bank.example"], ["10.77.0.20"]), 397),
        Desired("server", scope(["nothome.arpa"], ["10.77.0.20"]), 397),
        Desired("server", scope(["nas.home.arpa"], ["192.0.2.1"]), 397),
        Desired("server", scope(["nas.home.arpa"], ["fd00::1"]), 397),
    ],
    ids=lambda desired: str(desired.scope),
)
def test_a_server_outside_is_refused_by_others_and_not_issued(folder: Path, desired: Desired) -> None:
    verification = verified(folder, signed(folder, "outside", desired))
    assert verification.returncode != 0 and "subtree violation" in verification.stderr.lower(), verification.stderr
    with pytest.raises(AuthorityError, match=r"inside those of the authority, home\.arpa, 10\.77\.0\.0/24"):
        authority_files.Issued(str(folder), "outside", desired).reasons(opened(folder), NOW)


def test_an_issuer_signs_for_itself_and_for_nobody_else(folder: Path) -> None:
    issuer = signed(folder, "desktop", DESKTOP)
    above = authority.load(issuer.read_bytes()), authority.load_key((folder / "desktop.key").read_bytes())
    own = signed(folder, "own", Desired("server", DESKTOP.scope, 30), above)
    assert verified(folder, own, issuer).returncode == 0
    assert "permitted subtree" in verified(folder, signed(folder, "nas", NAS, above), issuer).stderr
    below = signed(folder, "below", DESKTOP, above)
    deeper = authority.load(below.read_bytes()), authority.load_key((folder / "below.key").read_bytes())
    verification = verified(folder, signed(folder, "deep", Desired("server", DESKTOP.scope, 30), deeper), issuer, below)
    assert "path length" in verification.stderr, verification


def test_issued_once_and_again_only_for_a_reason(folder: Path) -> None:
    issued, root = authority_files.Issued(str(folder), "nas", NAS), opened(folder)
    assert set(issued.reasons(root, NOW)) == {"it does not exist", "its key does not exist"}
    issued.issue(root, NOW)
    assert issued.reasons(root, NOW) == ()
    assert stat.S_IMODE(Path(issued.key_path).stat().st_mode) == 0o600
    assert verified(folder, Path(issued.path)).returncode == 0
    key, first = Path(issued.key_path).read_bytes(), issued.pem
    late = NOW + timedelta(days=NAS.days * 2 / 3 + 1)
    assert "less than a third" in " ".join(issued.reasons(root, late))
    issued.issue(root, late)
    assert issued.reasons(root, late) == () and issued.pem != first
    assert Path(issued.key_path).read_bytes() == key, "a renewal must not change the key"


@pytest.mark.parametrize(
    "harm", [lambda path: path.unlink(), lambda path: path.write_text("-----BEGIN"), lambda path: path.write_text("")]
)
@pytest.mark.parametrize("part", ["nas.pem", "nas.key"])
def test_what_was_lost_or_damaged_is_issued_again(folder: Path, harm: Any, part: str) -> None:
    issued, root = authority_files.Issued(str(folder), "nas", NAS), opened(folder)
    issued.issue(root, NOW)
    harm(folder / "issued" / part)
    assert issued.reasons(root, NOW)
    issued.issue(root, NOW)
    assert issued.reasons(root, NOW) == ()


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
        issued = authority_files.Issued(str(folder), "desktop", DESKTOP, request)
        assert issued.reasons(root, NOW)
        issued.issue(root, NOW)
        assert issued.reasons(root, NOW) == ()
    assert authority.read(issued.pem, root.certificate).scope == DESKTOP.scope
    assert "bank" not in openssl("x509", "-in", issued.path, "-noout", "-text").stdout
    assert not Path(issued.key_path).exists()
    # Check mode, where the machine has no key yet.
    assert authority_files.Issued(str(folder), "desktop", DESKTOP, "").reasons(root, NOW) == ()
    with pytest.raises(AuthorityError, match="certificate signing request"):
        dataclasses.replace(issued, request="nonsense").reasons(root, NOW)


def request_of_a_machine(folder: Path) -> str:
    """Return a request for a new key."""
    make = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=tars"]
    return openssl(*make, "-keyout", folder / "machine.key").stdout


def test_a_certificate_lost_here_is_taken_over_from_its_machine(folder: Path) -> None:
    root, request = opened(folder), request_of_a_machine(folder)
    issued = authority_files.Issued(str(folder), "desktop", DESKTOP, request)
    issued.issue(root, NOW)
    first = issued.pem
    Path(issued.path).unlink()
    restored = dataclasses.replace(issued, present=first.decode().strip())
    resource = authority_files.issued_resource(str(folder), PASSPHRASE, [restored], NOW, check_mode=False)
    (change,) = resource.plan(resource.read())
    assert str(change) == "take over from the machine the certificate desktop: it does not exist"
    resource.write([change])
    assert issued.pem == first and resource.plan(resource.read()) == []


@pytest.mark.parametrize("reason", ["another key", "another scope", "due", "nonsense"])
def test_a_certificate_of_a_machine_that_has_to_be_issued_again_is_not_taken_over(folder: Path, reason: str) -> None:
    root, request = opened(folder), request_of_a_machine(folder)
    desired = dataclasses.replace(DESKTOP, scope=NAS.scope) if reason == "another scope" else DESKTOP
    start = NOW - timedelta(days=DESKTOP.days * 2 / 3 + 1) if reason == "due" else NOW
    other = authority_files.Issued(str(folder), "desktop", desired, request)
    other.issue(root, start)
    present = "nonsense" if reason == "nonsense" else other.pem.decode()
    Path(other.path).unlink()
    asked = request_of_a_machine(folder) if reason == "another key" else request
    issued = authority_files.Issued(str(folder), "desktop", DESKTOP, asked, present)
    issued.issue(root, NOW)
    assert issued.pem.decode() != present and issued.reasons(root, NOW) == ()


CURRENT = authority.Certificate("server", NAS.scope, "key", True, NOW, NOW + timedelta(days=397))
LIMIT = NOW + timedelta(days=3650)


@pytest.mark.parametrize(
    ("changes", "later", "part"),
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
def test_reasons(changes: dict[str, Any], later: int, part: str | None) -> None:
    certificate = dataclasses.replace(CURRENT, **changes)
    why = authority.reasons(certificate, NAS, "key", LIMIT, NOW + timedelta(days=later))
    assert (part is None and not why) or (part is not None and len(why) == 1 and part in why[0]), why


def test_nothing_outlasts_the_authority(folder: Path) -> None:
    root, late = opened(folder), NOW + timedelta(days=3600)
    issued = authority_files.Issued(str(folder), "nas", NAS)
    issued.issue(root, late)
    assert authority.load(issued.pem).not_valid_after_utc == root.certificate.not_valid_after_utc
    assert issued.reasons(root, late + timedelta(days=49)) == ()


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
    ("harm", "part"),
    [
        (lose_key, "root.key: expected both parts"),
        (lose_certificate, "root.pem: expected both parts"),
        (other_key, "root.key is not the key of root.pem"),
        (other_passphrase, "a root.key that the passphrase opens"),
        (no_passphrase, "root.key: expected an encrypted key"),
    ],
)
def test_a_damaged_authority_is_reported_and_left_alone(folder: Path, harm: Any, part: str) -> None:
    harm(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(AuthorityError) as caught:
        opened(folder)
    assert part in str(caught.value) and PASSPHRASE not in str(caught.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_authority_whose_time_is_over_is_reported(made: Path) -> None:
    with pytest.raises(AuthorityError, match="expected a valid authority"):
        authority_files.open_root(str(made), PASSPHRASE, NOW + timedelta(days=3651))
