"""The sandbox of the benefits administration: what it takes by its own schema, what it refuses, and that it is real."""

from __future__ import annotations

import sqlite3
import ssl
import threading
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPException, HTTPSConnection
from typing import TYPE_CHECKING

import pytest

from adapters.benefits.sandbox.server import serve
from adapters.benefits.sandbox.settings import PATH, BenefitsSettings
from adapters.sandboxing.server import Listening
from certs.profiles import Profile
from gateway.places import notices_folder
from gateway.signing.xml import parse
from tests.adapters.fakes import Organisation, ShiftedClock, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTICES = "http://schemas.example.gouv.qc.ca/prestations/avis/v1"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


@dataclass
class World:
    """The running sandbox, and a caller that it knows by mutual TLS."""

    port: int
    database: Path
    context: ssl.SSLContext

    def ask(self, method: str, target: str, body: str | None = None) -> tuple[int, bytes]:
        connection = HTTPSConnection("localhost", self.port, timeout=30, context=self.context)
        with closing(connection):
            connection.request(method, target, None if body is None else body.encode(), {"Content-Type": "text/xml"})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def post(self, body: str, path: str = PATH) -> tuple[int, bytes]:
        return self.ask("POST", path, body)

    def held(self) -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute("SELECT number, child, event, day, permit, region FROM notices").fetchall()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("benefits")
    gateway, benefits = Organisation("passerelle", Profile.TLS_CLIENT), Organisation("benefits", Profile.TLS_SERVER)
    gateway.write(folder / "gateway")
    benefits.write(folder / "benefits")
    own, theirs = folder / "benefits", folder / "gateway"
    listening = Listening("127.0.0.1", free_port(), free_port(), own / "tls.pem", own / "tls.key", theirs / "root.pem")
    settings = BenefitsSettings(listening, notices_folder("benefits"), f"sqlite:///{folder / 'held.sqlite'}")
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=serve, args=(settings, stop, ready.set, ShiftedClock()))
    thread.start()
    assert ready.wait(40)
    context = ssl.create_default_context(cafile=str(own / "root.pem"))
    context.load_cert_chain(theirs / "tls.pem", theirs / "tls.key")
    yield World(listening.port, folder / "held.sqlite", context)
    stop.set()
    thread.join(40)
    assert not thread.is_alive()


def notice(number: str, *, nature: str = "OFF", hours: int = 1) -> str:
    until = (ShiftedClock().now() + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f'<S:Envelope xmlns:S="{SOAP}"><S:Body><deposerAvis xmlns="{NOTICES}">'
        f"<entete><noAvis>{number}</noAvis><echeance>{until}</echeance><reference>00ff</reference></entete>"
        f'<avis nature="{nature}"><enfant>{"ab" * 32}</enfant><dateEvenement>20261123</dateEvenement>'
        "<noPermis>1234-5678</noPermis><region>06</region></avis></deposerAvis></S:Body></S:Envelope>"
    )


def state(answer: bytes) -> str:
    return next(parse(answer).iter(f"{{{NOTICES}}}accuse")).get("etat", "")


def fault(answer: bytes) -> str:
    return parse(answer).findtext(f"{{{SOAP}}}Body/{{{SOAP}}}Fault/faultcode", "")


def test_a_notice_has_its_effect_once_however_often_it_comes(world: World) -> None:
    first, again = world.post(notice("n-1")), world.post(notice("n-1", nature="FIN"))
    assert [(status, state(text)) for status, text in (first, again)] == [(200, "NOUVEAU"), (200, "DOUBLON")]
    assert {next(parse(text).iter(f"{{{NOTICES}}}accuse")).get("noAvis") for _, text in (first, again)} == {"n-1"}
    assert ("n-1", "ab" * 32, "OFF", "20261123", "1234-5678", "06") in world.held()
    assert [row[0] for row in world.held()].count("n-1") == 1


@pytest.mark.parametrize(
    "body",
    [
        "not XML",
        notice("n-2", nature="ZZZ"),
        notice(""),
        notice("n-2").replace("deposerAvis", "autreChose"),
        notice("n-2").replace("S:Body", "S:Corps"),
        notice("n-2").replace("</S:Body>", "<autre/></S:Body>"),
        notice("n-2", hours=-1),
        '<!DOCTYPE x [<!ENTITY e "n-2">]>' + notice("&e;"),
    ],
)
def test_what_is_no_notice_is_refused_and_changes_nothing(world: World, body: str) -> None:
    before = world.held()
    status, answer = world.post(body)
    assert (status, fault(answer)) == (500, "S:Client")
    assert world.held() == before


def test_its_documents_stand_beside_it_and_nothing_else_does(world: World) -> None:
    documents = notices_folder("benefits")
    assert world.ask("GET", f"{PATH}?wsdl") == (200, (documents / "ReceptionAvis.wsdl").read_bytes())
    assert world.ask("GET", "/services/Avis.xsd") == (200, (documents / "Avis.xsd").read_bytes())
    assert world.post(notice("n-3"), "/services/Autre")[0] == 404
    assert world.ask("GET", "/services/contract.yaml")[0] == 404


def test_a_body_beyond_all_measure_is_not_read(world: World) -> None:
    assert world.post("x" * (64 * 1024 + 1))[0] == 413


def test_whoever_has_no_certificate_that_it_knows_is_not_heard(world: World) -> None:
    stranger = ssl.create_default_context()
    stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
    before = world.held()
    with pytest.raises((OSError, HTTPException)):  # TLS 1.3 tells a client late: at its first byte, or at the answer
        World(world.port, world.database, stranger).post(notice("n-4"))
    assert world.held() == before
