"""The first command: it tells its story, leaves what section 3 says, and wipes nothing that it did not make."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from gateway.audit.audit import audit
from tests.scenarios.conftest import passerelle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scenarios.conftest import Ran


def test_the_demo_does_what_it_says_in_french(demo: Ran) -> None:
    assert demo.code == 0, demo.text
    for word in ("confirmed", "not_confirmed", "not_found", "upstream_unavailable", "refusé au TLS"):
        assert word in demo.text
    assert "key_of_another_party" in demo.text
    assert "replayed" in demo.text
    assert "digest_mismatch" in demo.text
    assert "le registre tient" in demo.text
    assert "L'audit le refuse" in demo.text


def test_the_demo_leaves_the_folders_of_section_3(demo: Ran) -> None:
    for name in ("gateway/log/checkpoint", "gateway/db", "gateway/keys", "gateway/policy.yaml", "gateway/logs"):
        assert (demo.folder / name).exists(), name
    for name in (
        "roots/cooperative.pem",
        "crls",
        "log.vkey",
        "officers",
        "genesis",
        "periods",
        "remembered-checkpoint",
    ):
        assert (demo.folder / "trust" / name).exists(), name
    assert (demo.folder / "trust" / "remembered-checkpoint").exists()
    assert list((demo.folder / "sandbox" / "parties" / "cooperative" / "bodies").iterdir())
    assert list((demo.folder / "receipts").glob("*.jws"))
    assert not (demo.folder / "broken-copy").exists()


def test_receipts_hold_no_request_body(demo: Ran) -> None:
    for path in (demo.folder / "receipts").glob("*.json"):
        kept = json.loads(path.read_text(encoding="utf-8"))
        assert "family_name" not in json.dumps(kept)


def test_two_parties_have_handles_that_cannot_be_joined(demo: Ran) -> None:
    handles: dict[str, set[str]] = {}
    for path in (demo.folder / "receipts").glob("*.json"):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if handle := json.loads(kept["body"]).get("handle"):
            handles.setdefault(kept["party"], set()).add(handle)
    assert handles["cooperative"]
    assert handles["ministry"]
    assert handles["cooperative"].isdisjoint(handles["ministry"])


def test_audit_verify_speaks_for_scripts(demo: Ran) -> None:
    log, trust = str(demo.folder / "gateway" / "log"), str(demo.folder / "trust")
    good = passerelle("audit", "verify", log, "--trust", trust, "--json", cwd=demo.folder)
    assert good.returncode == 0
    assert json.loads(good.stdout)["holds"] is True
    copy = demo.folder.parent / "copy"
    shutil.copytree(log, copy)
    evidence = next(path for path in (copy / "evidence").rglob("*") if path.is_file())
    content = bytearray(evidence.read_bytes())
    content[-1] ^= 1
    evidence.chmod(0o644)
    evidence.write_bytes(content)
    bad = passerelle("audit", "verify", str(copy), "--trust", trust, "--json", cwd=demo.folder)
    found = json.loads(bad.stdout)
    shutil.rmtree(copy)
    assert bad.returncode == 1
    assert found["holds"] is False
    assert any(item["file"].startswith("evidence/") for item in found["findings"])


def test_audit_verify_without_its_folders_is_wrong_usage(demo: Ran) -> None:
    done = passerelle("audit", "verify", "nowhere", "--trust", str(demo.folder / "trust"), cwd=demo.folder)
    assert done.returncode == 2
    assert "nowhere" in done.stderr


def test_a_second_demo_wipes_the_first_and_works(demo: Ran, tmp_path: Path) -> None:
    home = tmp_path / "again"
    shutil.copytree(demo.folder, home / "var" / "demo")
    former = (home / "var" / "demo" / "trust" / "genesis").read_text(encoding="utf-8")
    done = passerelle("demo", cwd=home, lang="en_CA.UTF-8")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the log holds" in done.stdout
    assert (home / "var" / "demo" / "trust" / "genesis").read_text(encoding="utf-8") != former
    trust = home / "var" / "demo" / "trust"
    assert audit(home / "var" / "demo" / "gateway" / "log", trust).holds


def test_the_demo_leaves_alone_what_no_demo_made(tmp_path: Path) -> None:
    mine = tmp_path / "var" / "demo" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("keep me", encoding="utf-8")
    done = passerelle("demo", cwd=tmp_path)
    assert done.returncode == 2
    assert mine.read_text(encoding="utf-8") == "keep me"
    assert [path.name for path in mine.parent.iterdir()] == ["mine.txt"]
