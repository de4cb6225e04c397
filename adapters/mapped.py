"""An outside system out of a folder: its document, its mapping, and how it is reached (C2). No system has code here."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters import rest, soap
from adapters.channel import Channel
from adapters.encryption import Encryption, encryption_to
from adapters.mapping.apart import nobody
from adapters.mapping.declaration import load_mapping, located
from adapters.mapping.rest_form import rest_service
from adapters.mapping.soap_form import soap_service
from adapters.profile import profile_operations
from adapters.rest import RestClient, RestDialogue
from adapters.salts import Salts
from adapters.soap import SoapClient, SoapDialogue
from adapters.system import OutsideSystem
from contracts.errors import ContractError
from gateway.signing.outgoing import RequestSigner
from gateway.signing.soap_sign import SIGNING_KEY, SoapSigner
from gateway.signing.soap_verify import SoapVerifier
from gateway.signing.upstream_answer import UpstreamAnswerVerifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from adapters.channel import Endpoint
    from adapters.mapping.declaration import MappingDocument
    from adapters.resilience import ResilienceSettings
    from adapters.system import Dialogue
    from contracts.declaration import Contract
    from gateway.model import CertificateProof, Signer
    from gateway.ports import Clock, Keystore, Randomness


@dataclass(frozen=True, slots=True)
class Trust:
    """Who is believed, and who we are, towards one system; each function may keep its verdicts.

    Attributes:
        keystore: has our signing key; ``signing_key`` names it, anew each time, since it is rotated.
        prove: evidence's view of our signing certificate (DER).
        vet: judges a signing certificate (DER) that their message brings; raises CertificateRefusedError.
        signer: whose certificate a keyid names, theirs or refused; raises CertificateRefusedError or Refusal.
        vet_server: judges their TLS server's certificate (DER) before anything is sent, and gives its proof.
        claim_salt: whether they never used this salt before; remembers it (C4).
        unsigned: whether the policy says, now, that their systems answer without a signature.
        officers: the officers' raw public key that evidence of their messages is sealed apart to, by today's policy
            (C5); raises KeystoreError where it names none for them.
    """

    keystore: Keystore
    prove: Callable[[bytes], CertificateProof]
    vet: Callable[[bytes], CertificateProof]
    signer: Callable[[str], Signer]
    vet_server: Callable[[bytes], object] | None
    claim_salt: Callable[[bytes], bool]
    signing_key: Callable[[], str] = lambda: SIGNING_KEY
    unsigned: Callable[[], bool] = lambda: False
    officers: Callable[[], bytes] = nobody


def profile_system(
    name: str,
    contracts: Iterable[Contract],
    endpoint: Endpoint,
    trust: Trust,
    *,
    clock: Clock,
    randomness: Randomness,
    resilience: ResilienceSettings | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> OutsideSystem:
    """A party's REST service of our own profile, for every operation that the contracts say it answers."""
    verifier = UpstreamAnswerVerifier(trust.signer, clock)
    client = _rest_client(endpoint, trust, clock, randomness, verifier)
    salts = Salts(randomness, trust.claim_salt)
    operations = profile_operations(name, contracts)
    dialogues = {word: RestDialogue(operation, client, salts) for word, operation in operations.items()}
    return OutsideSystem(name, dialogues, clock, resilience, sleep)


def _rest_client(
    endpoint: Endpoint, trust: Trust, clock: Clock, randomness: Randomness, verifier: UpstreamAnswerVerifier | None
) -> RestClient:
    channel = Channel(endpoint, clock, rest.MEDIA_TYPE, trust.vet_server)
    signer = RequestSigner(trust.keystore, clock, randomness, endpoint.origin, trust.signing_key)
    return RestClient(channel, endpoint.below, signer, trust.prove, verifier, trust.unsigned)


def mapped_system(
    folder: Path,
    contracts: Iterable[Contract],
    endpoint: Endpoint,
    trust: Trust,
    *,
    clock: Clock,
    randomness: Randomness,
    resilience: ResilienceSettings | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> OutsideSystem:
    """The service that the folder's mapping describes: SOAP by a ``.wsdl``, else REST by OpenAPI.

    Raises ConfigurationError with file and line.
    """
    mapping = load_mapping(folder)
    salts = Salts(randomness, trust.claim_salt)
    dialogues: Mapping[str, Dialogue]
    if mapping.document.endswith(".wsdl"):
        client = _soap_client(endpoint, trust, clock, randomness, signed=mapping.signed)
        encryption = _encryption(folder, mapping, randomness)
        operations = soap_service(folder, contracts).operations
        dialogues = {
            name: SoapDialogue(one, client, salts, encryption, trust.officers) for name, one in operations.items()
        }
    else:
        verifier = UpstreamAnswerVerifier(trust.signer, clock) if mapping.signed else None
        asked = _rest_client(endpoint, trust, clock, randomness, verifier)
        known = rest_service(folder, contracts).operations
        dialogues = {name: RestDialogue(one, asked, salts, trust.officers) for name, one in known.items()}
    return OutsideSystem(mapping.upstream, dialogues, clock, resilience, sleep)


def _encryption(folder: Path, mapping: MappingDocument, randomness: Randomness) -> Encryption | None:
    if mapping.encryption_certificate is None:
        return None
    try:
        return encryption_to(folder / mapping.encryption_certificate, randomness)
    except ContractError as error:
        raise located(folder, error) from None


def _soap_client(endpoint: Endpoint, trust: Trust, clock: Clock, randomness: Randomness, *, signed: bool) -> SoapClient:
    return SoapClient(
        Channel(endpoint, clock, soap.MEDIA_TYPE, trust.vet_server),
        endpoint.url,
        endpoint.target,
        signer=SoapSigner(trust.keystore, trust.prove, clock, trust.signing_key),
        verifier=SoapVerifier(trust.vet, clock, soap.ANSWER_LIMITS) if signed else None,
        unsigned=trust.unsigned,
        randomness=randomness,
    )
