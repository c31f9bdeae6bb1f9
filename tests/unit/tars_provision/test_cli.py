# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: exit codes and output."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tars_provision import next_step, project
from tars_provision.ansible.run import arguments
from tars_provision.assistant import client
from tars_provision.cli import main
from tars_provision.controller import setup, trust, vault

SPECS = Path(__file__).parent / "spec/specs"


@pytest.fixture
def site(tmp_path: Path, root: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a site and a home of its own."""
    monkeypatch.setenv("TARS_INVENTORY", str(tmp_path))
    shutil.copy(root / "inventories/lab/tars.yml", tmp_path)
    return tmp_path


def run(*arguments: str | Path, text: str = "") -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=text, prog_name="tars-provision")


def test_a_good_spec_is_0(site: Path) -> None:
    done = run("spec", "check")
    assert (done.exit_code, done.output) == (0, f"{site / 'tars.yml'}: no mistakes\n")


def test_a_spec_with_mistakes_is_2_for_every_command(site: Path) -> None:
    shutil.copy(SPECS / "issue.yml", site / "tars.yml")
    for command in ("spec check", "site", "plan", "verify", "init -i .", "ask x"):
        arguments = command.replace("-i .", f"-i {site}").split()
        done = run(*arguments)
        assert done.exit_code == 2, command
        assert done.output.count(f"{site / 'tars.yml'}:") == 5, command


def test_mistakes_as_json(site: Path) -> None:
    shutil.copy(SPECS / "gateway.yml", site / "tars.yml")
    done = run("spec", "check", "--json")
    assert done.exit_code == 2
    assert json.loads(done.output)["mistakes"][0] == {
        "file": str(site / "tars.yml"),
        "line": 4,
        "field": "hosts.xps8950.address",
        "found": "192.168.1.1, which is the router's too",
        "expected": "an address of its own",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["sit"],
        ["site", "--chek"],
        ["ask"],
        ["spec", "x"],
        ["ask", "--as-of", "yesterday", "What?"],
        ["diff", "lease.txt"],
        ["diff", "--since", "2024"],
        ["diff", "--since", "2024", "--topic", "rent", "lease.txt"],
        ["history", " "],
        ["history"],
        ["history", "--kept", "lease.txt"],
        ["forget"],
        ["forget", " "],
        ["forget", "--list", "lease.txt"],
        ["forget", "--undo", "lease.txt"],
        ["library", "--state", "lost"],
        ["library", "--text", " "],
        ["library", "file"],
        ["library", "retry"],
        ["library", "retry", "--failed", "lease.txt"],
        ["original"],
        ["original", " "],
        ["original", "lease.txt", "--as-of", "yesterday"],
        ["original", "lease.txt", "--output", ""],
        ["lab", "x"],
        ["nas", "facts", "--save", "x", "--replay", "y"],
        ["certificate", "timer", "maybe"],
        ["backup", "export", "latest"],
        ["backup", "key", "show"],
        ["restore", "--rollback", "--component", "postgres"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    "command",
    [
        "",
        "site",
        "plan",
        "verify",
        "ask",
        "init",
        "backup",
        "backup run",
        "backup key",
        "certificate",
        "demo",
        "diff",
        "doctor",
        "drill",
        "forget",
        "history",
        "lab",
        "lab up",
        "library",
        "library list",
        "library retry",
        "original",
        "restore",
        "spec",
        "spec check",
    ],
)
def test_every_command_explains_itself(command: str) -> None:
    done = run(*command.split(), "--help")
    assert done.exit_code == 0 and "Usage: tars-provision" in done.output
    assert "...\n" not in done.output.partition("[ARGS]...\n")[2], "no summary of a command is cut off"


def test_a_site_that_is_not_prepared_is_1_with_the_next_step(site: Path) -> None:
    done = run("site")
    assert done.exit_code == 1
    assert f"expected {', '.join(sorted(vault.NAMES))}. Run `{next_step.program()} init -i" in done.output
    vault.ensure(site)
    done = run("plan")
    assert done.exit_code == 1 and "found none; expected the fingerprint of ds1515plus's certificate" in done.output


def test_the_doctor_lists_failed_checks_with_the_next_step(site: Path) -> None:
    text = (site / "tars.yml").read_text()
    (site / "tars.yml").write_text(text.replace("10.77.0.", "127.0.0.").replace("5001", "9"))
    done = run("doctor", "--json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert [check["name"] for check in report["checks"]] == ["Python", "Ansible", "spec", "vault", "NAS", "desktop"]
    failed = {check["name"]: check for check in report["checks"] if not check["ok"]}
    assert set(failed) == {"vault", "NAS", "desktop"} and not report["ok"]
    assert "postgres_password" in failed["vault"]["found"] and " init -i " in failed["vault"]["fix"]
    assert "found no HTTPS" in failed["NAS"]["found"]
    (site / "tars.yml").write_text("")
    done = run("doctor")
    assert done.exit_code == 1 and "fail spec" in done.output and "desktop" not in done.output


def test_the_doctor_finds_a_missing_collection_and_starts_no_ansible(
    site: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (site / "tars.yml").read_text()
    (site / "tars.yml").write_text(text.replace("10.77.0.", "127.0.0.").replace("5001", "9"))
    vault.ensure(site)
    monkeypatch.setattr(project, "COLLECTION_PATHS", (tmp_path / "none",))
    report = {check["name"]: check for check in json.loads(run("doctor", "--json").stdout)["checks"]}
    assert f"tars.home: found nothing in {tmp_path / 'none'}" in report["Ansible"]["found"]
    assert report["desktop"]["found"].startswith("not checked, because Ansible cannot start")
    assert report["vault"]["ok"]
    vault.vault_password_file().unlink()
    report = {check["name"]: check for check in json.loads(run("doctor", "--json").stdout)["checks"]}
    assert "Copy the file" in report["vault"]["found"] and not report["vault"]["fix"], "init cannot create it"


def test_the_doctor_reports_a_login_that_fails_in_one_message(site: Path) -> None:
    text = (site / "tars.yml").read_text().replace("10.77.0.", "127.0.0.").replace("5001", "9")
    (site / "tars.yml").write_text(text.replace("connect:\n", "connect:\n      port: 1\n", 1))
    vault.ensure(site)
    report = {check["name"]: check for check in json.loads(run("doctor", "--json").stdout)["checks"]}
    actual = report["desktop"]["found"]
    assert actual.startswith("root@127.0.0.") and ", port 1: found " in actual, actual
    assert actual.count("; expected") == 1, actual


def test_a_question_to_a_site_without_an_authority_is_1(site: Path) -> None:
    done = run("ask", "Who?")
    assert done.exit_code == 1 and "root.pem: found No such file or directory; expected" in done.output


def test_the_fingerprint_is_the_one_that_openssl_reads(site: Path) -> None:
    done = run("certificate", "fingerprint")
    assert done.exit_code == 1 and "root.pem: found No such file or directory" in done.output
    path = trust.authority_file(site)
    path.parent.mkdir()
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null"]
    subprocess.run(["openssl", "req", "-x509", *key, "-subj", "/CN=Household", "-out", str(path)], check=True)
    reader = ["openssl", "x509", "-in", str(path), "-noout", "-fingerprint", "-sha256"]
    read = subprocess.run(reader, check=True, capture_output=True, text=True).stdout.strip().split("=")[1]
    assert setup.fingerprint_lines(read.replace(":", "").lower()) in run("certificate", "fingerprint").output
    data = json.loads(run("certificate", "fingerprint", "--json").output)
    assert data["sha256"] == read.replace(":", "").lower() and data["page"] == "https://tars.home.arpa/trust"


def test_init_writes_a_spec_to_start_from(site: Path, tmp_path: Path) -> None:
    done = run("init", "-i", tmp_path / "new")
    assert done.exit_code == 0 and "edit it, then run this command again" in done.output
    assert run("spec", "check", "-i", tmp_path / "new").exit_code == 0


def test_init_asks_for_the_password_of_the_nas_and_does_not_show_it(site: Path) -> None:
    text = (site / "tars.yml").read_text()
    (site / "tars.yml").write_text(text.replace("10.77.0.", "127.0.0.").replace("5001", "9"))
    done = run("init", "-i", site, text="hush-hush\n")
    assert done.exit_code == 1 and "found no HTTPS" in done.output, "nothing listens on port 9"
    assert "hush-hush" not in done.output
    assert vault.read(site)["dsm_password"] == "hush-hush"


def test_cancelling_is_130(site: Path) -> None:
    assert run("init", "-i", site).exit_code == 130, "no password was typed"


def test_which_site_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TARS_INVENTORY", raising=False)
    monkeypatch.setattr(project, "ROOT", tmp_path)
    assert project.default_inventory() == tmp_path / "inventories/lab"
    path = vault.secrets_file(tmp_path / "inventories/home")
    path.parent.mkdir(parents=True)
    path.touch()
    assert project.default_inventory() == tmp_path / "inventories/home"
    monkeypatch.setenv("TARS_INVENTORY", "elsewhere/tars.yml")
    assert project.inventory_dir(project.default_inventory()) == Path("elsewhere")


@pytest.mark.parametrize("limit", ["it's", ",", "xps8950 --tags base", "-x", '"', "$(id)", "a\nb", "xps8951", "all,b"])
def test_a_limit_is_one_argument_and_names_hosts(site: Path, limit: str) -> None:
    vault.ensure(site)
    trust.record(site, "ds1515plus", "ab" * 32)
    done = run("plan", "--limit", limit)
    assert done.exit_code == 2 and "expected one of xps8950, ds1515plus, desktop, nas, all" in done.output
    assert arguments(True, False, limit) == ["--check", f"--limit={limit}"]


@pytest.mark.parametrize("command", ["plan", "site", "verify"])
def test_an_empty_limit_does_not_select_all_machines(site: Path, command: str) -> None:
    done = run(command, "--limit", "")
    assert done.exit_code == 2 and "'--limit': found an empty name; expected the name of a machine" in done.output


@pytest.mark.parametrize(
    "arguments",
    [["plan", "-i"], ["init", "-i"], ["lab", "up", "-i"], ["nas", "facts", "--save"], ["ask"], ["demo", "--question"]],
)
def test_an_empty_value_is_wrong_usage(site: Path, arguments: list[str]) -> None:
    done = run(*arguments, "")
    assert done.exit_code == 2 and ": found an empty " in done.output, done.output


def test_an_empty_password_is_refused(site: Path) -> None:
    done = run("init", "-i", site, "--dsm-password-file", "-", text="\n")
    assert done.exit_code == 2 and "found an empty first line in <stdin>" in done.output, done.output
    assert not vault.secrets_file(site).exists()


@pytest.mark.parametrize("arguments", [["plan"], ["plan", "--chek"], ["nonsense"], ["certificate", "fingerprint"]])
def test_an_error_is_one_json_object(site: Path, arguments: list[str]) -> None:
    done = run(*arguments, "--json")
    data = json.loads(done.stdout)
    assert data["exit_code"] == done.exit_code and data["error"] and not done.stderr


@pytest.mark.parametrize("state", ["not a directory", "a folder"])
def test_init_names_the_next_step_where_it_cannot_write(site: Path, own_home: Path, state: str) -> None:
    folder = site / "new"
    if state == "a folder":
        (folder / "tars.yml").mkdir(parents=True)
    else:
        folder.touch()
    done = run("init", "-i", folder)
    assert done.exit_code in (1, 2) and "Traceback" not in done.output
    assert "Move the file" in done.output or "move it away" in done.output, done.output


@pytest.mark.parametrize("name", ["mine.yml", "tars.yaml", "secrets.yml"])
def test_a_file_that_no_command_would_read_is_refused(site: Path, name: str) -> None:
    (site / name).write_text("plugin: tars.home.site\n")
    for command in (["spec", "check"], ["plan"], ["init"]):
        done = run(*command, "-i", site / name)
        assert (done.exit_code, done.output) == (
            2,
            f"Error: {site / name}: found a file named {name}; expected tars.yml or the folder that holds it\n",
        )


@pytest.mark.parametrize(
    ("lines", "events"),
    [
        (["event: token", 'data: {"text": "a"}', ""], [("token", {"text": "a"})]),
        (["event:token", 'data:{"text":', 'data: "a"}', ""], [("token", {"text": "a"})]),
        ([": ping", "", "data: {}", ""], [("message", {})]),
        (["event: token", "id: 1", 'data: {"text": "cut off"}'], []),
    ],
)
def test_server_sent_events(lines: list[str], events: list[object]) -> None:
    assert list(client.events(lines)) == events


def test_an_answer_is_shown_as_it_comes_and_then_its_citations() -> None:
    source = {"id": 1, "source": "LLM_docs", "path": "house/heating.pdf"}
    quotes = [{"source": 1, "quote": "E15 means\n water", "label": "page 3"}, {"source": 2, "quote": "b", "label": ""}]
    shown: list[str] = []
    answer = client.show(
        [
            ("sources", {"sources": [source, {"id": 2, "source": "LLM_docs", "path": "a.txt", "note": "Not all."}]}),
            ("token", {"text": "Wa"}),
            ("token", {"text": "ter."}),
            ("done", {"answer": "Water.", "citations": quotes}),
        ],
        shown.append,
    )
    assert shown[:2] == ["Wa", "ter."]
    assert (
        "".join(shown[2:])
        == '\n\n[1] LLM_docs/house/heating.pdf, page 3: "E15 means water"\n[2] LLM_docs/a.txt: "b" (Not all.)\n'
    )
    assert answer["citations"] == quotes


def test_what_the_documents_do_not_support_is_shown() -> None:
    shown: list[str] = []
    part = {"text": "September 2022", "start": 12, "end": 26, "kind": "date", "reason": "absent"}
    sentence = {"number": 1, "start": 0, "end": 27, "unsupported": [part]}
    done = {"answer": "Serviced in September 2022.", "citations": [], "sentences": [sentence], "note": "Not in them."}
    client.show([("token", {"text": done["answer"]}), ("sentence", sentence), ("done", done)], shown.append)
    assert "".join(shown[1:]) == '\n\n! "September 2022" is in no passage that was read\nNot in them.\n'


def test_an_honest_answer_without_evidence_is_shown() -> None:
    shown: list[str] = []
    client.show(
        [("sources", {"sources": []}), ("done", {"answer": "Nothing in the documents.", "citations": []})], shown.append
    )
    assert "".join(shown) == "Nothing in the documents.\n"
