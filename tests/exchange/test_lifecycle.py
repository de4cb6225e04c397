"""A gateway of one's own, to be spoilt, stopped and started again."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from tests.adapters.fakes import LOADED, until
from tests.exchange.live import LiveGateway, Shown, descendants, workers

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def own(tmp_path: Path) -> Iterator[LiveGateway]:
    """A gateway that no other test uses; not started."""
    made = LiveGateway(tmp_path)
    yield made
    made.close()


def test_replay_after_a_restart_and_a_clean_stop(own: LiveGateway) -> None:
    own.start()
    request = own.draft().signed()
    assert own.verified(request).status == 200
    assert own.stop() == 0
    own.start()
    replayed = own.exchange(request)
    assert own.verify(request, replayed).ledger_leaf is not None
    assert replayed.json()["code"] == "replayed"
    assert own.verified(own.draft().signed()).status == 200


def test_an_exchange_in_flight_finishes_at_sigterm_while_new_connections_are_refused(
    own: LiveGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the answer is slower than the listeners are to close, on a machine that others load
    monkeypatch.setenv("PASSERELLE_CIVIL_REGISTRY__ATTEMPT_SECONDS", "15")
    monkeypatch.setenv("PASSERELLE_CIVIL_REGISTRY__DEADLINE_SECONDS", "18")
    own.start_sandbox()
    own.start()
    assert own.verified(own.verification().signed()).status == 200
    own.behave("slow", 6000)
    request = own.verification("twin").signed()
    answers: list[Shown] = []
    calling = threading.Thread(target=lambda: answers.append(own.exchange(request)))
    before = own.counter()
    calling.start()
    assert until(lambda: own.counter() > before, 5)
    process = own.processes["gateway"]
    process.send_signal(signal.SIGTERM)

    assert until(lambda: not own.listens(), 1.3)
    assert not answers
    calling.join(40)
    assert own.verify(request, answers[0]).status == 200
    # what was recorded last is published before the end
    assert own.stop() == 0
    exchange_id = answers[0].headers["exchange-id"]
    assert any(_holds(path, exchange_id) for path in (own.folder / "gateway" / "log" / "tile" / "entries").rglob("*"))


def _holds(path: Path, exchange_id: str) -> bool:
    return path.is_file() and bytes.fromhex(exchange_id.replace("-", "")) in path.read_bytes()


def test_the_gateways_children_end_with_it_even_when_it_is_killed(own: LiveGateway) -> None:
    own.start()
    children = descendants(own.processes["gateway"].pid)
    assert len(children) >= 4
    process = own.processes.pop("gateway")
    process.kill()
    process.wait(40)
    assert until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), 30)


def test_a_worker_that_dies_is_replaced(own: LiveGateway) -> None:
    own.start()
    first = workers(own.processes["gateway"].pid)
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    assert until(lambda: len(set(workers(own.processes["gateway"].pid)) - set(first)) >= 2, 15)
    assert own.verified(own.draft().signed()).status == 200


@pytest.mark.parametrize("name", ["signing.key", "tls-server.key", "nirec-0.mac", "receipts.key", "claims.mac"])
def test_keys_that_others_can_read_stop_the_start(own: LiveGateway, name: str) -> None:
    path = own.keys / name
    path.chmod(0o640)
    assert own.spawn("serve").wait(40) == 2
    said = (own.folder / "stderr.txt").read_text()
    assert name in said
    assert "Traceback" not in said


def test_no_core_dump_of_any_process_and_no_nirec_in_any_log(own: LiveGateway) -> None:
    own.start_sandbox()
    own.start()
    nirecs: set[bytes] = set()
    for kind in ("confirmed", "unknown", "wrong_name", "namesake"):
        draft = own.verification(kind)
        nirecs |= set(re.findall(rb"\d{13}", draft.body))
        assert own.verified(draft.signed()).status == 200
        own.exchange(draft.but(agreement="NONE").signed())
        own.exchange(draft.but(body=draft.body + b"}").signed())
        own.exchange(draft.but(target="/v1/" + re.findall(r"\d{13}", draft.body.decode())[0]).signed())
    own.behave("malformed")
    own.exchange(own.verification().signed())
    _limits(own.processes["gateway"].pid)
    assert own.stop() == 0
    assert nirecs
    seen = 0
    for path in (own.folder / "gateway").rglob("*"):
        if path.is_file():
            seen += 1
            content = path.read_bytes()
            assert not [nirec for nirec in nirecs if nirec in content or nirec.hex().encode() in content], path
    assert seen > 20
    assert list((own.folder / "gateway" / "logs").glob("*.jsonl"))
    # the positive control: they are where others keep them
    requests = (own.party("ministry") / "requests").glob("*.json")
    assert any(nirec in path.read_bytes() for path in requests for nirec in nirecs)


def _limits(pid: int) -> None:
    processes = [pid, *descendants(pid)]
    assert len(processes) >= 5
    for process in processes:
        limits = Path(f"/proc/{process}/limits").read_text()
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE), process


def test_a_restarted_sandbox_is_found_again(own: LiveGateway) -> None:
    own.start()
    request = own.verification().signed()
    began = time.monotonic()
    gone = own.exchange(request)
    assert (gone.status, gone.json()["code"]) == (503, "upstream_unavailable")
    assert int(gone.headers["retry-after"]) >= 1
    assert time.monotonic() - began < LOADED
    own.start_sandbox()
    assert until(lambda: own.exchange(own.verification().signed()).status == 200, 12)


def test_a_registry_whose_tls_certificate_is_revoked_is_told_nothing(own: LiveGateway) -> None:
    pem = (own.folder / "sandbox" / "civil-registry" / "tls.pem").read_bytes()
    _, crl = own.authorities["civil-registry"].revocation_lists([x509.load_pem_x509_certificate(pem)])
    (own.keys / "revocation" / "civil-registry.issuing.crl").write_bytes(crl)
    own.start_sandbox()
    own.start()
    shown = own.exchange(own.verification().signed())
    assert (shown.status, shown.json()["code"]) == (502, "upstream_untrusted")
    assert own.counter() == 0
