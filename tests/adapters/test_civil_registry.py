from __future__ import annotations

import base64
import logging
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from adapters.resilience import ResilienceSettings
from certs.profiles import Profile
from gateway.errors import Code
from gateway.model import SignedPart, UpstreamRefusal
from gateway.signing import soap_names as n
from gateway.signing.soap_facts import check_signed_part
from tests.adapters.conftest import FAST, World, grant_for
from tests.adapters.fakes import LOADED, Organisation, free_port, until

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.system import OutsideSystem


def refused(adapter: OutsideSystem, world: World) -> UpstreamRefusal:
    with pytest.raises(UpstreamRefusal) as caught:
        adapter.call(grant_for(world.examples.confirmed))
    return caught.value


def test_each_outcome(world: World) -> None:
    adapter = world.adapter()
    shown = world.examples
    outcomes = {
        "confirmed": [shown.confirmed, *shown.namesakes, *shown.twins],
        "not_confirmed": [shown.wrong_name, replace(shown.confirmed, birth_date="1999-01-01")],
        "not_found": [shown.unknown],
    }
    for outcome, births in outcomes.items():
        for birth in births:
            assert adapter.call(grant_for(birth)).fields == {"outcome": outcome}


def test_a_reply_names_its_upstream_and_keeps_both_signed_parts(world: World) -> None:
    before = world.requests()
    reply = world.adapter().call(grant_for(world.examples.confirmed))
    assert reply.upstream == "civil-registry"
    assert world.requests() == before + 1
    (attempt,) = reply.attempts
    assert attempt.outcome == "answered"
    asked = attempt.request
    assert isinstance(asked, SignedPart)
    assert isinstance(attempt.answer, SignedPart)
    sent = check_signed_part(asked.signed_info, asked.signature, asked.headers, world.gateway.signing.der)
    part = attempt.answer
    got = check_signed_part(part.signed_info, part.signature, part.headers, world.registry.signing.der)
    assert sent.parts == n.REQUEST_PARTS
    assert sent.to == world.settings.address
    assert got.parts == n.ANSWER_PARTS
    assert (got.relates_to, got.confirmation) == (sent.message_id, asked.signature)
    assert part.key.chain
    assert part.key.revocation


def test_kept_parts_hold_no_number_and_no_name(world: World) -> None:
    reply = world.adapter().call(grant_for(world.examples.confirmed))
    kept = b"".join(
        part.signed_info + part.signature + b"".join(part.headers.values())
        for attempt in reply.attempts
        for part in (attempt.request, attempt.answer)
        if isinstance(part, SignedPart)
    )
    birth = world.examples.confirmed
    for secret in (birth.nirec, birth.family_name, birth.given_names, birth.birth_date):
        assert secret.encode() not in kept
        assert base64.b64encode(secret.encode()) not in kept


def test_nothing_sensitive_is_logged_or_printed(
    world: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    world.adapter().call(grant_for(world.examples.confirmed))
    printed = capfd.readouterr()
    text = caplog.text + printed.out + printed.err
    assert '"outcome": "answered"' in text
    assert world.examples.confirmed.nirec not in text
    assert world.examples.confirmed.family_name not in text


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("wrong_signature", Code.UPSTREAM_UNTRUSTED),
        ("wrong_certificate", Code.UPSTREAM_UNTRUSTED),
        ("malformed", Code.UPSTREAM_MALFORMED),
    ],
)
def test_an_answer_that_does_not_hold_is_no_answer(world: World, mode: str, code: Code) -> None:
    world.behave(mode)
    refusal = refused(world.adapter(), world)
    assert refusal.code is code
    (attempt,) = refusal.attempts
    assert (attempt.outcome, attempt.answer) == (code.value, None)


def test_a_slow_registry_ends_at_the_deadline(world: World) -> None:
    world.behave("slow", 1500)
    started = time.monotonic()
    refusal = refused(world.adapter(replace(FAST, deadline=1.2, attempt_timeout=0.4)), world)
    assert time.monotonic() - started < LOADED * 1.2
    assert refusal.code is Code.UPSTREAM_TIMEOUT
    assert len(refusal.attempts) >= 2
    assert refusal.retry_after is not None
    parts = [attempt.request for attempt in refusal.attempts]
    identifiers = {part.headers["id-MessageID"] for part in parts if isinstance(part, SignedPart)}
    assert len(identifiers) == len(refusal.attempts)


def test_a_delay_within_the_timeout_is_no_failure(world: World) -> None:
    world.behave("slow", 100)
    assert world.adapter().call(grant_for(world.examples.unknown)).fields == {"outcome": "not_found"}


def test_a_dead_registry_is_refused_without_being_asked(world: World) -> None:
    world.behave("down")
    adapter = world.adapter()
    codes = []
    for _ in range(3):
        refusal = refused(adapter, world)
        codes.append(refusal.code)
    last = refused(adapter, world)
    assert last.attempts == ()
    assert last.retry_after is not None
    assert {*codes, last.code} == {Code.UPSTREAM_UNAVAILABLE}
    world.behave("normal")
    world.clock.shift = timedelta(seconds=3)
    assert adapter.call(grant_for(world.examples.confirmed)).fields == {"outcome": "confirmed"}


def test_a_registry_that_comes_back_is_asked_again_in_the_same_call(world: World) -> None:
    world.behave("slow", 700)
    threading.Timer(0.3, world.behave, ("normal",)).start()
    reply = world.adapter().call(grant_for(world.examples.confirmed))
    assert [attempt.outcome for attempt in reply.attempts] == ["upstream_timeout", "answered"]


def test_a_saturated_adapter_refuses_at_once(world: World) -> None:
    world.behave("slow", 1800)
    adapter = world.adapter(ResilienceSettings(concurrency=1))
    thread = threading.Thread(target=adapter.call, args=(grant_for(world.examples.confirmed),))
    before = world.requests()
    thread.start()
    assert until(lambda: world.requests() > before, 10)
    started = time.monotonic()
    refusal = refused(adapter, world)
    assert time.monotonic() - started < LOADED * 0.3
    assert (refusal.code, refusal.attempts, refusal.retry_after) == (Code.UPSTREAM_UNAVAILABLE, (), 1)
    thread.join()


def test_nobody_listening_is_unavailable(world: World) -> None:
    started = time.monotonic()
    refusal = refused(world.adapter(url=f"https://localhost:{free_port()}/civil-registry/v1"), world)
    assert time.monotonic() - started < LOADED
    assert refusal.code is Code.UPSTREAM_UNAVAILABLE
    assert refusal.attempts[0].answer is None


def test_a_server_of_another_authority_is_untrusted(world: World) -> None:
    refusal = refused(world.adapter(ca_file=world.folder / "gateway" / "root.pem"), world)
    assert refusal.code is Code.UPSTREAM_UNTRUSTED


def test_a_revoked_server_is_sent_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.requests()
    lists = world.registry.authority.revocation_lists([world.registry.tls.certificate])
    monkeypatch.setattr(world.registry, "trust", replace(world.registry.trust, crls=lists))
    refusal = refused(world.adapter(), world)
    assert refusal.code is Code.UPSTREAM_UNTRUSTED
    assert [attempt.answer for attempt in refusal.attempts] == [None]
    assert world.requests() == before


def test_a_trickle_does_not_outlive_its_attempt(world: World) -> None:
    """A server of the registry's own certificate that sends a byte now and then, for five seconds."""
    folder = world.folder / "registry"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    stop = threading.Event()

    def trickle(listener: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 9000\r\n\r\n")
            for _ in range(100):
                if not stop.wait(0.05):
                    connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, args=(listener,))
        thread.start()
        url = f"https://localhost:{listener.getsockname()[1]}/civil-registry/v1"
        started = time.monotonic()
        refusal = refused(world.adapter(replace(FAST, attempts=1), url=url), world)
        assert time.monotonic() - started < LOADED * 1.2
        stop.set()
        thread.join()
    assert refusal.code is Code.UPSTREAM_TIMEOUT


def test_the_environment_cannot_replace_the_authority(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(world.folder / "registry" / "root.pem"))
    refusal = refused(world.adapter(ca_file=world.folder / "gateway" / "root.pem"), world)
    assert refusal.code is Code.UPSTREAM_UNTRUSTED


def test_the_sandbox_refuses_a_client_of_another_authority(world: World, tmp_path: Path) -> None:
    Organisation("stranger", Profile.TLS_CLIENT).write(tmp_path / "stranger")
    before = world.requests()
    refusal = refused(
        world.adapter(certificate_file=tmp_path / "stranger" / "tls.pem", key_file=tmp_path / "stranger" / "tls.key"),
        world,
    )
    assert refusal.code is Code.UPSTREAM_UNAVAILABLE
    assert world.requests() == before


def test_the_sandbox_refuses_a_stale_request(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.clock.shift = timedelta(minutes=-10)
    refusal = refused(world.adapter(), world)
    assert refusal.code is Code.UPSTREAM_UNAVAILABLE
    assert len(refusal.attempts) == 1
    assert '"timestamp_stale"' in capfd.readouterr().err


def test_an_answer_that_is_too_large_is_malformed(world: World) -> None:
    assert refused(world.adapter(largest_answer=1000), world).code is Code.UPSTREAM_MALFORMED
