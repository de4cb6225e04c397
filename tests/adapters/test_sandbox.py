from __future__ import annotations

import re
import ssl
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPSConnection
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from adapters.civil_registry.sandbox.births import create_births, examples, make_births
from adapters.civil_registry.sandbox.checking import RequestChecker, RequestRefusedError
from adapters.civil_registry.sandbox.service import NAMESPACE, REQUEST_ACTION, Service
from adapters.civil_registry.sandbox.storage import Register
from adapters.sandboxing.behaviour import Mode
from adapters.sandboxing.server import SystemClock
from gateway.signing import soap_names as n
from gateway.signing.soap_sign import SoapSigner
from gateway.signing.xml import parse
from tests.adapters.conftest import World, grant_for
from tests.adapters.fakes import LOADED, MemoryKeystore, ShiftedClock, prove

if TYPE_CHECKING:
    from pathlib import Path


def test_births_are_the_same_for_a_seed_and_fast(tmp_path: Path) -> None:
    started = time.monotonic()
    create_births(tmp_path / "a.db")
    assert time.monotonic() - started < LOADED * 2
    assert make_births(50) == make_births(50)
    assert make_births(50) != make_births(50, b"another")
    births = make_births()
    assert len({birth.nirec for birth in births}) == len(births) == 10_000
    numbers = [int(birth.nirec) for birth in births]
    assert numbers != sorted(numbers)
    names = " ".join(birth.family_name + birth.given_names for birth in births)
    assert {"é", "-", "È", "'"} <= set(names + names.upper())


def test_the_raw_file_shows_each_number_apart(tmp_path: Path) -> None:
    """The positive control of the byte search (N5) finds them all, and no stale copy of one."""
    create_births(tmp_path / "births.db", 3000)
    found = re.findall(rb"(?<!\d)\d{13}(?!\d)", (tmp_path / "births.db").read_bytes())
    assert sorted(found) == sorted(birth.nirec.encode() for birth in make_births(3000))


def test_an_existing_registry_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "births.db").write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        create_births(tmp_path / "births.db", 10)
    assert (tmp_path / "births.db").read_bytes() == b"theirs"


def test_examples_are_what_they_say(world: World) -> None:
    shown = examples(world.settings.database)
    assert shown == world.examples
    first, second = shown.namesakes
    assert (first.family_name, first.given_names) == (second.family_name, second.given_names)
    assert first.birth_date != second.birth_date
    elder, younger = shown.twins
    assert (elder.family_name, elder.birth_date) == (younger.family_name, younger.birth_date)
    assert elder.nirec != younger.nirec
    assert shown.wrong_name.family_name != shown.confirmed.family_name
    with Register(world.settings.database) as register:
        assert register.find(shown.unknown.nirec) is None
    assert shown.confirmed.nirec not in repr(shown)


def request(world: World, *, tags: tuple[str, ...] = (n.TO, n.ACTION, n.MESSAGE_ID), **changes: str) -> bytes:
    birth = world.examples.confirmed
    root = etree.Element(n.ENVELOPE)
    header = etree.SubElement(root, n.HEADER)
    for tag, value in (
        (n.TO, changes.get("to", world.settings.address)),
        (n.ACTION, REQUEST_ACTION),
        (n.MESSAGE_ID, changes.get("message_id", "urn:uuid:1")),
    ):
        etree.SubElement(header, tag).text = value
    body = etree.SubElement(etree.SubElement(root, n.BODY), f"{{{NAMESPACE}}}VerifierNaissance")
    for name, value in {
        "salt": "AAAAAAAAAAAAAAAAAAAAAA==",
        "nirec": changes.get("nirec", birth.nirec),
        "nomFamille": changes.get("family", birth.family_name),
        "prenoms": birth.given_names,
        "dateNaissance": birth.birth_date,
    }.items():
        etree.SubElement(body, f"{{{NAMESPACE}}}{name}").text = value
    SoapSigner(MemoryKeystore(world.gateway.signing), prove, world.clock).sign(root, tags)
    return etree.tostring(root, encoding="utf-8")


def ask(world: World, data: bytes, service: Service | None = None) -> str:
    with Register(world.settings.database) as register:
        response = (service or Service(world.settings, SystemClock())).answer(data, register, Mode.NORMAL)
    found = parse(response.body).findtext(f".//{{{NAMESPACE}}}resultat")
    return f"{response.status} {found or response.outcome}"


def test_the_service_is_strict(world: World) -> None:
    good = request(world)
    assert ask(world, good) == "200 CONFIRME"
    assert ask(world, good.replace(b"prenoms>", b"prenom>")) == "500 signature_invalid"
    assert ask(world, request(world, tags=(n.TO, n.ACTION))) == "500 not_covered"
    assert ask(world, request(world, to="https://elsewhere.example")) == "500 addressed_elsewhere"
    assert ask(world, request(world, nirec="123")) == "500 schema_invalid"
    assert ask(world, b"<a/>") == "500 part_missing_or_repeated"
    assert ask(world, b"<!DOCTYPE a><a/>") == "500 xml_dtd"


def test_names_are_compared_by_their_letters_only(world: World) -> None:
    name = world.examples.confirmed.family_name
    decomposed = name.replace("é", "e\u0301").replace("É", "E\u0301")
    assert decomposed != name
    assert ask(world, request(world, family=f"  {decomposed.upper()} ")) == "200 CONFIRME"
    assert ask(world, request(world, family=name.replace("é", "e"))) == "200 NON_CONFIRME"


def test_a_message_is_taken_once(world: World) -> None:
    service, data = Service(world.settings, SystemClock()), request(world)
    assert ask(world, data, service) == "200 CONFIRME"
    assert ask(world, data, service) == "500 replayed"
    assert ask(world, request(world, message_id="urn:uuid:2"), service) == "200 CONFIRME"


def test_a_caller_of_another_authority_is_refused(world: World) -> None:
    checker = RequestChecker(world.registry.trust, ShiftedClock(), world.settings.address, REQUEST_ACTION)
    with pytest.raises(RequestRefusedError) as caught:
        checker.check(request(world))
    assert caught.value.reason == "certificate_wrong_authority"


def test_the_contract_is_served_over_mutual_tls_only(world: World) -> None:
    context = ssl.create_default_context(cafile=str(world.folder / "registry" / "root.pem"))
    context.load_cert_chain(world.folder / "gateway" / "tls.pem", world.folder / "gateway" / "tls.key")

    def get(path: str, tls: ssl.SSLContext) -> bytes:
        with closing(HTTPSConnection("localhost", world.settings.port, timeout=5, context=tls)) as connection:
            connection.request("GET", path)
            return connection.getresponse().read()

    assert b"VerifierNaissance" in get("/civil-registry/v1?wsdl", context)
    assert b"Nirec" in get("/civil-registry/civil_registry.xsd", context)
    stranger = ssl.create_default_context(cafile=str(world.folder / "registry" / "root.pem"))
    with pytest.raises(OSError, match=r"(?i)certificate|reset|closed|eof|broken"):
        get("/civil-registry/v1?wsdl", stranger)


@pytest.mark.parametrize("document", [{"mode": "odd"}, {"mode": "slow", "delay_ms": -1}, {"else": 1}])
def test_the_control_listener_refuses_what_it_does_not_know(world: World, document: dict[str, object]) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        world.control("/behaviour", document)
    with caught.value as answer:
        assert answer.code == 400


def test_many_threads_get_their_own_answers(world: World) -> None:
    adapter = world.adapter()
    births = make_births()[:40]
    before = world.requests()
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda birth: adapter.call(grant_for(birth)), births))
    assert {str(reply.fields["outcome"]) for reply in replies} == {"confirmed"}
    assert world.requests() == before + len(births)
