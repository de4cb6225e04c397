"""`translation_cpu_over_zeep`: a REST question put to a SOAP registry, by the gateway and by plain zeep with xmlsec.

Counted is the CPU time of one thread from the JSON body to the signed SOAP request, and from the SOAP answer's bytes,
verified, to the JSON answer. Not counted on either side: TLS, HTTP, and the registry's own work, which goes on in
between. Both ask the same registry the same question in alternating rounds; the figures are medians.

    python benchmarks/translation.py [--quick]
"""

from __future__ import annotations

import argparse
import base64
import json
import tempfile
import time
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from uuid import UUID

from figures import Figure, keep
from lxml import etree
from plain_zeep import PlainZeep

from adapters.channel import HttpAnswer
from adapters.civil_registry.sandbox.answering import SigningIdentity, signed_answer
from adapters.civil_registry.sandbox.checking import CheckedRequest
from adapters.mapping.soap_form import soap_service
from adapters.salts import Salts
from adapters.soap import SoapClient, SoapDialogue
from adapters.system import OutsideSystem
from certs.authority import DevAuthority
from certs.files import write_private, write_public
from certs.profiles import Profile
from contracts.loader import load_contracts
from gateway.keys.files import FileKeystore
from gateway.model import CertificateProof, Grant, Party, Received, RequestSignature, VerifiedRequest
from gateway.signing import soap_names as n
from gateway.signing.soap_sign import SIGNING_KEY, SoapSigner
from gateway.signing.soap_verify import SoapVerifier
from gateway.signing.xml import parse
from gateway.system import SystemClock, SystemRandomness
from gateway.translation.translation import Translation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROUNDS, MANY, QUICK_ROUNDS, FEW = 15, 200, 3, 50
URL = "https://localhost/civil-registry/v1"
PROOF = CertificateProof("0" * 64, (), ())
SALT = 32


class Stopwatch:
    """CPU seconds of this thread while it runs; what happens in ``pause`` is not counted."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since = 0.0

    def microseconds_each(self, way: Callable[[bytes], bytes], questions: Sequence[bytes]) -> float:
        """Of answering one question in this way, on average."""
        self._seconds, self._since = 0.0, time.thread_time()
        for question in questions:
            way(question)
        return (self._seconds + time.thread_time() - self._since) / len(questions) * 1e6

    def pause(self, meanwhile: Callable[[], bytes]) -> bytes:
        """What this gives, uncounted."""
        self._seconds += time.thread_time() - self._since
        made = meanwhile()
        self._since = time.thread_time()
        return made


class Registry:
    """The civil registry without a network: a signed answer to each request, on nobody's time."""

    def __init__(self, identity: SigningIdentity, stopwatch: Stopwatch) -> None:
        self._identity = identity
        self._stopwatch = stopwatch
        self._clock, self._randomness = SystemClock(), SystemRandomness()

    def post(self, data: bytes) -> bytes:
        """The answer to a request."""
        return self._stopwatch.pause(lambda: self._answer(data))

    def _answer(self, data: bytes) -> bytes:
        asked = parse(data)
        namespace = str(etree.QName(asked[1][0]).namespace)
        payload = etree.Element(f"{{{namespace}}}VerifierNaissanceReponse", nsmap={"ec": namespace})
        salt = base64.b64encode(self._randomness.bytes(SALT)).decode()
        for name, text in (("salt", salt), ("resultat", "CONFIRME")):
            etree.SubElement(payload, f"{{{namespace}}}{name}").text = text
        value = "".join((asked.findtext(f".//{n.SIGNATURE_VALUE}") or "").split())
        request = CheckedRequest(payload, asked.findtext(f".//{n.MESSAGE_ID}") or "", value)
        action = f"{namespace}/VerifierNaissanceReponse"
        return signed_answer(payload, request, action, self._identity, self._clock.now())


@dataclass(frozen=True)
class Loopback:
    """adapters.channel.Channel without a network."""

    registry: Registry

    def send(self, _method: str, _target: str, _headers: Mapping[str, str], body: bytes, _timeout: float) -> HttpAnswer:
        """The registry's answer."""
        return HttpAnswer(200, {}, self.registry.post(body), None)


class Ours:
    """The gateway's steps 3 and 6, and step 7's form."""

    def __init__(self, keys: Path, registry: Registry, contracts: Path) -> None:
        clock, randomness = SystemClock(), SystemRandomness()
        loaded = load_contracts(contracts)
        client = SoapClient(
            Loopback(registry),  # type: ignore[arg-type]  # a channel in all but its network
            URL,
            "/civil-registry/v1",
            signer=SoapSigner(FileKeystore(keys, signing=[SIGNING_KEY]), lambda _: PROOF, clock),
            verifier=SoapVerifier(lambda _: PROOF, clock),
            randomness=randomness,
        )
        service = soap_service(contracts / "civil_registry" / "v1", loaded)
        salts = Salts(randomness, lambda _: True)
        dialogues = {name: SoapDialogue(operation, client, salts) for name, operation in service.operations.items()}
        self._system = OutsideSystem(service.mapping.upstream, dialogues, clock)
        self._translation = Translation(loaded, randomness, r"\d{13}")
        self._clock = clock

    def verify_birth(self, body: bytes) -> bytes:
        """The JSON answer to a JSON request whose signature was verified."""
        message = self._translation.translate_in(self._request(body))
        grant = Grant(
            message,
            message.agreement,
            message.purpose,
            fields=message.disclosable,
            tells_not_found=True,
            policy_sha256="0" * 64,
        )
        return self._translation.translate_out(grant, dict(self._system.call(grant).fields))

    def _request(self, body: bytes) -> VerifiedRequest:
        headers = {
            "content-type": "application/json",
            "exchange-agreement": "ENT-2026-02",
            "exchange-purpose": "admissibilite",
        }
        target = "/v1/nirec/verifications"
        received = Received(UUID(int=0), "POST", target, headers, body, b"", self._clock.now())
        signature = RequestSignature("sig1", "", b"a base", b"", "ecdsa-p256-sha256", "a nonce", 0, PROOF)
        return VerifiedRequest(Party("ministry", PROOF), received, signature, None)


def bodies(randomness: SystemRandomness, count: int) -> list[bytes]:
    """Questions, each with its own salt."""
    person = {
        "nirec": "1234567890123",
        "family_name": "Tremblay-Côté",
        "given_names": "Zoé",
        "birth_date": "2024-02-29",
    }
    salts = [base64.b64encode(randomness.bytes(SALT)).decode() for _ in range(count)]
    return [json.dumps(person | {"salt": salt}, ensure_ascii=False).encode() for salt in salts]


def measure(folder: Path, rounds: int, count: int) -> dict[str, Sequence[float]]:
    """Microseconds each, by who, round by round; stops where the two do not answer alike."""
    clock, randomness, stopwatch = SystemClock(), SystemRandomness(), Stopwatch()
    authority = DevAuthority("benchmark", clock.now())
    gateway, theirs = (authority.issue(Profile.SIGNING, [name]) for name in ("gateway", "registry"))
    registry = Registry(SigningIdentity(theirs.der, theirs.key_pem), stopwatch)
    contracts = Path(str(files("contracts")))
    wsdl = contracts / "civil_registry" / "v1" / "civil_registry.wsdl"
    write_private(folder / "signing.key", gateway.key_pem)
    write_public(folder / "signing.pem", gateway.pem)
    write_public(folder / "registry.pem", theirs.pem)
    ours = Ours(folder, registry, contracts)
    zeep = PlainZeep(wsdl, folder, clock, registry.post)
    ways: dict[str, Callable[[bytes], bytes]] = {
        "ours": ours.verify_birth,
        "zeep": lambda body: zeep.verify_birth(body, randomness.bytes(SALT)),
    }
    questions = bodies(randomness, count)
    said = [json.loads(way(questions[0]))["outcome"] for way in ways.values()]  # which warms both up
    if said != ["confirmed", "confirmed"]:
        raise SystemExit(f"not the same answer: {said}")
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(stopwatch.microseconds_each(way, questions))
    return dict(times)


def main() -> None:
    """Measures and keeps the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    rounds, count = (QUICK_ROUNDS, FEW) if quick else (ROUNDS, MANY)
    with tempfile.TemporaryDirectory() as scratch:
        times = measure(Path(scratch), rounds, count)
    ratio = median(ours / zeep for ours, zeep in zip(times["ours"], times["zeep"], strict=True))
    text = f"CPU of a REST question put to a SOAP registry, {count} a round"
    keep(
        {
            "translation_cpu_over_zeep": Figure(round(ratio, 3), "ratio", rounds, f"{text}: ours over zeep and xmlsec"),
            "translation_cpu_us": Figure(round(median(times["ours"])), "us", rounds, f"{text}: ours"),
            "translation_cpu_zeep_us": Figure(round(median(times["zeep"])), "us", rounds, f"{text}: zeep and xmlsec"),
        },
        quick=quick,
    )


if __name__ == "__main__":
    main()
