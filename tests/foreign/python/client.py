"""A client from docs/profile.md: sockets, TLS and the PyPI package http-message-signatures; nothing of Passerelle.

``python client.py FOLDER``: FOLDER holds client.properties and the files of section 1; a JSON report on stdout.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import secrets
import ssl
import sys
import time
import warnings
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, InvalidSignature, algorithms
from http_message_signatures.resolvers import MappingKeyResolver

ALGORITHMS: dict[str, Any] = {
    "ecdsa-p256-sha256": algorithms.ECDSA_P256_SHA256,
    "ed25519": algorithms.ED25519,
    "rsa-pss-sha512": algorithms.RSA_PSS_SHA512,
}
FIRST = ("@method", "@target-uri", "exchange-agreement", "exchange-purpose")
EXAMPLES = ("nirec", "family_name", "given_names", "birth_date")
QUESTION = {"as_of": "2027-06-01", "region": "13"}
ALWAYS = {'"@status"', '"content-digest"', '"exchange-id"', '"ledger-leaf"', '"ledger-by"', '"@method";req'}
BOUND = {'"@target-uri";req', '"signature";req;key="sig1"', '"signature-input";req;key="sig1"'}
#: Only where the request had a body.
CONTENT = {'"content-digest";req'}


@dataclass(frozen=True)
class Request:
    """A request as the library wants it; a GET has an empty body."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """An answer as the library wants it, with the request that it answers."""

    status_code: int
    headers: dict[str, str]
    body: bytes
    request: Request


class Client:
    """One party: its folder, its two keys, the gateway's certificate."""

    def __init__(self, folder: Path) -> None:
        rows = (folder / "client.properties").read_text(encoding="utf-8").splitlines()
        self.settings = dict(row.split("=", 1) for row in rows)
        self.origin = self.settings["origin"]
        self.context = ssl.create_default_context(cafile=str(folder / "gateway-root.pem"))
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
        own = x509.load_pem_x509_certificate((folder / "signing.pem").read_bytes())
        gateway = x509.load_pem_x509_certificate((folder / "gateway.pem").read_bytes())
        self.keyid = keyid(own)
        keys: Any = {self.keyid: load_pem_private_key((folder / "signing.key").read_bytes(), None)}
        trusted: Any = {keyid(gateway): gateway.public_key()}
        self.signer = HTTPMessageSigner(
            signature_algorithm=ALGORITHMS[self.settings["algorithm"]],
            key_resolver=MappingKeyResolver(public_keys={}, private_keys=keys),
        )
        self.verifier = HTTPMessageVerifier(
            signature_algorithm=algorithms.ECDSA_P256_SHA256,
            key_resolver=MappingKeyResolver(public_keys=trusted, private_keys={}),
        )

    def sign(self, target: str, fields: dict[str, Any], agreement: str, purpose: str) -> Request:
        body = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "Exchange-Agreement": agreement, "Exchange-Purpose": purpose}
        return self.signed(Request("POST", self.origin + target, headers, body))

    def ask(self, target: str, fields: dict[str, str], agreement: str, purpose: str) -> Request:
        """The one GET, which asks in its query."""
        headers = {"Exchange-Agreement": agreement, "Exchange-Purpose": purpose}
        return self.signed(Request("GET", f"{self.origin}{target}?{urlencode(fields)}", headers, b""))

    def signed(self, request: Request) -> Request:
        """Section 4: the request, its signature's headers added."""
        covered: tuple[str, ...] = (*FIRST, "content-type") if request.body else FIRST
        covered += ("idempotency-key",) if "Idempotency-Key" in request.headers else ()
        # the library computes Content-Digest of the body, and covers it
        self.signer.sign(
            request, key_id=self.keyid, label="sig1", tag="passerelle", nonce=secrets.token_hex(16),
            body=request.body or None, covered_component_ids=covered,
            created=datetime.now(UTC),  # noqa: TID251  a stranger has no clock of ours
        )  # fmt: skip
        return request

    def send(self, request: Request) -> Answer:
        url = urlsplit(request.url)
        connection = http.client.HTTPSConnection(url.netloc, context=self.context, timeout=20)
        try:
            target = request.url.removeprefix(f"{url.scheme}://{url.netloc}")
            connection.request(request.method, target, request.body or None, request.headers)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read(), request)
        finally:
            connection.close()

    def verify(self, answer: Answer) -> list[str]:
        """Section 5: what the answer covers; raises InvalidSignature or ValueError."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library's advice on choosing among labels; there is one
            found = self.verifier.verify(answer, expect_tag="passerelle", body=answer.body)
        covered = set(found[0].covered_components) - {'"@signature-params"'}
        kind = next(value for name, value in answer.headers.items() if name.lower() == "content-type")
        problem = kind == "application/problem+json" and answer.status_code >= 400
        bound = BOUND | CONTENT if answer.request.body else BOUND
        if len(found) != 1 or not covered >= ALWAYS or not (problem or covered >= bound):
            raise ValueError("the answer does not cover all that it must")
        return sorted(covered)

    def report(self, request: Request) -> dict[str, Any]:
        answer = self.send(request)
        covered = self.verify(answer)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        names = ("exchange-id", "ledger-leaf", "ledger-by", "content-digest")
        body = json.loads(answer.body)
        return {"status": answer.status_code, "covered": covered, "body": body} | {
            name: headers[name] for name in names
        }

    def notices(self, request: Request) -> dict[str, bool]:
        """Whether each change of a good answer is seen."""
        answer = self.send(request)
        self.verify(answer)
        changed = answer.body[:-1] + bytes([answer.body[-1] ^ 1])
        other = {name: value for name, value in answer.headers.items() if name.lower() != "exchange-id"}
        spoilt = {
            "body": replace(answer, body=changed),
            "status": replace(answer, status_code=201),
            "header": replace(answer, headers=other | {"Exchange-Id": "00000000-0000-4000-8000-000000000000"}),
            "request": replace(answer, request=replace(request, url=f"{request.url}/")),
        }
        return {name: self._refuses(one) for name, one in spoilt.items()}

    def _refuses(self, answer: Answer) -> bool:
        try:
            self.verify(answer)
        except (InvalidSignature, ValueError):
            return True
        return False

    def acknowledge(self, report: dict[str, Any]) -> dict[str, Any]:
        """Section 6: says under our signature which answer we have."""
        said = {"answer_digest": report["content-digest"], "handle": report["body"]["handle"]}
        target = f"/v1/exchanges/{report['exchange-id']}/acknowledgement"
        terms = (self.settings["verify.agreement"], self.settings["verify.purpose"])
        return self.report(self.sign(target, said | {"ledger_leaf": report["ledger-leaf"]}, *terms))

    def receipt(self, exchange_id: str) -> str:
        """Section 6: the receipt once the log has the exchange."""
        request = Request("GET", f"{self.origin}/v1/exchanges/{exchange_id}/receipt", {}, b"")
        while (answer := self.send(request)).status_code == 202:
            time.sleep(min(0.2, float(answer.headers["Retry-After"])))
        return answer.body.decode()


def keyid(certificate: x509.Certificate) -> str:
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def main(folder: Path) -> int:
    client = Client(folder)
    own = client.settings
    message = {"message": "d'ailleurs: été"}
    echo = ("/v1/echo", message, own["echo.agreement"])
    salt = base64.b64encode(secrets.token_bytes(16)).decode()
    child = {name: own[name] for name in EXAMPLES} | {"salt": salt}
    first = client.sign(*echo, own["echo.purpose"])
    report: dict[str, Any] = {"echo": client.report(first), "replayed": client.report(first)}
    report["refused"] = client.report(client.sign(*echo, "autre"))
    asked = client.sign("/v1/nirec/verifications", child, own["verify.agreement"], own["verify.purpose"])
    report["verification"] = client.report(asked)
    report["acknowledgement"] = client.acknowledge(report["verification"])
    terms = (own["waitlist.statistics.agreement"], own["waitlist.statistics.purpose"])
    report["statistics"] = client.report(client.ask("/v1/waitlist/statistics", QUESTION, *terms))
    report["notices"] = client.notices(client.sign(*echo, own["echo.purpose"]))
    report["receipt"] = client.receipt(report["verification"]["exchange-id"])
    sys.stdout.write(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
