"""An upstream by REST that keeps what it is sent and what it answers, below an address of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.profile import profile_operations
from contracts.names import versioned
from gateway.errors import Code
from gateway.ledger.encoding import encode64
from gateway.model import Attempt, Reply, UpstreamRefusal
from gateway.signed import RestPart
from gateway.signing.answer import keyid_of
from gateway.signing.base import lines
from gateway.signing.digest import content_digest
from gateway.signing.outgoing import RequestSigner
from tests.audit.gateway_run import keystore

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.mapping.rest_call import RestCall
    from gateway.model import CertificateProof, Grant
    from gateway.signing.outgoing import SignedRequest
    from tests.audit.gateway_run import Gateway

PARTY = "cooperative"
ORIGIN, BELOW = "https://cooperative.test", "/api"
EXAMPLE = Path(__file__).parents[2] / "contracts" / "waitlist" / "v1" / "examples" / "waitlist.statistics.response.json"


@dataclass
class KeepingCooperative:
    """ports.Upstream for one operation; the gateway may alter what it is to ask, or what it is told."""

    gateway: Gateway
    folder: Path
    ask: Callable[[dict[str, object]], dict[str, object]] = field(default=lambda fields: fields)
    says: Callable[[RestCall], bytes] = field(default=lambda _call: EXAMPLE.read_bytes())
    tell: Callable[[dict[str, object]], dict[str, object]] = field(default=lambda fields: fields)
    #: The Idempotency-Key that it was last asked under; whether what it answers is lost on the way.
    key: str = ""
    lost: bool = False

    def call(self, grant: Grant) -> Reply:
        gateway, message = self.gateway, grant.message
        operation = profile_operations(PARTY, gateway.composition.contracts)[versioned(message.operation.name, "1")]
        call = operation.request(self.ask(dict(message.fields)), gateway.randomness.bytes(16))
        at = gateway.clock.now()
        ours = keystore(gateway.settings.folders.keys)
        signer = RequestSigner(ours, gateway.clock, gateway.randomness, ORIGIN)
        terms = {"agreement": grant.agreement, "purpose": grant.purpose}
        key = None if grant.effect is None else grant.effect.upstream
        asked = signer.sign(call.method, BELOW + call.target, call.body, **terms, idempotency_key=key)
        self.key = key or ""
        body = self.says(call)
        for kept in (call.body, body):
            (self.folder / f"{sha256(kept).hexdigest()}.json").write_bytes(kept)
        proof = gateway._prove_ours(ours.certificate("signing"))
        part = self._part(asked.base, asked.signature, asked.parameters, proof)
        if self.lost:
            lost = Attempt(at, Code.UPSTREAM_TIMEOUT, part, None)
            raise UpstreamRefusal(Code.UPSTREAM_TIMEOUT, attempts=(lost,))
        attempt = Attempt(at, "answered", part, self._said(asked, body))
        return Reply(PARTY, self.tell(dict(operation.read(200, body).fields)), (attempt,))

    def _said(self, asked: SignedRequest, body: bytes) -> RestPart:
        theirs = keystore(self.gateway.folder / "sandbox" / "parties" / PARTY)
        certificate = theirs.certificate("signing")
        pairs = [
            ('"@status"', "200"),
            ('"content-digest"', content_digest(body)),
            ('"@method";req', asked.method),
            ('"@target-uri";req', ORIGIN + asked.target),
            *([('"content-digest";req', content_digest(asked.body))] if asked.body else []),
            ('"signature";req;key="sig1"', f":{encode64(asked.signature)}:"),
            ('"signature-input";req;key="sig1"', asked.parameters),
        ]
        created, keyid = int(self.gateway.clock.now().timestamp()), keyid_of(sha256(certificate).hexdigest())
        names = " ".join(name for name, _ in pairs)
        parameters = f'({names});created={created};keyid="{keyid}";tag="passerelle"'
        base = lines(pairs, parameters)
        proof = self.gateway.worker._parties.counterpart(PARTY, certificate, self.gateway.clock.now())
        return self._part(base, theirs.sign("signing", base), parameters, proof)

    def _part(self, base: bytes, signature: bytes, parameters: str, proof: CertificateProof) -> RestPart:
        return RestPart(base, signature, "sig1", parameters, "ecdsa-p256-sha256", proof)
