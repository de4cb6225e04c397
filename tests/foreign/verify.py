"""A second verifier of a log, from docs/formats.md alone: ``python verify.py LOG TRUST`` exits 0 if it holds, else 1.

Imports nothing of Passerelle; signatures and certificates are in signatures.py beside it. Of policies and contracts it
reads the gateway's name only: agreements, fields and DNS names stay the audit's.
"""

import base64
import hmac
import json
import re
import struct
import sys
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from signatures import CANONICAL, Signatures, b64, moment, need  # type: ignore[import-not-found]  # a script's neighbour

SEALED = ("exchange", "refusal", "intent", "handover")
KINDS = (*SEALED[:3], "opening", "void", "closing", "genesis", "policy", "anchor", "destruction", "handover")
WHAT = re.compile(r"^(origin: \S+\nversion: \d+\n|service: \S+\nversion: \S+\ntitle: )", re.MULTILINE)
SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
MEMBERS = {
    "genesis": {"v", "kind", "origin", "policy", "log_key"},
    "policy": {"v", "kind", "policy", "version", "previous"},
    "opening": {"v", "kind", "writer", "period", "role", "period_key", "sealed_data_key"},
    "void": {"v", "kind", "writer", "counter", "reason"},
    "closing": {"v", "kind", "writer", "highest", "missing"},
}


def split(data: bytes, size: str) -> list[bytes]:
    """The parts of a bundle or record, each after its length."""
    parts, at, width = [], 0, struct.calcsize(size)
    while at < len(data):
        at += width + (length := struct.unpack_from(size, data, at)[0])
        parts.append(data[at - length : at])
    need(at == len(data), "cut off")
    return parts


def root(nodes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, of leaf hashes."""
    half = 1 << (len(nodes) - 1).bit_length() - 1 if len(nodes) > 1 else 0
    return sha256(b"\x01" + root(nodes[:half]) + root(nodes[half:])).digest() if half else nodes[0]


def place(name: str, index: int, width: int) -> str:
    groups = re.findall("...", f"{index:0{(len(str(index)) + 2) // 3 * 3}}")
    path = "/".join([name, *(f"x{group}" for group in groups[:-1]), groups[-1]])
    return path if width == 256 else f"{path}.p/{width}"


def checkpoint(note: Path, vkey: str) -> tuple[int, bytes]:
    (name, key_id, key), text = vkey.split("+", 2), note.read_bytes().decode()
    _, size, top, _, line = text.split("\n", 4)
    body, value = f"{name}\n{int(size)}\n{top}\n", b64(line.split(" ")[-1][:-1])
    need(text == f"{body}\n\N{EM DASH} {name} {base64.b64encode(value).decode()}\n", "not this log's checkpoint")
    need(value[:4].hex() == key_id == sha256(f"{name}\n".encode() + b64(key)).hexdigest()[:8], "signed by another key")
    ed25519.Ed25519PublicKey.from_public_bytes(b64(key)[1:]).verify(value[4:], body.encode())
    return int(size), b64(top)


class Verifier:
    """One log, and the anchors that its auditor brings."""

    def __init__(self, log: Path, trust: Path) -> None:
        self.log, self.trust, self.vkey = log, trust, (trust / "log.vkey").read_text().strip()
        self.objects: dict[str, bytes] = {}
        self.keys: dict[bytes, AESGCM] = {}
        self.writers: dict[bytes, tuple[int, dict[int, datetime]]] = {}
        self.closed: dict[bytes, Any] = {}
        self.policies: list[tuple[datetime, str]] = []
        self.signatures = Signatures(self.objects, trust / "roots")

    def run(self) -> None:
        for file in self.log.rglob("*"):
            need(not file.is_symlink() and (file.is_file() or file.is_dir()), f"{file.name} is no regular file")
        # 1  the files are those of the signed size, the tiles those of the entries, up to the signed root
        (size, top), names, level = checkpoint(self.log / "checkpoint", self.vkey), {"checkpoint"}, 0
        leaves: list[bytes] = []
        records: list[bytes] = []
        for at in range(0, size, 256):
            for kind, length, found in (("tile/entries", ">H", leaves), ("evidence", ">I", records)):
                names.add(path := place(kind, at // 256, min(256, size - at)))
                found.extend(split((self.log / path).read_bytes(), length))
                need(len(found) == min(size, at + 256), f"{path}: not as many as its name says")
        nodes = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
        need(root(nodes) == top, "the entries lead to another root")
        if (remembered := self.trust / "remembered-checkpoint").exists():
            size, top = checkpoint(remembered, self.vkey)
            need(0 < size <= len(nodes) and root(nodes[:size]) == top, "not the log that was remembered")
        while nodes:
            parts = [nodes[at : at + 256] for at in range(0, len(nodes), 256)]
            for index, part in enumerate(parts):
                names.add(path := place(f"tile/{level}", index, len(part)))
                need((self.log / path).read_bytes() == b"".join(part), f"{path} differs")
            nodes, level = [root(part) for part in parts if len(part) == 256], level + 1
        folders = {"objects", *(name[:at] for name in names for at in range(len(name)) if name[at] == "/")}
        for file in sorted(self.log.rglob("*")):
            name = file.relative_to(self.log).as_posix()
            if name not in names | folders:
                self.objects[file.name] = data = file.read_bytes()
                need(name == f"objects/{sha256(data).hexdigest()}", f"{name} has no place here")
                need(data[:1] == b"0" or WHAT.search(data.decode()), f"{name} is nothing that has a place here")
        # 2  each leaf with its record, then every counter
        last = max(self.leaf(index, *pair) for index, pair in enumerate(zip(leaves, records, strict=True)))
        need(self.signatures.due <= self.signatures.seen, "acknowledges an answer that is not there")
        need(self.closed.keys() <= self.writers.keys(), "closed, and never there")
        for writer, (_, counters) in self.writers.items():
            highest, missing = max(counters), sorted({*range(max(counters))} - counters.keys())
            end = self.closed.get(writer)
            need(end is None or (end["highest"], end["missing"]) == (highest, missing), "closed at another counter")
            after = min((counters[one] for one in counters if missing and one > missing[0]), default=last)
            need(end or (last - after).total_seconds() <= 10, "a counter is not explained, and not on its way")

    def leaf(self, index: int, leaf: bytes, stored: bytes) -> datetime:
        at: datetime
        version, number, period, exchange, writer, counter, text, bound = struct.unpack(">BBI16s16sQ27s32s", leaf)
        kind, at, ids = KINDS[number - 1], moment(text.decode()), (UUID(bytes=exchange), UUID(bytes=writer))
        need(version == 1 and number and {one.version for one in ids} == {4} and f"{at:%Y%m}" == str(period), "no leaf")
        need((kind == "genesis") == (index == 0), "the genesis is the first leaf")
        self.signatures.once("exchange id", number < 3, exchange)
        self.signatures.once("counter", writer, counter)
        known, counters = self.writers.setdefault(writer, (period, {}))
        counters[counter] = at
        if kind in SEALED and writer not in self.keys and not self.private(period).exists():
            return at  # it stays sealed to those who hold the period's key
        plain = self.keys[writer].decrypt(struct.pack(">IQ", 0, counter), stored, leaf) if kind in SEALED else stored
        evidence, base, signature = split(plain[32:], ">I")
        need(hmac.digest(plain[:32], evidence, "sha256") == bound, "not the evidence that the leaf binds")
        said = json.loads(evidence)
        again = json.dumps(said, **CANONICAL).encode()
        need((again, said["v"], said["kind"], known) == (evidence, 1, kind, period), "evidence of another form or kind")
        if kind in MEMBERS:
            need(not base and not signature and said.keys() == MEMBERS[kind], "a plain kind of another form")
            self.plain(said, (writer, counter, period), at)
            return at
        need(number < 3 and said["exchange_id"] == str(ids[0]), "a kind that this cannot judge, or another exchange")
        policy, text = self.policy(at, said.get("policy"))
        gateway = re.findall(r"^gateway: (\S+)$", text, re.MULTILINE)[0]
        self.signatures.exchange(said, (policy, gateway), leaf, at)
        self.signatures.answer(said, gateway, (base.decode(), signature), leaf, at)
        return at

    def private(self, period: int) -> Path:
        return self.trust / f"periods/{period}.key"

    def policy(self, at: datetime, named: object = None) -> tuple[str, str]:
        """The policy of that time, or a later one that is named and stands before: its hash, its text."""
        name = [self.policies[0][1], *(name for since, name in self.policies if since <= at or name == named)][-1]
        return name, self.objects[name].decode()

    def plain(self, said: Any, here: tuple[bytes, int, int], at: datetime) -> None:
        kind, named, period = said["kind"], UUID(said["writer"]).bytes if "writer" in said else b"", here[2]
        if kind in {"genesis", "policy"}:
            first = (self.vkey.split("+")[0], (self.trust / "genesis").read_text().strip(), self.vkey)
            need(self.policies or (said["origin"], said["policy"], said["log_key"]) == first, "another genesis")
            need(said.get("previous") == (self.policies[-1][1] if self.policies else None), "another policy before it")
            self.policies.append((at, said["policy"]))
            version = re.findall(r"^version: (\d+)$", self.policy(at)[1], re.MULTILINE)
            newer = kind == "genesis" or (version == [str(said["version"])] and said["policy"] != said["previous"])
            need(newer, "not a newer policy of that version")
        elif kind == "opening":
            need(f"'{period}': {said['period_key']}\n" in self.policy(at)[1], "not the policy's key of the period")
            if not self.private(period).exists():
                return
            raw = b64(self.private(period).read_text().strip())
            lattice = mlkem.MLKEM768PrivateKey.from_seed_bytes(raw[:64])
            pair = lattice, x25519.X25519PrivateKey.from_private_bytes(raw[64:])
            public = sha256(b"".join(key.public_key().public_bytes_raw() for key in pair)).hexdigest()
            need((named, 0, said["period"], said["period_key"]) == (*here, public), "opens something else")
            info = b"passerelle/v1/data-key\n" + named + struct.pack(">I", period)
            private = hpke.MLKEM768X25519PrivateKey(*pair)
            self.keys[named] = AESGCM(SUITE.decrypt(b64(said["sealed_data_key"]), private, info))
        elif kind == "void":
            need((named, said["counter"]) == here[:2], "voids another counter")
        else:
            need(named != here[0] and named not in self.closed, "closes itself, or twice")
            self.closed[named] = said


def main(log: str, trust: str) -> int:
    try:
        Verifier(Path(log), Path(trust)).run()
    except Exception as error:  # noqa: BLE001  a stranger's bytes: whatever they trip over, the log does not hold
        sys.stdout.write(f"does not hold: {type(error).__name__}: {error}\n")
        return 1
    sys.stdout.write("holds\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
