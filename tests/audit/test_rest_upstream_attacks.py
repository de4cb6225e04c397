"""What an upstream was asked and answered by REST, or without a signature of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.audit.verdict import Fault
from gateway.development_policy import REGISTRY
from gateway.ledger.encoding import encode64
from gateway.signing.answer import keyid_of
from gateway.signing.base import lines
from gateway.signing.outgoing import RequestSigner
from gateway.system import SystemRandomness
from tests.audit.gateway_run import keystore

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.audit.bench import Bench
    from tests.audit.forge import Item

ORIGIN = "https://registry.test"
DIGEST = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"


@dataclass
class Then:
    """A clock that stands still."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


@dataclass
class Conversation:
    """A request of the gateway's and the registry's answer, each under its true key, of one exchange of the log."""

    bench: Bench
    item: Item

    @property
    def attempt(self) -> dict[str, Any]:
        found: dict[str, Any] = self.item.evidence["upstream"][0]
        return found

    def asked(self, shift: int = 0, **terms: str) -> dict[str, Any]:
        evidence = self.item.evidence
        said = {"agreement": evidence["agreement"], "purpose": evidence["purpose"]} | terms
        clock = Then(self.item.leaf.time + timedelta(seconds=shift))
        keys = keystore(self.bench.forger.gateway.settings.folders.keys)
        signed = RequestSigner(keys, clock, SystemRandomness(), ORIGIN).sign("POST", "/v1/births", b"{}", **said)
        proof = self.attempt["request"]["signing"]
        return _part(signed.base, signed.signature, "sig1", signed.parameters, proof)

    def said(
        self,
        asked: dict[str, Any],
        change: Callable[[list[tuple[str, str]]], list[tuple[str, str]]] = list,
        by: str = f"sandbox/{REGISTRY}",
        shift: int = 0,
    ) -> dict[str, Any]:
        proof = self.attempt["answer"]["signing"]
        pairs = change(
            [
                ('"@status"', "200"),
                ('"content-digest"', DIGEST),
                ('"@method";req', "POST"),
                ('"@target-uri";req', f"{ORIGIN}/v1/births"),
                ('"content-digest";req', asked["base"].split('"content-digest": ')[1].split("\n")[0]),
                ('"signature";req;key="sig1"', f":{asked['signature']}:"),
                ('"signature-input";req;key="sig1"', asked["parameters"]),
            ]
        )
        created = int(self.item.leaf.time.timestamp()) + shift
        names = " ".join(name for name, _ in pairs)
        parameters = f'({names});created={created};keyid="{keyid_of(proof["sha256"])}";tag="passerelle"'
        base = lines(pairs, parameters)
        signature = keystore(self.bench.forger.gateway.folder / by).sign("signing", base)
        return _part(base, signature, "answer", parameters, proof)

    def tell(self, asked: dict[str, Any], said: dict[str, Any] | None) -> set[Fault]:
        """What an audit finds once evidence tells of these."""
        self.bench.forger.change(self.item, lambda evidence: evidence["upstream"][0].update(request=asked, answer=said))
        return self.bench.faults()


def _part(base: bytes, signature: bytes, label: str, parameters: str, proof: object) -> dict[str, Any]:
    return {
        "form": "rest",
        "base": base.decode(),
        "signature": encode64(signature),
        "label": label,
        "parameters": parameters,
        "algorithm": "ecdsa-p256-sha256",
        "signing": proof,
    }


@pytest.fixture
def talk(bench: Bench) -> Conversation:
    return Conversation(bench, bench.one("nirec.verify"))


def test_a_rest_upstream_that_was_asked_and_answered_holds(talk: Conversation) -> None:
    asked = talk.asked()
    assert talk.tell(asked, talk.said(asked)) == set()


@pytest.mark.parametrize(
    ("terms", "fault"),
    [
        ({"agreement": "ENT-9"}, Fault.UPSTREAM_DIFFERS),
        ({"purpose": "curiosite"}, Fault.UPSTREAM_DIFFERS),
        ({"shift": -3600}, Fault.TIME_DIFFERS),
    ],
)
def test_rest_request_under_other_terms(talk: Conversation, terms: dict[str, Any], fault: Fault) -> None:
    asked = talk.asked(**terms)
    assert talk.tell(asked, talk.said(asked)) == {fault}


def test_rest_request_whose_signature_does_not_hold(talk: Conversation) -> None:
    asked = talk.asked()
    spoilt = asked | {"base": asked["base"].replace("/v1/births", "/v1/deaths")}
    assert talk.tell(spoilt, talk.said(asked)) == {Fault.UPSTREAM_SIGNATURE_INVALID}


def test_rest_answer_to_another_request(talk: Conversation) -> None:
    assert talk.tell(talk.asked(), talk.said(talk.asked())) == {Fault.UPSTREAM_DIFFERS}


def test_rest_answer_that_the_gateway_signed_itself(talk: Conversation) -> None:
    asked = talk.asked()
    assert talk.tell(asked, talk.said(asked, by="gateway/keys")) == {Fault.UPSTREAM_SIGNATURE_INVALID}


@pytest.mark.parametrize("missing", range(7))
def test_rest_answer_that_does_not_cover(talk: Conversation, missing: int) -> None:
    asked = talk.asked()
    said = talk.said(asked, lambda pairs: [pair for number, pair in enumerate(pairs) if number != missing])
    assert talk.tell(asked, said) == {Fault.UPSTREAM_DIFFERS}


def test_rest_answer_that_covers_something_unknown(talk: Conversation) -> None:
    asked = talk.asked()
    said = talk.said(asked, lambda pairs: [*pairs, ('"x-name"', "Tremblay")])
    assert talk.tell(asked, said) == {Fault.UPSTREAM_DIFFERS}


def test_rest_answer_of_another_hour(talk: Conversation) -> None:
    asked = talk.asked()
    assert talk.tell(asked, talk.said(asked, shift=3600)) == {Fault.TIME_DIFFERS}


def test_rest_answer_to_a_soap_request(talk: Conversation) -> None:
    said = talk.said(talk.asked())
    assert talk.tell(talk.attempt["request"], said) == {Fault.UPSTREAM_DIFFERS}


def test_soap_answer_to_a_rest_request(talk: Conversation) -> None:
    assert talk.tell(talk.asked(), talk.attempt["answer"]) == {Fault.UPSTREAM_DIFFERS}


def test_rest_messages_told_twice(bench: Bench, talk: Conversation) -> None:
    asked = talk.asked()
    said = talk.said(asked)
    again = bench.one("nirec.verify", nth=1)
    bench.forger.change(again, lambda evidence: evidence["upstream"][0].update(request=asked, answer=said))
    assert Fault.REPLAYED in talk.tell(asked, said)


def unsigned(talk: Conversation, stem: str = "tls") -> dict[str, Any]:
    """An answer over the registry's connection, as its TLS certificate alone vouches for it."""
    path = talk.bench.forger.gateway.folder / "sandbox" / REGISTRY / f"{stem}.pem"
    der = x509.load_pem_x509_certificates(path.read_bytes())[0].public_bytes(Encoding.DER)
    digest = sha256(der).hexdigest()
    talk.bench._objects[digest] = der
    proof = talk.attempt["answer"]["signing"] | {"sha256": digest}
    return {"form": "tls", "content_digest": DIGEST, "tls": proof}


def allow_unsigned(bench: Bench) -> None:
    bench.under(f"    - {REGISTRY}.passerelle.test\n", f"    - {REGISTRY}.passerelle.test\n    unsigned: true\n")


def test_unsigned_answer_where_the_policy_says_that_they_do_not_sign(talk: Conversation) -> None:
    allow_unsigned(talk.bench)
    assert talk.tell(talk.asked(), unsigned(talk)) == set()


def test_unsigned_answer_of_a_party_that_signs(talk: Conversation) -> None:
    assert talk.tell(talk.asked(), unsigned(talk)) == {Fault.UPSTREAM_DIFFERS}


def test_unsigned_answer_by_a_signing_certificate(talk: Conversation) -> None:
    allow_unsigned(talk.bench)
    assert talk.tell(talk.asked(), unsigned(talk, "signing")) == {Fault.CERTIFICATE_OF_OTHER_USE}


@pytest.mark.parametrize("change", [{"form": "letter"}, {"label": None}, {"more": "x"}, {"signature": "AB=="}])
def test_rest_message_of_another_shape(talk: Conversation, change: dict[str, Any]) -> None:
    asked = talk.asked()
    assert talk.tell(asked | change, talk.said(asked)) == {Fault.EVIDENCE_MALFORMED}
