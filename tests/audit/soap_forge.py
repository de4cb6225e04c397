"""The same exchanges by SOAP, signed by the callers' and the gateway's own keys; each part can be made a lie."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from lxml import etree

from contracts.loader import load_contract
from contracts.names import soap_names, soap_path
from gateway.ledger.encoding import canonical_json, encode64, seconds_timestamp
from gateway.ledger.leaf import binding
from gateway.ledger.merkle import leaf_hash
from gateway.model import CertificateProof, SignedPart
from gateway.signing import soap_names as n
from gateway.signing.soap_sign import SoapSigner
from gateway.signing.xml import canonical, digest
from tests.audit.gateway_run import envelope, keystore

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ports import Keystore
    from tests.audit.bench import Bench
    from tests.audit.forge import Forger, Item


@dataclass(frozen=True)
class At:
    """A clock that stands."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


@dataclass
class Message:
    """One side's message: what its header blocks say, which of them it signs, when, under which key.

    ``texts`` are of the signed blocks, ``notes`` an attribute of some; ``body`` is the Body's one element.
    """

    texts: dict[str, str]
    body: etree._Element
    keys: Keystore
    at: datetime
    key: str = "signing"
    confirms: bytes | None = None
    unsigned: frozenset[str] = frozenset()
    notes: dict[str, str] = field(default_factory=dict)

    def envelope(self) -> etree._Element:
        made = envelope(self.texts)
        body = made.find(n.BODY)
        assert body is not None
        body[:] = [self.body]
        for tag, note in self.notes.items():
            next(made.iter(tag)).set("note", note)
        return made

    def signed(self) -> tuple[SignedPart, etree._Element]:
        made = self.envelope()
        signer = SoapSigner(self.keys, lambda _der: CertificateProof("", (), ()), At(self.at), lambda: self.key)
        part = signer.sign(made, [tag for tag in self.texts if tag not in self.unsigned], self.confirms)
        return part, made

    def canonical_body(self) -> bytes:
        body = self.signed()[1].find(n.BODY)
        assert body is not None
        return canonical(body)

    def body_digest(self) -> str:
        return f"sha-256=:{encode64(digest(self.canonical_body()))}:"


def text_element(name: str, **fields: str) -> etree._Element:
    """``{namespace}root`` with an element per field."""
    root = etree.Element(name, nsmap={None: name[1:].partition("}")[0]})  # type: ignore[dict-item]  # the default's prefix
    for tag, text in fields.items():
        etree.SubElement(root, name.partition("}")[0] + "}" + tag).text = text
    return root


@dataclass
class SoapExchange:
    """An exchange of the log, asked and answered by SOAP instead; ``write`` makes it true of its leaf again.

    ``change`` is applied to the evidence once the request stands in it, ``part`` to what it keeps of the request;
    ``lies`` stand in the answer's header, ``told`` in evidence as the answer's digest, instead of what is true.
    """

    forger: Forger
    item: Item
    party: str
    form: str = "soap11"
    asked: Message = field(init=False)
    said: Message = field(init=False)
    change: Callable[[dict[str, Any]], Any] = field(default=lambda _evidence: None)
    lies: dict[str, str] = field(default_factory=dict)
    told: str | None = None
    part: Callable[[SignedPart], SignedPart] = field(default=lambda part: part)

    def __post_init__(self) -> None:
        evidence = self.item.evidence
        contract = load_contract((self.forger.log / "objects" / evidence["contract"]["sha256"]).read_bytes())
        names = soap_names(contract, evidence["operation"])
        origin = self.forger.gateway.settings.listen.origin
        received = datetime.fromisoformat(evidence["received_at"])
        self.asked = Message(
            {
                n.TO: origin + soap_path(contract),
                n.ACTION: names.action,
                n.MESSAGE_ID: f"urn:uuid:{uuid4()}",
                n.AGREEMENT: evidence["agreement"],
                n.PURPOSE: evidence["purpose"],
            },
            text_element(f"{{{names.namespace}}}{names.request}", message="bonjour"),
            keystore(self.forger.gateway.party(self.party)),
            received - timedelta(seconds=1),
        )
        released = evidence["kind"] == "exchange"
        root = f"{{{names.namespace}}}{names.response}" if released else n.FAULT
        self.said = _answer(
            self.forger, self.item, names.answer_action if released else n.FAULT_ACTION, text_element(root)
        )

    def write(self) -> SoapExchange:
        asked, _ = self.asked.signed()
        asked = self.part(asked)
        evidence = self.item.evidence
        before = evidence["request"]
        evidence["request"] = {
            "form": self.form,
            "signed_info": encode64(asked.signed_info),
            "signature": encode64(asked.signature),
            "headers": {name: encode64(block) for name, block in asked.headers.items()},
            "algorithm": "ecdsa-p256-sha256",
            "signing": before["signing"],
            "tls": before["tls"],
        }
        self.change(evidence)
        self.said.confirms = self.said.confirms or asked.signature
        evidence["answer"]["content_digest"] = self.told or self.said.body_digest()
        _write(self.item, self.said, evidence, self.lies, self.asked.texts.get(n.MESSAGE_ID))
        return self


@dataclass
class SoapRefusal:
    """A refusal before the salt was claimed, by SOAP; ``nonce`` is the request's MessageID, or None."""

    forger: Forger
    item: Item
    nonce: str | None
    said: Message = field(init=False)
    lies: dict[str, str] = field(default_factory=dict)
    change: Callable[[dict[str, Any]], Any] = field(default=lambda _evidence: None)

    def __post_init__(self) -> None:
        self.said = _answer(self.forger, self.item, n.FAULT_ACTION, text_element(n.FAULT))

    def write(self) -> SoapRefusal:
        evidence = self.item.evidence
        evidence["nonce"] = self.nonce
        self.change(evidence)
        evidence["answer"]["content_digest"] = self.said.body_digest()
        _write(self.item, self.said, evidence, self.lies, self.nonce)
        return self


def by_soap(bench: Bench, form: str) -> None:
    """One exchange, release, late and early refusal of each kind, by SOAP instead."""
    forger = bench.forger
    SoapExchange(forger, bench.one(), "cooperative", form).write()
    SoapExchange(forger, bench.one("nirec.verify"), "ministry", form).write()
    SoapExchange(forger, bench.one(kind="refusal", outcome="not_agreed"), "cooperative", form).write()
    SoapExchange(forger, bench.one("nirec.verify", "refusal", "upstream_timeout"), "ministry", form).write()
    SoapRefusal(forger, bench.one(kind="refusal", outcome="signature_missing"), None).write()
    SoapRefusal(forger, bench.one(kind="refusal", outcome="replayed"), f"urn:uuid:{uuid4()}").write()


def _answer(forger: Forger, item: Item, action: str, body: etree._Element) -> Message:
    texts = {n.ACTION: action, n.MESSAGE_ID: f"urn:uuid:{uuid4()}"}
    return Message(texts, body, forger.keystore, item.leaf.time.astimezone(UTC))


def _write(item: Item, said: Message, evidence: dict[str, Any], lies: dict[str, str], relates_to: str | None) -> None:
    """Evidence, the leaf over it, the answer over the leaf."""
    data = canonical_json(evidence)
    item.leaf = replace(item.leaf, binding=binding(item.record.salt32, data))
    true = {
        n.EXCHANGE_ID: evidence["exchange_id"],
        n.LEDGER_LEAF: encode64(leaf_hash(item.leaf.pack())),
        n.LEDGER_BY: seconds_timestamp(item.leaf.time + timedelta(seconds=60)),
    } | ({} if relates_to is None else {n.RELATES_TO: relates_to})
    signed, _ = replace(said, texts=said.texts | true | lies).signed()
    base = canonical_json(
        {
            "headers": {name: encode64(block) for name, block in signed.headers.items()},
            "signed_info": encode64(signed.signed_info),
        }
    )
    item.record = replace(item.record, evidence=data, answer_base=base, answer_signature=signed.signature)
