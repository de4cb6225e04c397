"""N5: no NIREC at rest outside the sandbox, in five encodings; and no digest in opened evidence that gives one away."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.audit.trust import load_trust
from gateway.ledger.encoding import parse_canonical_json
from gateway.ledger.leaf import unpack_leaf
from gateway.ledger.record import open_record, unpack_record
from gateway.ledger.sealing import open_data_key
from gateway.ledger.tiles import unpack_entries, unpack_evidence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.scenarios.conftest import Ran

_DIGITS = re.compile(rb"(?=(\d{13}))")
_HEX = re.compile(rb"(?=((?:3\d){13}))")
_UTF16 = (re.compile(rb"(?=((?:\d\0){13}))"), re.compile(rb"(?=((?:\0\d){13}))"))
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{18,}")


def births(demo: Ran) -> list[tuple[str, str, str, str]]:
    """(nirec, family name, given names, birth date) of the whole sandbox registry."""
    path = demo.folder / "sandbox" / "civil-registry" / "births.sqlite"
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute("SELECT nirec, family_name, given_names, birth_date FROM births").fetchall()
    finally:
        connection.close()
    return rows


def files(folder: Path, *, sandbox: bool) -> bytes:
    """All bytes below the demo's folder, of the sandbox or of everything else."""
    parts = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    chosen = (path for path in parts if (path.relative_to(folder).parts[0] == "sandbox") == sandbox)
    return b"\0".join(path.read_bytes() for path in chosen)


def found(blob: bytes, nirecs: set[str]) -> dict[str, set[str]]:
    """The NIRECs in some bytes, by encoding."""
    hits: dict[str, set[str]] = {"plain": {m[1].decode() for m in _DIGITS.finditer(blob)} & nirecs}
    hits["hex"] = {bytes.fromhex(m[1].decode()).decode() for m in _HEX.finditer(blob)} & nirecs
    wide = (m[1].replace(b"\0", b"").decode() for pattern in _UTF16 for m in pattern.finditer(blob))
    hits["utf-16"] = set(wide) & nirecs
    hits["base64"] = set(_in_base64(blob)) & nirecs
    digests = {hashlib.sha256(nirec.encode()).digest(): nirec for nirec in nirecs}
    texts = {digest.hex(): nirec for digest, nirec in digests.items()}
    hits["sha-256"] = {texts[m[0].decode()] for m in re.finditer(rb"[0-9a-f]{64}", blob) if m[0].decode() in texts}
    # every 32 bytes of the blob, looked up at once
    hits["sha-256"] |= {digests[w] for at in range(len(blob) - 31) if (w := blob[at : at + 32]) in digests}
    return hits


def _in_base64(blob: bytes) -> Iterable[str]:
    for match in _BASE64.finditer(blob):
        text = match[0].translate(bytes.maketrans(b"-_", b"+/"))
        for offset in range(4):
            part = text[offset:]
            decoded = base64.b64decode(part[: len(part) // 4 * 4])
            yield from (digits.decode() for digits in re.findall(rb"(?=(\d{13}))", decoded))


@pytest.fixture(scope="module")
def nirecs(demo: Ran) -> set[str]:
    numbers = {row[0] for row in births(demo)}
    assert len(numbers) == 10_000
    return numbers


def test_no_nirec_at_rest_outside_the_sandbox(demo: Ran, nirecs: set[str]) -> None:
    hits = found(files(demo.folder, sandbox=False), nirecs)
    assert {encoding: len(numbers) for encoding, numbers in hits.items()} == dict.fromkeys(hits, 0)


def test_the_byte_search_finds_them_in_the_sandbox(demo: Ran, nirecs: set[str]) -> None:
    """The positive control: the same search, where they are."""
    assert len(found(files(demo.folder, sandbox=True), nirecs)["plain"]) == 10_000


@pytest.mark.parametrize("encoding", ["plain", "hex", "utf-16", "base64", "sha-256"])
def test_the_byte_search_finds_each_encoding(encoding: str) -> None:
    nirec = "9081726354453"
    planted = {
        "plain": nirec.encode(),
        "hex": nirec.encode().hex().encode(),
        "utf-16": nirec.encode("utf-16-be"),
        "base64": base64.b64encode(b"x" + nirec.encode() + b"yy"),
        "sha-256": hashlib.sha256(nirec.encode()).digest(),
    }[encoding]
    assert found(b"before " + planted + b" after", {nirec})[encoding] == {nirec}


def evidence(demo: Ran) -> list[dict[str, Any]]:
    """Every opened evidence of the log, as an auditor with the period keys reads it."""
    log, trust = demo.folder / "gateway" / "log", load_trust(demo.folder / "trust")
    entries = unpack_entries(next((log / "tile" / "entries").rglob("[0-9]*.p/*")).read_bytes())
    records = unpack_evidence(next((log / "evidence").rglob("[0-9]*.p/*")).read_bytes())
    keys: dict[object, bytes] = {}
    opened: list[dict[str, Any]] = []
    for entry, record in sorted(zip(entries, records, strict=True), key=lambda pair: pair[0][46:73]):
        leaf = unpack_leaf(entry)
        assert record is not None
        if leaf.kind == "opening":
            content = parse_canonical_json(unpack_record(record).evidence)
            period = int(content["period"])
            sealed = base64.b64decode(content["sealed_data_key"])
            keys[leaf.writer] = open_data_key(trust.periods[period], sealed, leaf.writer, period)
        elif leaf.kind in ("exchange", "refusal"):
            plain = open_record(AESGCM(keys[leaf.writer]), entry, leaf.counter, record)
            opened.append(parse_canonical_json(unpack_record(plain).evidence))
    return opened


def digests_in(value: object) -> set[str]:
    """Every base64 of 32 bytes in evidence, also those inside the canonical XML and the signature bases."""
    text = json.dumps(value)
    inner = " ".join(
        base64.b64decode(part + "=" * (-len(part) % 4)).decode("utf-8", "replace")
        for part in re.findall(r"[A-Za-z0-9+/]{80,}={0,2}", text)
    )
    return set(re.findall(r"[A-Za-z0-9+/]{43}=", f"{text} {inner}"))


def dictionary(rows: Iterable[tuple[str, str, str, str]]) -> set[str]:
    """What an attacker can compute who knows every NIREC, name and date, and the forms of our messages."""
    guesses: set[str] = set()
    for nirec, family, given, date in rows:
        fields = {"nirec": nirec, "family_name": family, "given_names": given, "birth_date": date}
        body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
        for guess in (body, nirec.encode()):
            guesses.add(base64.b64encode(hashlib.sha256(guess).digest()).decode())
    return guesses


def test_no_digest_in_opened_evidence_gives_a_nirec_away(demo: Ran) -> None:
    opened = evidence(demo)
    digests = digests_in(opened)
    # eight answers and their acknowledgements, the one that is then replayed, and a batch's lines
    assert sum(item["kind"] == "exchange" for item in opened) > 17 + 120
    assert len(digests) > 20
    assert digests.isdisjoint(dictionary(births(demo)))


def test_without_the_salt_the_dictionary_finds_them(demo: Ran) -> None:
    """The positive control: the same requests, their salt taken out, and every one is found."""
    guesses = dictionary(births(demo))
    bodies = (demo.folder / "sandbox" / "parties" / "cooperative" / "bodies").glob("*.request.json")
    requests = [json.loads(content) for path in bodies if (content := path.read_bytes())]
    salted = [request for request in requests if "salt" in request and "nirec" in request]
    assert salted
    known = {row[0]: row for row in births(demo)}
    hits = 0
    for request in salted:
        salt = request.pop("salt")
        body = json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()
        row = known.get(request["nirec"])
        right = row is not None and row[1:] == (request["family_name"], request["given_names"], request["birth_date"])
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        assert (digest in guesses) == right
        hits += right
        assert salt
    assert hits > 0
