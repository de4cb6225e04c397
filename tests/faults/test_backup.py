"""The drill: a backup under load, the machine lost, restored, recovered, and on it goes (DESIGN L7)."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.verdict import Unproven
from gateway.cli.archive import ArchiveWriter
from gateway.cli.main import run
from gateway.system import SystemClock
from tests.adapters.fakes import until
from tests.exchange.live import _alive as alive
from tests.exchange.live import descendants
from tests.faults.night import Callers, Night
from tests.ledger.crashing import files
from tests.scenarios.conftest import passerelle
from tests.scenarios.keysearch import formats
from tests.scenarios.procedures import PROCEDURES, Reader
from tests.scenarios.test_procedures import kept

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: As far ahead as a caller's clock may be: what was signed until half a minute after a recovery is refused (L4).
AHEAD = 28
PAGE = PROCEDURES / "fr" / "database-lost.md"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    made = Night(tmp_path_factory.mktemp("drill") / "machine")
    try:
        made.start_sandbox()
        made.start()
        yield made
    finally:
        made.close()


class Commands:
    """The command line, in this process, as scripts use it."""

    def __init__(self, gateway: Night, printed: pytest.CaptureFixture[str]) -> None:
        self._config = str(gateway.folder / "passerelle.toml")
        self._printed = printed

    def __call__(self, *arguments: str, exits: int = 0) -> dict[str, Any]:
        config = [] if arguments[0] in {"restore", "audit"} or "--config" in arguments else ["--config", self._config]
        code = run([*arguments, *config, "--json"])
        out, err = self._printed.readouterr()
        assert code == exits, out + err
        return dict(json.loads(out))


@pytest.fixture
def told(gateway: Night, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(gateway, capsys)


def handle(gateway: Night, **how: Any) -> str:
    """The ministry's handle of the sandbox's child."""
    shown = gateway.exchange(gateway.verification().but(**how).signed())
    assert shown.status == 200, shown.body
    return str(shown.json()["handle"])


def test_a_backup_that_was_changed_is_not_restored_and_nothing_is_written_over(
    gateway: Night, told: Commands, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, folder = tmp_path / "backup.tar", tmp_path / "elsewhere"
    with_keys = told("backup", str(archive), "--with-keys")
    assert with_keys["keys"]
    told("backup", str(archive), exits=2)  # there is one already
    whole = archive.read_bytes()
    without = told("backup", str(tmp_path / "without.tar"))
    assert not without["keys"]
    assert [b"PRIVATE KEY" in content for content in (whole, (tmp_path / "without.tar").read_bytes())] == [True, False]
    changed = tmp_path / "changed.tar"
    for at in (
        whole.index(b"SQLite format 3") + 5000,
        whole.index(b"version:"),
        whole.rindex(b'"log/checkpoint": "') + 25,
    ):
        changed.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert "changed.tar" in told("restore", str(changed), str(folder), exits=1)["error"]
        assert not folder.exists()
    changed.write_bytes(whole[: len(whole) // 2])
    assert "changed.tar" in told("restore", str(changed), str(folder), exits=1)["error"]

    strange = tmp_path / "strange.tar"
    with ArchiveWriter(strange) as written:
        written.add_file("passerelle.toml", gateway.folder / "passerelle.toml")
        written.add("elsewhere/file", b"of a backup that is none of ours")
        written.finish({})
    assert "elsewhere/file" in told("restore", str(strange), str(folder), exits=1)["error"]
    assert not folder.exists()

    restored = told("restore", str(archive), str(folder))
    assert restored["sha256"] == with_keys["sha256"]
    assert not restored["recover"], "a backup is never behind its own log"
    assert run(["restore", str(archive), str(tmp_path / "again")]) == 0
    assert re.search(r"copie du \d{4}-\d\d-\d\d \d\d:\d\d:\d\d-0[45]:00 remise en place", capsys.readouterr().out)
    before = files(folder)
    assert str(folder) in told("restore", str(archive), str(folder), exits=2)["error"]
    assert files(folder) == before
    assert not (folder / "gateway" / "db").stat().st_mode & 0o077
    # it is a gateway: its keys are there, and its log is whole
    assert told("config", "check", "--config", str(folder / "passerelle.toml"))["holds"]
    trust = gateway.folder / "trust"
    assert told("audit", "verify", str(folder / "gateway" / "log"), "--trust", str(trust))["holds"]


def test_the_drill(gateway: Night, told: Commands, tmp_path: Path) -> None:
    archive, log, trust = tmp_path / "backup.tar", gateway.log, gateway.folder / "trust"
    child = kept(gateway)
    who = Reader(gateway.folder, {name: str(tmp_path / name.lower()) for name in ("KEYS", "LOG")})
    who.learn({"BACKUP": archive, "TRUST": trust})
    with Callers(gateway) as callers:
        assert callers.more(10)
        who.follow(PAGE, {}, only=1)
        assert callers.more(30)
    gateway.settled()
    holds_nothing_that_it_must_not(archive, gateway.folder)
    told("audit", "verify", str(log), "--trust", str(trust), "--remember")

    lost = descendants(gateway.supervisor)
    gateway.kill_group()
    assert until(lambda: not [pid for pid in lost if alive(pid)], 20)
    published = gateway.leaves()
    lose_the_machine(gateway, who.values)
    who.follow(PAGE, {"passerelle restore $BACKUP .": lambda: refuses_to_start_in_english(gateway)}, only=2)
    again = told("log", "recover")
    assert (again["size"], again["before"], again["added"]) == (len(published), len(published), 0)

    gateway.start()
    # a nonce that was claimed after the backup is known to nobody: whatever was signed before is refused
    for one in callers.sent[-3:]:
        shown = gateway.exchange(one.request, gateway.tls(party_of(one.request)))
        assert shown.json()["code"] == "created_out_of_window"
    assert handle(gateway, created=int(SystemClock().now().timestamp()) + AHEAD) == child
    gateway.settled()
    assert gateway.leaves()[: len(published)] == published
    assert gateway.reckon(callers.sent).recorded >= 40
    verdict = gateway.audited()  # with the checkpoint that the auditor remembers
    assert [one.named for one in verdict.facts.recoveries] == [None]
    assert Unproven.LOSS_AWAITED in verdict.unproven
    gateway.nothing_told()
    for variable, officer in (("FIRST", "officer-1"), ("SECOND", "officer-2")):
        key = gateway.folder / "sandbox" / "officers" / f"{officer}.key"
        who.learn({variable: officer, f"{variable}_KEY": key})
    who.follow(PAGE, {}, only=3)
    assert [one.officers for one in gateway.audited().facts.recoveries] == [("officer-1", "officer-2")]
    who.follow(PAGE, {}, only=4)


def party_of(request: Any) -> str:
    return "ministry" if "ESSAI-MIN" in request.headers["exchange-agreement"] else "cooperative"


def lose_the_machine(gateway: Night, values: Mapping[str, str]) -> None:
    """The log is at its host, and the keys lie in a safe; all else is gone."""
    state = gateway.folder / "gateway"
    (state / "keys").rename(values["KEYS"])
    shutil.copytree(gateway.log, values["LOG"])
    shutil.rmtree(state)
    (gateway.folder / "passerelle.toml").unlink()


def refuses_to_start_in_english(gateway: Night) -> None:
    """In French the page has it."""
    done = passerelle("serve", cwd=gateway.folder, lang="en_CA.UTF-8")
    assert done.returncode == 1, done.stderr
    assert "older than the published log" in done.stderr
    assert "passerelle log recover" in done.stderr


def holds_nothing_that_it_must_not(archive: Path, folder: Path) -> None:
    """No private key, no NIREC; what is looked for is found where it is."""
    births = sqlite3.connect(folder / "sandbox" / "civil-registry" / "births.sqlite")
    nirecs = [str(row[0]).encode() for row in births.execute("SELECT nirec FROM births")]
    births.close()
    assert nirecs
    content = archive.read_bytes()
    assert not [nirec for nirec in nirecs if nirec in content]
    apart = archive.parent / "apart"
    apart.mkdir()
    shutil.unpack_archive(archive, apart, filter="data")
    assert formats(apart) == set()
    assert formats(folder / "gateway" / "keys")
    assert {path.suffix for path in (apart / "keys").rglob("*")} <= {"", ".pem", ".pub", ".vkey", ".json"}
    assert not archive.stat().st_mode & 0o077
