"""A gateway whose keys are in one process (S7): the others have none, and go on by themselves when it was gone."""

from __future__ import annotations

import os
import re
import signal
import struct
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.audit.audit import audit
from tests.adapters.fakes import until
from tests.exchange.live import LiveGateway, children_of, workers

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 1 << 22
_WORD = 0xFFFFFFFF


class KeyProcessGateway(LiveGateway):
    """LiveGateway with a process for its keys."""

    def role(self, name: str) -> int:
        """The process of a role."""
        found = [pid for pid in children_of(self.processes["gateway"].pid) if _is_role(pid, name)]
        assert len(found) == 1, name
        return found[0]


def with_a_key_process(folder: Path) -> KeyProcessGateway:
    live = KeyProcessGateway(folder)
    with (live.folder / "passerelle.toml").open("a") as file:
        file.write("\n[keystore]\nprocess = true\n")
    return live


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyProcessGateway]:
    live = with_a_key_process(tmp_path_factory.mktemp("key-process"))
    try:
        live.start_sandbox()
        live.start()
        yield live
    finally:
        live.close()


def told(gateway: LiveGateway) -> tuple[int, str | None]:
    shown = gateway.exchange(gateway.verification("confirmed").signed())
    return shown.status, None if shown.status == 200 else shown.json()["code"]


def exchanged(gateway: LiveGateway) -> None:
    """A verification, acknowledged, its receipt proven."""
    for party in ("ministry", "cooperative"):
        client = gateway.client(party)
        answer = client.send(gateway.verification("confirmed", party).signed())
        assert answer.status == 200
        assert client.prove(answer, within=15) is not None


def test_exchanges_receipts_and_log_are_signed_over_there(gateway: KeyProcessGateway) -> None:
    exchanged(gateway)
    verdict = audit(gateway.folder / "gateway" / "log", gateway.folder / "trust")
    assert verdict.holds, verdict.findings[:5]


def test_no_other_process_has_a_key_in_its_memory(gateway: KeyProcessGateway) -> None:
    exchanged(gateway)
    secrets = _secrets(gateway.keys)
    top = gateway.processes["gateway"].pid
    others = [top, gateway.role("sequencer"), gateway.role("workers"), *workers(top)]
    try:
        there = _in_memory(gateway.role("keystore"), secrets)
    except PermissionError:
        # who is not root cannot even look: it cannot be traced (N1), which keeps every other process out as well
        assert os.geteuid() != 0
        return
    assert {"signing", "receipts", "claims", "ledger-subjects", "nirec-0"} <= there, "the search finds what is there"
    for pid in others:
        assert _in_memory(pid, secrets) == set(), pid


def test_the_process_is_killed_and_comes_back(gateway: KeyProcessGateway) -> None:
    exchanged(gateway)
    before = workers(gateway.processes["gateway"].pid)
    os.kill(gateway.role("keystore"), signal.SIGSTOP)
    stopped = gateway.role("keystore")
    asked = gateway.counter()
    os.kill(stopped, signal.SIGKILL)
    assert told(gateway) == (503, "not_recorded")
    assert gateway.counter() == asked, "the registry was asked for what could not be recorded"
    assert until(lambda: all(told(gateway) == (200, None) for _ in range(8)), 20)
    assert workers(gateway.processes["gateway"].pid) == before, "no other process was restarted"
    exchanged(gateway)
    verdict = audit(gateway.folder / "gateway" / "log", gateway.folder / "trust")
    assert verdict.holds, verdict.findings[:5]


def _is_role(pid: int, name: str) -> bool:
    try:
        return f"--role\0{name}\0" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def test_another_key_of_the_pseudonyms_is_found_where_the_keys_are_and_stops_the_start(tmp_path: Path) -> None:
    live = with_a_key_process(tmp_path)
    try:
        live.start_sandbox()
        live.start()
        exchanged(live)
        assert live.stop() == 0
        key = live.keys / "nirec-0.mac"
        key.chmod(0o600)
        key.write_text("00" * 32)
        assert live.spawn("serve").wait(80) == 2
    finally:
        live.close()
    assert "la clé nirec-0 n'est pas celle" in (live.folder / "stderr.txt").read_text(encoding="utf-8")


def _secrets(folder: Path) -> dict[str, list[bytes]]:
    """Every key in the forms that a process would hold it in: hex, bytes, OpenSSL's words, SHA-256 behind its block."""
    found: dict[str, list[bytes]] = {}
    for path in folder.glob("*.mac"):
        key = bytes.fromhex(path.read_text())
        found[path.stem] = [key, key.hex().encode(), bytes(byte ^ 0x36 for byte in key), _hmac_state(key)]
    for name in ("signing", "receipts"):
        loaded = load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        number = loaded.private_numbers().private_value
        found[name] = [number.to_bytes(32), number.to_bytes(32, "little")]
    pem = (folder / "log.key").read_text().splitlines()[1]
    found["log"] = [pem.encode()]
    return found


def _hmac_state(key: bytes) -> bytes:
    """SHA-256's eight words after HMAC's first block (FIPS 180-4, section 6.2), as OpenSSL keeps them in memory."""
    primes = [number for number in range(2, 312) if all(number % divisor for divisor in range(2, number))]
    constants = [int(Decimal(prime) ** (Decimal(1) / 3) % 1 * 2**32) for prime in primes]
    start = state = [int(Decimal(prime).sqrt() % 1 * 2**32) for prime in primes[:8]]
    words = list(struct.unpack(">16I", bytes(byte ^ 0x36 for byte in key.ljust(64, b"\0"))))
    for at in range(16, 64):
        near, far = words[at - 15], words[at - 2]
        spread = _turned(near, 7) ^ _turned(near, 18) ^ near >> 3
        words.append(
            words[at - 16] + spread + words[at - 7] + (_turned(far, 17) ^ _turned(far, 19) ^ far >> 10) & _WORD
        )
    for word, constant in zip(words, constants, strict=True):
        a, b, c, d, e, f, g, h = state
        one = h + (_turned(e, 6) ^ _turned(e, 11) ^ _turned(e, 25)) + (e & f ^ ~e & g) + constant + word
        two = (_turned(a, 2) ^ _turned(a, 13) ^ _turned(a, 22)) + (a & b ^ a & c ^ b & c)
        state = [one + two & _WORD, a, b, c, d + one & _WORD, e, f, g]
    return struct.pack("=8I", *(first + last & _WORD for first, last in zip(start, state, strict=True)))


def _turned(word: int, by: int) -> int:
    return (word >> by | word << 32 - by) & _WORD


def _in_memory(pid: int, secrets: dict[str, list[bytes]]) -> set[str]:
    forms = {form: name for name, each in secrets.items() for form in each}
    pattern = re.compile(b"|".join(map(re.escape, forms)))
    found: set[str] = set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            found |= {forms[match] for match in pattern.findall(_read(memory.fileno(), start, end))}
    return found


def _read(descriptor: int, start: int, end: int) -> bytes:
    parts = []
    for at in range(start, end, _CHUNK):
        try:
            parts.append(os.pread(descriptor, min(_CHUNK, end - at), at))
        except OSError:
            continue
    return b"".join(parts)
