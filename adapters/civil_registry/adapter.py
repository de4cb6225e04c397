"""The civil registry as step 6 sees it: a canonical message in, a verified outcome out."""

from __future__ import annotations

import time
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.civil_registry.mapping import RegistryMapping, load_mapping
from adapters.resilience import AttemptFailedError, Resilience, ResilienceSettings
from adapters.soap import SoapClient, SoapEndpoint, SoapRequest
from gateway.errors import Code
from gateway.model import Attempt, Nirec, Reply, UpstreamRefusal
from gateway.signing.soap_info import decode
from gateway.signing.soap_sign import SIGNING_KEY, SoapSigner
from gateway.signing.soap_verify import SoapVerifier, VerifiedSoap

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.model import CertificateProof, Grant, Message
    from gateway.ports import Clock, Keystore, Randomness

_SALT = 32
_LEAST_SALT = 16


class CivilRegistry:
    """Verifies births with the civil registry (ports.Upstream); the answer's one field is ``outcome``."""

    def __init__(
        self,
        soap: SoapClient,
        mapping: RegistryMapping,
        resilience: Resilience,
        clock: Clock,
        randomness: Randomness,
        claim_salt: Callable[[bytes], bool],
    ) -> None:
        self._soap = soap
        self._claim_salt = claim_salt
        self._mapping = mapping
        self._resilience = resilience
        self._clock = clock
        self._randomness = randomness

    def call(self, grant: Grant) -> Reply:
        """``confirmed``, ``not_confirmed`` or ``not_found``, with every attempt that it took.

        Raises UpstreamRefusal (``upstream_unavailable``, ``_timeout``, ``_untrusted``, ``_malformed``), which
        carries the attempts, and the seconds after which to come back where waiting helps.
        """
        attempts: list[Attempt] = []

        def attempt(timeout: float) -> str:
            return self._attempt(grant.message, timeout, attempts)

        try:
            outcome = self._resilience.run(attempt)
        except AttemptFailedError as failed:
            raise UpstreamRefusal(failed.code, attempts=tuple(attempts), retry_after=failed.retry_after) from None
        except Exception as fault:
            if not attempts:
                raise
            # Whatever failed after something was sent, evidence says what was sent (L1).
            raise UpstreamRefusal(Code.INTERNAL, attempts=tuple(attempts)) from fault
        return Reply(self._mapping.upstream, {"outcome": outcome}, tuple(attempts))

    def cut_off(self) -> bool:
        """Whether its circuit breaker is open."""
        return self._resilience.cut_off()

    def _attempt(self, message: Message, timeout: float, attempts: list[Attempt]) -> str:
        """One try with its own salt, MessageID, Timestamp and signature (C4); kept whatever comes of it."""
        at = self._clock.now()
        salt = self._randomness.bytes(_SALT)
        parameters = {element: _plain(message.fields[name]) for name, element in self._mapping.fields.items()}
        parameters[self._mapping.request_salt] = salt
        request = self._soap.prepare(self._mapping.operation, self._mapping.request_action, parameters)
        outcome, answer = Code.INTERNAL.value, None
        try:
            data = self._soap.send(request, timeout)
            verified = self._soap.read(request, data, self._mapping.answer_action)
            result = self._translate(verified, request, salt)
            # C6: only now, its salt sound, may evidence keep the answer's digests and signature.
            outcome, answer = "answered", verified.part
        except AttemptFailedError as failed:
            outcome = failed.code.value
            raise
        finally:
            attempts.append(Attempt(at, outcome, request.part, answer))
        return result

    def _translate(self, verified: VerifiedSoap, request: SoapRequest, salt: bytes) -> str:
        """The canonical outcome out of the verified node; the XSD has vouched for its shape."""
        salt_element = verified.body.find(self._mapping.answer_salt)
        outcome = self._mapping.outcomes.get(verified.body.findtext(self._mapping.answer_outcome, ""))
        if verified.body.tag != self._mapping.answer_element or salt_element is None or outcome is None:
            raise AttemptFailedError(Code.UPSTREAM_MALFORMED, again=False)
        theirs = decode(salt_element)
        public = {salt, *_forms(request.message_id), *_forms(verified.facts.message_id or "")}
        if len(theirs) < _LEAST_SALT or theirs in public or not self._claim_salt(theirs):
            raise AttemptFailedError(Code.UPSTREAM_UNTRUSTED, again=False)
        return outcome


def _plain(value: object) -> object:
    """The one place where a NIREC is revealed: on its way to the registry that made it (N1)."""
    return value.reveal() if isinstance(value, Nirec) else value


def _forms(message_id: str) -> tuple[bytes, ...]:
    """A MessageID's text and, of a UUID, its 16 bytes: evidence holds it, so it is no salt (C4)."""
    digits = message_id.removeprefix("urn:uuid:").replace("-", "")
    try:
        return message_id.encode(), bytes.fromhex(digits)
    except ValueError:
        return (message_id.encode(),)


def contract_directory() -> Path:
    """Where the civil registry's WSDL, XSD and mapping stand."""
    return Path(str(files("contracts"))) / "civil_registry" / "v1"


def civil_registry(
    endpoint: SoapEndpoint,
    *,
    keystore: Keystore,
    prove: Callable[[bytes], CertificateProof],
    vet: Callable[[bytes], CertificateProof],
    clock: Clock,
    randomness: Randomness,
    claim_salt: Callable[[bytes], bool],
    vet_server: Callable[[bytes], object] | None = None,
    resilience: ResilienceSettings | None = None,
    sleep: Callable[[float], None] = time.sleep,
    signing_key: Callable[[], str] = lambda: SIGNING_KEY,
) -> CivilRegistry:
    """The adapter, ready to call; opens no connection yet, so it may be built before a fork.

    ``prove`` gives evidence's view of our signing certificate (DER), ``vet`` judges the registry's, and
    ``vet_server`` its TLS server certificate, before anything is sent; all may keep their verdicts. ``claim_salt``
    says of an answer's salt whether the registry never used it before, and remembers it (C4). ``signing_key`` names
    the key that we sign under, which changes when it is rotated.

    Raises ConfigurationError, or OSError for a missing contract.
    """
    contract = contract_directory()
    soap = SoapClient(
        endpoint,
        contract / "civil_registry.wsdl",
        contract / "civil_registry.xsd",
        signer=SoapSigner(keystore, prove, clock, signing_key),
        verifier=SoapVerifier(vet, clock),
        clock=clock,
        randomness=randomness,
        vet_server=vet_server,
    )
    mapping = load_mapping(contract / "mapping.yaml")
    tries = Resilience(resilience or ResilienceSettings(), clock, sleep)
    return CivilRegistry(soap, mapping, tries, clock, randomness, claim_salt)
