# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the host that machines and images use, and checks of the host."""

from pathlib import Path

import pytest

from tars_lab import host
from tars_lab.commands import LabError, run

_PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"


def test_only_unknown_certificates_are_returned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "bundle.crt"
    bundle.write_text("# one\n" + _PEM.format("QUFB") + "\n" + _PEM.format("QkJC"))
    monkeypatch.setattr(host, "CA_BUNDLE", bundle)
    assert [pem.split("\n")[1] for pem in host.certificates(_PEM.format("QU\nFB"))] == ["QkJC"]


@pytest.mark.parametrize(
    ("files", "environment", "expected"),
    [
        ({}, {}, ""),
        (
            {".pip/pip.conf": "[global]\nindex-url = https://mirror.example/simple\nfind-links = /opt/wheels\n"},
            {},
            "[global]\nindex-url = https://mirror.example/simple\n",
        ),
        (
            {".config/pip/pip.conf": "[global]\nextra-index-url = file:///srv/simple https://two.example/simple\n"},
            {"PIP_INDEX_URL": "https://one.example/simple"},
            "[global]\nextra-index-url = https://two.example/simple\nindex-url = https://one.example/simple\n",
        ),
    ],
)
def test_pip_settings_exclude_folders_of_the_host(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    environment: dict[str, str],
    expected: str,
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    for option in ("INDEX_URL", "EXTRA_INDEX_URL", "TRUSTED_HOST", "PROXY"):
        monkeypatch.delenv(f"PIP_{option}", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(host, "PIP_FILES", [tmp_path / name for name in (".pip/pip.conf", ".config/pip/pip.conf")])
    assert host.pip_settings() == expected


def test_missing_packages_are_reported_with_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "shutil.which", lambda program: None if program in ("nft", "buildah") else f"/usr/bin/{program}"
    )
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabError, match=r"root[^$]*apt-get install .*buildah.*nftables"):
        host.check()


def test_a_failed_command_is_reported_with_its_last_output(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"making it: `sh -c [^`]*` ended with 3[^$]*no such luck"):
        run(["sh", "-c", "echo no such luck >&2; exit 3"], what="making it")
    with pytest.raises(LabError, match=r"full output: [^$]*no such luck"):
        run(["sh", "-c", "echo no such luck; exit 3"], log=tmp_path / "log")
    with pytest.raises(LabError, match="no-such-program: not installed"):
        run(["no-such-program"])
