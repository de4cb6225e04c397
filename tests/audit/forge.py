"""An attacker with every key of the gateway: opens a log, changes it, and writes it again, signed throughout."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.keys.files import FileKeystore
from gateway.ledger.encoding import canonical_json, decode64, encode64, parse_canonical_json
from gateway.ledger.leaf import SEALED_KINDS, Leaf, binding, unpack_leaf
from gateway.ledger.merkle import CompactRange, leaf_hash
from gateway.ledger.note import Checkpoint, LogKey, parse_note, sign_checkpoint
from gateway.ledger.publish import Publisher
from gateway.ledger.record import Record, open_record, seal_record, unpack_record
from gateway.ledger.sealing import open_data_key
from gateway.ledger.tiles import entries_path, evidence_path, unpack_entries, unpack_evidence
from gateway.signing.base import lines, parse_base
from gateway.signing.structured import serialise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from uuid import UUID

    from gateway.model import LeafKind
    from tests.audit.gateway_run import Gateway


@dataclass
class Item:
    """One entry, opened; ``stored`` overrides the record's bytes in the log."""

    leaf: Leaf
    record: Record
    stored: bytes | None = None

    @property
    def evidence(self) -> dict[str, Any]:
        return parse_canonical_json(self.record.evidence)


class Forger:
    """Opens the log of a gateway, of fewer than 256 leaves, once; each test takes a copy of its items."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.log = gateway.settings.folders.log
        keys = gateway.settings.folders.keys
        self.keystore = FileKeystore(keys, signing=["signing", "log"])
        self.key = LogKey.parse((keys / "log.vkey").read_text())
        self._keys: dict[UUID, AESGCM] = {}
        self._raw: dict[UUID, bytes] = {}
        self.items = self._open()

    def _open(self) -> list[Item]:
        size = parse_note((self.log / "checkpoint").read_bytes()).checkpoint.size
        leaves = unpack_entries((self.log / entries_path(0, size)).read_bytes())
        records = unpack_evidence((self.log / evidence_path(0, size)).read_bytes())
        items = []
        for packed, stored in zip(leaves, records, strict=True):
            leaf = unpack_leaf(packed)
            sealed = leaf.kind in SEALED_KINDS
            plain = open_record(self._keys[leaf.writer], packed, leaf.counter, stored) if sealed else stored
            items.append(Item(leaf, unpack_record(plain)))
            if leaf.kind == "opening":
                private = decode64((self.gateway.folder / f"trust/periods/{leaf.period}.key").read_text().strip())
                sealed_key = decode64(items[-1].evidence["sealed_data_key"])
                self._raw[leaf.writer] = open_data_key(private, sealed_key, leaf.writer, leaf.period)
                self._keys[leaf.writer] = AESGCM(self._raw[leaf.writer])
        return items

    def copy(self) -> list[Item]:
        return [replace(item) for item in self.items]

    def append(self, items: list[Item], kind: LeafKind) -> Item:
        """Another leaf of the last writer; its record is that of its last one."""
        last = items[-1]
        leaf = replace(last.leaf, kind=kind, counter=last.leaf.counter + 1, exchange_id=uuid4())
        items.append(replace(last, leaf=leaf))
        return items[-1]

    def void(self, items: list[Item], counter: int | None = None) -> None:
        """A void leaf, of its own counter unless said otherwise."""
        item = self.append(items, "void")
        evidence = {"v": 1, "kind": "void", "writer": str(item.leaf.writer), "reason": "abandoned"}
        evidence["counter"] = item.leaf.counter if counter is None else counter
        self.rebind(item, canonical_json(evidence))

    def change(self, item: Item, change: Callable[[dict[str, Any]], None]) -> None:
        """Changes evidence, and all that hangs on it: binding, leaf hash, the answer's base and signature."""
        evidence = item.evidence
        change(evidence)
        self.rebind(item, canonical_json(evidence))

    def rebind(self, item: Item, evidence: bytes) -> None:
        item.leaf = replace(item.leaf, binding=binding(item.record.salt32, evidence))
        item.record = replace(item.record, evidence=evidence)
        if item.record.answer_base:
            self.answer(item, lambda values: values.update(_answer_values(item)))

    def answer(
        self,
        item: Item,
        change: Callable[[dict[str, str]], Any] = lambda _: None,
        parameters: Callable[[str], str] = lambda text: text,
    ) -> None:
        """Changes values in the answer's base, or its parameters, and signs it again with the gateway's key."""
        values, member = parse_base(item.record.answer_base)
        change(values)
        old = " ".join(serialise(one) for one in member.items)
        signed = parameters(serialise(member).replace(f"({old})", f"({' '.join(values)})"))
        base = lines(values.items(), signed)
        item.record = replace(item.record, answer_base=base, answer_signature=self.keystore.sign("signing", base))

    def request(self, item: Item, party: str, change: Callable[[dict[str, Any]], None], key: str = "signing") -> None:
        """Changes a request's base through evidence, signed again by the caller, who colludes."""
        signer = FileKeystore(self.gateway.party(party), signing=[key])

        def both(evidence: dict[str, Any]) -> None:
            change(evidence)
            signature = signer.sign(key, evidence["request"]["base"].encode())
            evidence["request"]["signature"] = encode64(signature)

        self.change(item, both)

    def stored(self, items: list[Item]) -> list[bytes]:
        """Their records as the log has them, sealed where they must be."""
        return [item.stored if item.stored is not None else self._sealed(item) for item in items]

    def _sealed(self, item: Item) -> bytes:
        if item.leaf.kind not in SEALED_KINDS:
            return item.record.pack()
        return seal_record(self._keys[item.leaf.writer], item.leaf.pack(), item.leaf.counter, item.record.pack())

    def data_key(self, writer: UUID) -> bytes:
        """A writer's raw data key."""
        return self._raw[writer]

    def write(self, items: list[Item], folder: Path, objects: Mapping[str, bytes] | None = None) -> Path:
        """A whole log of these items, its checkpoint signed, with further objects; gives its directory."""
        log = folder / "log"
        publisher = Publisher(log, folder / "log.tmp")
        tree = CompactRange()
        for item, stored in zip(items, self.stored(items), strict=True):
            packed = item.leaf.pack()
            publisher.append(packed, stored)
            tree.append(leaf_hash(packed))
        checkpoint = Checkpoint(self.key.name, tree.size, tree.root())
        publisher.finish(sign_checkpoint(checkpoint, self.key, self.keystore))
        shutil.copytree(self.log / "objects", log / "objects", dirs_exist_ok=True)
        for digest, data in (objects or {}).items():
            (log / "objects" / digest).write_bytes(data)
        return log


def _answer_values(item: Item) -> dict[str, str]:
    evidence = item.evidence
    values = {
        '"@status"': str(evidence["answer"]["status"]),
        '"content-digest"': evidence["answer"]["content_digest"],
        '"exchange-id"': evidence["exchange_id"],
        '"ledger-leaf"': encode64(leaf_hash(item.leaf.pack())),
    }
    request = evidence.get("request")
    if request is not None:
        base, _ = parse_base(request["base"].encode())
        label = request["label"]
        values |= {
            '"@method";req': base['"@method"'],
            '"@target-uri";req': base['"@target-uri"'],
            # a request without a body has none
            **({'"content-digest";req': request["content_digest"]} if request["content_digest"] else {}),
            f'"signature";req;key="{label}"': f":{request['signature']}:",
            f'"signature-input";req;key="{label}"': request["parameters"],
        }
    return values
