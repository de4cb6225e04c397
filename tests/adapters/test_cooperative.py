"""An upstream of our own REST profile, against the cooperative's sandbox over real sockets."""

from __future__ import annotations

import json
import ssl
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPSConnection
from typing import TYPE_CHECKING, Any

import pytest

from adapters.channel import Endpoint
from adapters.cooperative.sandbox.registrations import make_registrations
from adapters.cooperative.sandbox.server import serve
from adapters.cooperative.sandbox.settings import RegistrySettings
from adapters.cooperative.sandbox.storage import Registry
from adapters.mapped import Trust, profile_system
from adapters.resilience import ResilienceSettings
from adapters.rest import RestDialogue
from adapters.sandboxing.identity import SigningSettings
from adapters.sandboxing.server import Listening
from certs.paths import vet
from certs.profiles import Profile
from gateway.errors import Code, Refusal
from gateway.model import CertificateProof, RestPart, Signer, UpstreamRefusal
from gateway.signing.algorithms import ECDSA_P256, verify
from gateway.signing.answer import keyid_of
from gateway.translation.schema import validator_of
from tests.adapters.conftest import CONTRACTS
from tests.adapters.fakes import MemoryKeystore, Organisation, ShiftedClock, SystemRandomness, free_port, prove, until
from tests.adapters.others import grant_of
from tests.signing.foreign import verify as verify_by_library

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.system import OutsideSystem

ASKED: dict[str, object] = {"as_of": "2026-10-31"}


@dataclass
class World:
    """The running sandbox and both organisations."""

    folder: Path
    gateway: Organisation
    cooperative: Organisation
    settings: SigningSettings
    clock: ShiftedClock = field(default_factory=ShiftedClock)

    def behave(self, mode: str, delay_ms: int = 0) -> None:
        address = f"http://127.0.0.1:{self.settings.listening.control_port}/behaviour"
        data = json.dumps({"mode": mode, "delay_ms": delay_ms}).encode()
        urllib.request.urlopen(urllib.request.Request(address, data)).close()

    def requests(self) -> int:
        address = f"http://127.0.0.1:{self.settings.listening.control_port}/counter"
        with urllib.request.urlopen(address) as answer:
            return int(json.loads(answer.read())["requests"])

    def signer(self, keyid: str) -> Signer:
        der = self.cooperative.signing.der
        if keyid != keyid_of(prove(der).sha256):
            raise Refusal(Code.KEY_UNKNOWN)
        return Signer("cooperative", der, self.cooperative.vet(der))

    def server(self, der: bytes) -> CertificateProof:
        vetted = vet(der, Profile.TLS_SERVER, self.cooperative.trust, self.clock.now())
        return CertificateProof(vetted.sha256, vetted.chain, vetted.revocation)

    def system(self) -> OutsideSystem:
        gateway = self.folder / "gateway"
        endpoint = Endpoint(
            self.settings.origin, self.folder / "cooperative" / "root.pem", gateway / "tls.pem", gateway / "tls.key"
        )
        trust = Trust(
            keystore=MemoryKeystore(self.gateway.signing),
            prove=prove,
            vet=self.cooperative.vet,
            signer=self.signer,
            vet_server=self.server,
            claim_salt=lambda _salt: True,
        )
        return profile_system(
            "cooperative", CONTRACTS, endpoint, trust, clock=self.clock, randomness=SystemRandomness(),
            resilience=ResilienceSettings(deadline=5.0, attempt_timeout=4.0, attempts=2),
        )  # fmt: skip


def fill(url: str, count: int) -> None:
    registry = Registry(url)
    registry.create()
    registry.add((f"{one.number:064x}", one) for one in make_registrations([], 0, count))
    registry.dispose()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("cooperative")
    gateway, cooperative = Organisation("passerelle", Profile.TLS_CLIENT), Organisation("coop", Profile.TLS_SERVER)
    gateway.write(folder / "gateway")
    cooperative.write(folder / "cooperative")
    database = f"sqlite:///{folder / 'registrations.sqlite'}"
    fill(database, 120)
    own, theirs = folder / "cooperative", folder / "gateway"
    settings = SigningSettings(
        Listening("127.0.0.1", free_port(), free_port(), own / "tls.pem", own / "tls.key", theirs / "root.pem"),
        server_name="localhost",
        signing_certificate=own / "signing.pem",
        signing_key=own / "signing.key",
        callers=theirs / "signing.pem",
        caller_roots=(theirs / "root.pem",),
        caller_intermediates=(theirs / "issuing.pem",),
        caller_crls=(theirs / "0.crl", theirs / "1.crl"),
    )
    registry = RegistrySettings(settings, database, own / "state.key")
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=serve, args=(registry, stop, ready.set))
    thread.start()
    assert ready.wait(40)
    yield World(folder, gateway, cooperative, settings)
    stop.set()
    thread.join(40)
    assert not thread.is_alive()


@pytest.fixture
def world(running: World) -> Iterator[World]:
    running.behave("normal")
    yield running
    running.clock = ShiftedClock()


def refused(world: World) -> UpstreamRefusal:
    with pytest.raises(UpstreamRefusal) as caught:
        world.system().call(grant_of("waitlist.statistics", ASKED))
    return caught.value


def test_statistics_come_as_the_contract_has_them(world: World) -> None:
    before = world.requests()
    system = world.system()

    def ask(**fields: object) -> dict[str, Any]:
        return dict(system.call(grant_of("waitlist.statistics", fields)).fields)

    everywhere, laval = ask(**ASKED), ask(**ASKED, region="13")
    newest, before_all = ask(as_of="2027-06-01"), ask(as_of="2024-06-01")
    assert world.requests() == before + 4
    contract = next(one for one in CONTRACTS if one.service == "waitlist")
    validator = validator_of(contract.operations["waitlist.statistics"].response)
    assert all(validator.is_valid(fields) for fields in (everywhere, laval, newest, before_all))
    assert [region["code"] for region in everywhere["regions"]] == ["03", "06", "13"]
    assert "places" not in laval["regions"][0]
    assert {one["waiting"] for one in laval["regions"][0]["definitions"]} >= {None}
    assert ("note" in newest, "note" in laval) == (True, False)
    assert (before_all["regions"], before_all["average_wait_months"], before_all["waiting"]) == ([], None, 0)


def test_both_messages_are_signed_and_bound_to_each_other(world: World) -> None:
    reply = world.system().call(grant_of("waitlist.statistics", ASKED))
    (attempt,) = reply.attempts
    asked, said = attempt.request, attempt.answer
    assert isinstance(asked, RestPart)
    assert isinstance(said, RestPart)
    assert verify(world.gateway.signing.certificate, ECDSA_P256, asked.signature, asked.base)
    assert verify(world.cooperative.signing.certificate, said.algorithm, said.signature, said.base)
    assert b'"exchange-agreement": ENT-1' in asked.base
    assert f'"signature-input";req;key="sig1": {asked.parameters}'.encode() in said.base
    assert b'"@status": 200' in said.base
    assert said.key.revocation


def test_another_library_verifies_the_answer_and_what_it_is_bound_to(world: World) -> None:
    dialogue = world.system()._dialogues["waitlist.statistics/v1"]
    assert isinstance(dialogue, RestDialogue)
    call = dialogue._operation.request(ASKED, b"")
    request = dialogue._client.prepare(call, grant_of("waitlist.statistics", ASKED))
    answer = dialogue._client.send(request, frozenset({200}), 5)
    covered = verify_by_library(
        world.cooperative.signing, world.settings.origin, request.signed, answer.status, answer.headers, answer.body
    )
    assert {'"@status"', '"content-digest"', '"@target-uri";req'} <= covered.keys()


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("wrong_signature", Code.UPSTREAM_UNTRUSTED),
        ("wrong_certificate", Code.UPSTREAM_UNTRUSTED),
        ("malformed", Code.UPSTREAM_MALFORMED),
        ("down", Code.UPSTREAM_UNAVAILABLE),
    ],
)
def test_an_answer_that_does_not_hold_is_no_answer(world: World, mode: str, code: Code) -> None:
    world.behave(mode)
    refusal = refused(world)
    assert refusal.code is code
    assert all(attempt.answer is None for attempt in refusal.attempts)
    assert len(refusal.attempts) == (2 if mode == "down" else 1)


def test_a_registry_that_flaps_answers_twice_another_or_not_at_all(world: World) -> None:
    system = world.system()

    def ask() -> list[str]:
        try:
            return [one.outcome for one in system.call(grant_of("waitlist.statistics", ASKED)).attempts]
        except UpstreamRefusal as refusal:
            return [one.outcome for one in refusal.attempts]

    assert ask() == ["answered"]
    world.behave("another")
    assert ask() == [Code.UPSTREAM_UNTRUSTED]
    world.behave("twice")
    assert ask() == ["answered"]
    # the second answer is seen before its connection is used again, or is refused as that of another request
    assert ask() in (["answered"], [Code.UPSTREAM_UNTRUSTED])
    world.behave("flapping")
    assert sorted(map(len, [ask(), ask()])) in ([1, 2], [2, 2])
    world.behave("silent")
    with ThreadPoolExecutor(1) as pool:
        before, asking = world.requests(), pool.submit(ask)
        assert until(lambda: world.requests() > before, 20)
        assert not asking.done()
        world.behave("normal")
        # nothing was said until the end: the connection is over, and another one is tried
        assert asking.result() == [Code.UPSTREAM_UNAVAILABLE, "answered"]


def test_each_attempt_has_its_own_nonce(world: World) -> None:
    world.behave("down")
    parts = [attempt.request for attempt in refused(world).attempts]
    assert len({part.parameters for part in parts if isinstance(part, RestPart)}) == 2


def test_the_sandbox_refuses_a_stale_request(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.clock.shift = timedelta(minutes=-10)
    assert refused(world).code is Code.UPSTREAM_UNAVAILABLE
    assert '"created_out_of_window"' in capfd.readouterr().err


def test_an_answer_of_long_ago_is_not_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    system = world.system()
    dialogue = system._dialogues["waitlist.statistics/v1"]
    assert isinstance(dialogue, RestDialogue)
    ahead = ShiftedClock(timedelta(minutes=6))
    monkeypatch.setattr(dialogue._client._verifier, "_clock", ahead)
    with pytest.raises(UpstreamRefusal) as caught:
        system.call(grant_of("waitlist.statistics", ASKED))
    assert caught.value.code is Code.UPSTREAM_UNTRUSTED


def test_the_sandbox_asks_for_a_client_certificate(world: World) -> None:
    context = ssl.create_default_context(cafile=str(world.folder / "cooperative" / "root.pem"))
    connection = HTTPSConnection("localhost", world.settings.listening.port, timeout=5, context=context)

    def ask() -> None:
        connection.request("GET", "/v1/waitlist/statistics")
        connection.getresponse()

    with pytest.raises(OSError, match=r"(?i)certificate|reset|closed|eof|broken"):
        ask()
    connection.close()
