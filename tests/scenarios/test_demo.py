"""The first command: it tells its story, leaves what section 3 says, and wipes nothing that it did not make."""

from __future__ import annotations

import json
import shutil
import sqlite3
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
    assert "party_suspended" in demo.text
    assert "replayed" in demo.text
    assert "digest_mismatch" in demo.text
    assert "le registre tient" in demo.text
    assert "L'audit le refuse" in demo.text
    assert "accusé réception de 8 réponses" in demo.text
    assert "Les 27 reçus" in demo.text


def test_the_demo_tells_of_the_registry(demo: Ran) -> None:
    """A batch that was killed, the counts in both forms, a notice to two who were down, the family's view."""
    assert "120 réponses" in demo.text
    assert "tué (kill -9) après" in demo.text
    assert "Par SOAP" in demo.text
    assert "Les deux sont de retour: les avis leur sont remis" in demo.text
    assert "Ce que la famille peut demander" in demo.text
    with sqlite3.connect(demo.folder / "sandbox" / "cooperative" / "registrations.sqlite") as registry:
        assert registry.execute("SELECT COUNT(*) FROM registrations").fetchone() == (600,)
    for authority, event in (("ministry", "OFFERTE"), ("benefits", "OFF")):
        with sqlite3.connect(demo.folder / "sandbox" / f"{authority}-notices" / "notices.sqlite") as held:
            assert held.execute("SELECT event FROM notices").fetchall() == [(event,)]
    results = demo.folder / "sandbox" / "parties" / "cooperative" / "requests" / "lot.csv.resultats.csv"
    assert results.read_text(encoding="utf-8").count("confirmed") == 120


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


def test_the_receipts_and_bodies_that_the_demo_leaves_are_held_against_its_log(demo: Ran) -> None:
    log, trust, receipts = (str(demo.folder / name) for name in ("gateway/log", "trust", "receipts"))
    verified = passerelle("audit", "verify", log, "--trust", trust, "--receipts", receipts, "--json", cwd=demo.folder)
    found = json.loads(verified.stdout)
    assert (verified.returncode, found["holds"]) == (0, True)
    receipts_of = [path for path in (demo.folder / "receipts").iterdir() if path.suffix in {".json", ".xml"}]
    assert found["receipts"]["held"] == len(receipts_of)
    assert found["facts"]["acknowledged"] == 8
    # the line of a batch is acknowledged by nobody, and the report says so
    assert found["facts"]["unacknowledged"] > 120
    for party in ("cooperative", "ministry"):
        kept = str(demo.folder / "sandbox" / "parties" / party / "bodies")
        checked = passerelle(
            "audit", "check-kept", log, "--trust", trust, "--kept", kept, "--receipts", receipts, "--json",
            cwd=demo.folder,
        )  # fmt: skip
        counts = json.loads(checked.stdout)["kept"]
        assert checked.returncode == 0, checked.stdout
        assert counts["compared"] > 3
        assert (counts["absent"], counts["failed"]) == (0, 0)


def test_what_the_registry_got_and_gave_is_what_callers_asked_and_got(demo: Ran) -> None:
    """`audit translate` over what each of them kept, as the guide shows it; nobody else can read the registry's."""
    log, trust = str(demo.folder / "gateway" / "log"), str(demo.folder / "trust")
    there = demo.folder / "sandbox" / "civil-registry" / "kept"
    assert {path.stat().st_mode & 0o077 for path in (there, *there.iterdir())} == {0}
    parties = [str(demo.folder / "sandbox" / "parties" / name / "bodies") for name in ("cooperative", "ministry")]
    asked = ["audit", "translate", log, "--trust", trust, "--kept", parties[0], "--kept", parties[1]]
    compared = passerelle(*asked, "--upstream", str(there), "--json", cwd=demo.folder)
    counts = json.loads(compared.stdout)["translated"]
    assert compared.returncode == 0, compared.stdout
    # of a batch's lines the party keeps no bodies: its file, key and receipts make each again
    assert counts["requests"] == 10
    assert counts["answers"] > 3
    assert (counts["absent"], counts["failed"]) == (0, 0)


def test_a_body_that_was_changed_is_named_in_words(demo: Ran, tmp_path: Path) -> None:
    kept = shutil.copytree(demo.folder / "sandbox" / "parties" / "ministry" / "bodies", tmp_path / "kept")
    # of a refusal at step 1 a leaf stands for all of its minute, so that no digest of it is there to be compared
    victim = min(path for path in kept.glob("*.answer.json") if "outcome" in json.loads(path.read_bytes()))
    victim.write_bytes(victim.read_bytes() + b" ")
    log, trust = str(demo.folder / "gateway" / "log"), str(demo.folder / "trust")
    checked = passerelle("audit", "check-kept", log, "--trust", trust, "--kept", str(kept), cwd=demo.folder)
    assert checked.returncode == 1
    assert f"kept/{victim.name}" in checked.stdout
    assert "La réponse gardée n'est pas celle" in checked.stdout
    nowhere = passerelle("audit", "check-kept", log, "--trust", trust, "--kept", "nowhere", cwd=demo.folder)
    assert (nowhere.returncode, "nowhere" in nowhere.stderr) == (2, True)


def test_audit_verify_without_its_folders_is_wrong_usage(demo: Ran) -> None:
    done = passerelle("audit", "verify", "nowhere", "--trust", str(demo.folder / "trust"), cwd=demo.folder)
    assert done.returncode == 2
    assert "nowhere" in done.stderr


def test_a_second_demo_wipes_the_first_and_works(demo: Ran, tmp_path: Path) -> None:
    home = tmp_path / "again"
    shutil.copytree(demo.folder, home / "var" / "demo")
    former = (home / "var" / "demo" / "trust" / "genesis").read_text(encoding="utf-8")
    done = passerelle("demo", "--registrations", "60", cwd=home, lang="en_CA.UTF-8")
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
