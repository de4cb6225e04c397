"""Answers and receipts (section 10): a party believes no answer but to its own request, and no forged token."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.client.client import PartyClient
from gateway.client.party import PartyFolder
from gateway.client.signer import RequestSigner
from gateway.client.verifier import AnswerError
from gateway.keys.files import FileKeystore
from gateway.signing.receipt import RECEIPT_TYPE
from gateway.system import SystemClock, SystemRandomness
from tests.adapters.fakes import free_port, until
from tests.attacks.upstream import TlsServer, server_context
from tests.signing.test_receipt import Desk, _attacks, _Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.client.signer import SignedRequest
    from gateway.client.verifier import VerifiedAnswer
    from tests.attacks.arena import Arena
    from tests.exchange.live import Shown

FIELDS = {"message": "bonjour"}


@dataclass(frozen=True)
class Told:
    """What the man in the middle says: the gateway's answer, or another in its place."""

    status: int
    headers: dict[str, str]
    body: bytes

    def but(self, **headers: str) -> Told:
        return replace(self, headers=self.headers | {name.replace("_", "-"): text for name, text in headers.items()})


class Middle:
    """A man in the middle with the gateway's TLS key: passes everything on, and answers as it is told."""

    def __init__(self, arena: Arena, party: str = "ministry") -> None:
        self.arena = arena
        self.twist: Callable[[str, Told], Told] = lambda _target, told: told
        middle = self
        port = free_port()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self._pass_on(self.rfile.read(int(self.headers["Content-Length"])))

            def do_GET(self) -> None:
                self._pass_on(b"")

            def _pass_on(self, body: bytes) -> None:
                told = middle._pass_on(self.command, self.path, dict(self.headers), body)
                self.send_response_only(told.status)
                for name, value in told.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(told.body)))
                self.end_headers()
                self.wfile.write(told.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
                """Nothing."""

        self._server = TlsServer(port, server_context(arena.keys / "tls-server"), Handler)
        folder = PartyFolder.load(arena.party(party))
        keystore = FileKeystore(folder.folder, signing=["signing"])
        signer = RequestSigner(keystore, SystemClock(), SystemRandomness(), folder.origin)
        self.client = PartyClient(folder, signer, SystemRandomness())
        # The names are the gateway's, and so what is signed; the way there leads through the middle.
        self.client._party = replace(folder, origin=f"https://localhost:{port}")

    def _pass_on(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Told:
        request = self.arena.draft().signed()
        sent = replace(request, method=method, target=target, headers=_signed_headers(headers), body=body)
        shown = self.arena.exchange(sent)
        return self.twist(target, told_by(shown))

    def ask(self) -> tuple[SignedRequest, VerifiedAnswer]:
        request = self.client.prepare("echo", dict(FIELDS), salted=False)
        return request, self.client.send(request)

    def close(self) -> None:
        self._server.close()


def _signed_headers(headers: dict[str, str]) -> dict[str, str]:
    kept = {"content-type", "content-digest", "signature", "signature-input", "idempotency-key"}
    kept |= {"exchange-agreement", "exchange-purpose"}
    return {name: value for name, value in headers.items() if name.lower() in kept}


def told_by(shown: Shown) -> Told:
    left_out = ("server", "date", "connection", "content-length")
    return Told(shown.status, {k: v for k, v in shown.headers.items() if k not in left_out}, shown.body)


@pytest.fixture
def middle(arena: Arena) -> Iterator[Middle]:
    made = Middle(arena)
    yield made
    made.close()


def _another_answer(middle: Middle, _told: Told) -> Told:
    """The gateway's own answer, rightly signed, to another request of the same party."""
    return told_by(middle.arena.exchange(middle.arena.draft().signed()))


def _another_refusal(middle: Middle, _told: Told) -> Told:
    draft = middle.arena.draft(agreement="NONE")
    return told_by(middle.arena.exchange(draft.signed()))


def _signature(told: Told, change: Callable[[bytearray], None]) -> Told:
    label, _, value = told.headers["signature"].partition("=")
    raw = bytearray(b64decode(value.strip(":")))
    change(raw)
    return told.but(signature=f"{label}=:{b64encode(raw).decode()}:")


def _flip(raw: bytearray) -> None:
    raw[-1] ^= 1


def _without(told: Told, *names: str) -> Told:
    return replace(told, headers={name: value for name, value in told.headers.items() if name not in names})


#: attack -> what the man in the middle makes of the answer, and why it is not believed
ANSWERS: dict[str, tuple[Callable[[Middle, Told], Told], str]] = {
    "answer_bound_to_another_request": (_another_answer, "answer_signature_invalid"),
    "refusal_bound_to_another_request": (_another_refusal, "answer_signature_invalid"),
    "answer_body_changed": (lambda _, told: replace(told, body=b'{"message":"tampered"}'), "answer_body_differs"),
    "answer_status_changed": (lambda _, told: replace(told, status=201), "answer_signature_invalid"),
    "answer_signature_changed": (lambda _, told: _signature(told, _flip), "answer_signature_invalid"),
    "answer_not_signed": (lambda _, told: _without(told, "signature", "signature-input"), "answer_not_signed"),
    "answer_of_another_exchange_id": (
        lambda _, told: told.but(exchange_id="b3b9a6a0-7a5c-4a7e-8f59-0d9d3f6d0f0e"),
        "answer_signature_invalid",
    ),
    "answer_of_another_leaf": (
        lambda _, told: told.but(ledger_leaf=b64encode(b"l" * 32).decode()),
        "answer_signature_invalid",
    ),
    "answer_promised_for_later": (
        lambda _, told: told.but(ledger_by="2036-01-01T00:00:00Z"),
        "answer_signature_invalid",
    ),
    "answer_made_a_problem": (
        lambda _, told: replace(told, status=503).but(content_type="application/problem+json"),
        "answer_signature_invalid",
    ),
}


@pytest.mark.parametrize("attack", ANSWERS)
def test_refused(middle: Middle, attack: str) -> None:
    twist, expected = ANSWERS[attack]
    assert middle.ask()[1].status == 200
    middle.twist = lambda _target, told: twist(middle, told)
    with pytest.raises(AnswerError) as refused:
        middle.ask()
    assert refused.value.key == expected


class LiveDesk(Desk):
    """The attacks on tokens, made with the running gateway's own receipts key, which an attacker may not even have."""

    def __init__(self, arena: Arena, token: str) -> None:
        self.keys = _Keys()
        self.keys.receipts = load_pem_private_key((arena.keys / "receipts.key").read_bytes(), None)  # type: ignore[assignment]  # P-256
        self._token = token
        self._kid = str(jwt.get_unverified_header(token)["kid"])

    def receipt(self, **changes: Any) -> str:
        """The gateway's, or with other claims and rightly signed all the same."""
        if not changes:
            return self._token
        claims = jwt.decode(self._token, options={"verify_signature": False}) | changes
        return jwt.encode(claims, self.keys.receipts, "ES256", {"typ": RECEIPT_TYPE, "kid": self._kid})

    @property
    def kid(self) -> str:
        return self._kid


def _proof(change: Callable[[str], str]) -> Callable[[LiveDesk], str]:
    def make(desk: LiveDesk) -> str:
        claims = jwt.decode(desk.receipt(), options={"verify_signature": False})
        changed = change(claims["proof"])
        assert changed != claims["proof"]
        return desk.receipt(proof=changed)

    return make


_TOKENS = (
    "alg_none", "alg_none_in_capitals", "hmac_with_the_public_key", "rsa_confusion", "jwk_in_the_header",
    "jwk_in_the_header_though_rightly_signed", "jku_in_the_header", "crit_in_the_header", "wrong_typ", "no_typ",
    "unknown_kid", "signed_by_another", "signature_removed", "no_token", "expired",
    "not_yet_valid", "no_kid", "x5u_in_the_header",
)  # fmt: skip

#: attack -> the token, rightly signed, that proves something else or nothing
_CLAIMS: dict[str, Callable[[LiveDesk], str]] = {
    "receipt_of_another_party": lambda desk: desk.receipt(sub="cooperative"),
    "receipt_of_another_exchange": lambda desk: desk.receipt(exchange_id="b3b9a6a0-7a5c-4a7e-8f59-0d9d3f6d0f0e"),
    "receipt_of_another_leaf": lambda desk: desk.receipt(ledger_leaf=b64encode(b"l" * 32).decode()),
    "receipt_without_a_proof": lambda desk: desk.receipt(proof=""),
    "receipt_with_another_index": _proof(lambda proof: re.sub(r"\nindex \d+\n", "\nindex 0\n", proof)),
    "receipt_with_another_checkpoint": _proof(lambda proof: re.sub(r"(passerelle.development\n)\d+", r"\g<1>7", proof)),
    "receipt_whose_checkpoint_nobody_signed": _proof(lambda proof: proof.rpartition("\n— ")[0] + "\n"),
}
RECEIPTS = [*_TOKENS, *_CLAIMS]


@pytest.mark.parametrize("attack", RECEIPTS)
def test_refused_as_a_receipt(middle: Middle, attack: str) -> None:
    _, answer = middle.ask()
    place = middle.client.prove(answer, within=10)
    assert place is not None
    desk = LiveDesk(middle.arena, place.receipt)
    tokens = _attacks(desk) if attack in _TOKENS else {attack: _CLAIMS[attack](desk)}
    assert attack not in _TOKENS or set(_TOKENS) <= set(tokens)
    jose = {"Content-Type": "application/jose"}
    forged = Told(200, jose, tokens[attack].encode())
    middle.twist = lambda target, told: forged if target.endswith("/receipt") else told
    with pytest.raises(AnswerError):
        middle.client.prove(answer, within=0)
    genuine = Told(200, jose, place.receipt.encode())
    middle.twist = lambda target, told: genuine if target.endswith("/receipt") else told
    again = middle.client.prove(answer, within=0)
    assert again is not None
    assert again.index == place.index


def test_a_receipt_is_for_its_own_party(arena: Arena) -> None:
    shown = arena.accepted(arena.draft().signed())
    target = f"/v1/exchanges/{shown.headers['exchange-id']}/receipt"
    assert until(lambda: arena.get(target).status == 200, 10)
    other = arena.get(target, arena.tls("cooperative"))
    assert (other.status, other.json()["code"]) == (404, "receipt_unknown")
