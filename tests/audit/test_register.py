"""The register of s. 67.3: what the Act asks for, by agreement; and the files that people open."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from gateway.audit.files import LogFolder
from gateway.audit.objects import Objects
from gateway.audit.questions.disclosures import Found, Question, find
from gateway.audit.questions.printing import Page, as_csv, local, readable, utc
from gateway.audit.questions.register import register
from gateway.audit.questions.rows import Rows, Subject
from gateway.audit.questions.titles import Titles
from gateway.ledger.tiles import object_path
from gateway.places import contracts_folder
from tests.audit.asked import Asked

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.audit.questions.register import Entry
    from gateway.audit.questions.titles import Language


@pytest.fixture
def asked(log: Path, trust: Path) -> Asked:
    return Asked(log, trust)


def entries(asked: Asked, language: Language = "fr") -> tuple[Entry, ...]:
    _, parts = asked.rows()
    return register(parts, find(parts, Question()), Titles(Objects(LogFolder(asked.log)), language))


def test_an_entry_has_what_the_act_asks_for(asked: Asked) -> None:
    [entry] = entries(asked)
    assert (entry.agreement, entry.party) == ("ENT-2026-02", "ministry")
    assert entry.recipient == "Ministère de la Famille"
    assert entry.purpose == "admissibilite"
    assert entry.reason == "Entente fictive: admissibilité"
    assert [name for name, _ in entry.nature] == ["handle", "outcome"]
    assert "NIREC" in dict(entry.nature)["handle"]
    assert (entry.releases, entry.persons, entry.unnamed) == (3, 1, 1)
    assert entry.first < entry.last


def test_the_same_register_in_english(asked: Asked) -> None:
    [french], [english] = entries(asked), entries(asked, "en")
    assert english.reason == "Fictitious agreement: eligibility"
    texts = ("service", "reason", "nature")  # a ministry has one name
    assert [getattr(french, name) != getattr(english, name) for name in texts] == [True] * 3
    same = dict.fromkeys(texts, "") | {"nature": ()}
    assert replace(french, **same) == replace(english, **same)  # type: ignore[arg-type]  # each name has its type


def test_a_child_that_two_merged_into_is_one_person(asked: Asked) -> None:
    _, parts = asked.rows()
    [row, *_] = find(parts, Question(field="handle")).rows
    one, other, third = (Subject(name * 64, name * 64) for name in "abc")
    rows = Rows()
    exchange = uuid4()
    for index, subject in enumerate((one, other, third)):
        rows.append(replace(row, index=index, subject=subject))
    for subject, role in ((one, "survivor"), (other, "merged")):
        rows.append(replace(row, index=9, exchange_id=exchange, subject=replace(subject, role=role)))
    titles = Titles(Objects(LogFolder(asked.log)), "fr")
    [entry] = register({202611: rows}, Found(tuple(rows[at] for at in range(len(rows)))), titles)
    assert (entry.persons, entry.releases) == (2, 4)


def test_agreements_stand_apart(asked: Asked) -> None:
    _, parts = asked.rows()
    [row, *_] = find(parts, Question(field="handle")).rows
    rows = Rows()
    for agreement in ("B", "A", "B"):
        rows.append(replace(row, terms=replace(row.terms, agreement=agreement)))
    titles = Titles(Objects(LogFolder(asked.log)), "fr")
    made = register({202611: rows}, Found(tuple(rows[at] for at in range(3))), titles)
    assert [(entry.agreement, entry.reason) for entry in made] == [("A", ""), ("B", "")]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")'])
def test_no_cell_is_a_formula(text: str) -> None:
    [head, cells] = list(csv.reader(io.StringIO(as_csv(["a", "b"], [[text, 1]], "en").removeprefix("\ufeff"))))
    assert head == ["a", "b"]
    assert cells == [f"'{text}", "1"]


def test_csv_is_for_the_spreadsheets_of_its_language() -> None:
    french = as_csv(["é", "b"], [["x;y", "deux\nlignes"]], "fr")
    assert french == '\ufeffé;b\r\n"x;y";"deux\nlignes"\r\n'
    assert as_csv(["a", "b"], [], "en") == "\ufeffa,b\r\n"


def test_a_page_has_no_script_and_says_what_heads_what() -> None:
    page = Page("Registre <b>", "fr")
    page.heading("Entente & co")
    page.table("nirec.verify", ["Destinataire", "N"], [["<script>alert(1)</script>", 2]])
    html = page.html()
    assert html.startswith('<!DOCTYPE html>\n<html lang="fr">')
    assert '<th scope="col">Destinataire</th>' in html
    assert '<th scope="row">&lt;script&gt;alert(1)&lt;/script&gt;</th><td class=n>2</td>' in html
    assert "<script" not in html
    assert not re.findall(r"\b(?:src|href|on\w+)=", html)
    assert "default-src 'none'" in html


def test_times_are_told_in_utc_and_in_quebec() -> None:
    summer, winter = 1_782_000_000_500_000, 1_795_412_266_000_000
    assert (utc(summer), local(summer)) == ("2026-06-21T00:00:00Z", "2026-06-20T20:00:00-04:00")
    assert (utc(winter), local(winter)) == ("2026-11-23T05:37:46Z", "2026-11-23T00:37:46-05:00")


def test_times_are_told_to_people_in_words() -> None:
    first = 1_793_512_800_000_000  # 2026-11-01, 1 h 00 for the second hour
    hour = 3_600_000_000
    assert readable(first - hour, "fr") == "1er novembre 2026, 1 h 00 (heure du Québec)"
    assert readable(first, "fr") == "1er novembre 2026, 1 h 00, après le retour à l'heure normale (heure du Québec)"
    assert readable(first, "en") == "November 1, 2026, 01:00, after the clocks went back (Québec time)"


def told(asked: Asked, operation: str, contract: str, *fields: str) -> dict[str, str]:
    """What the register says of these fields of another operation, whose contract stands in the log as others do."""
    content = (contracts_folder() / contract).read_bytes()
    digest = sha256(content).hexdigest()
    place = asked.log / object_path(digest)
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    _, parts = asked.rows()
    [row, *_] = find(parts, Question(field="handle")).rows
    rows = Rows()
    rows.append(replace(row, terms=replace(row.terms, operation=operation, contract=digest, fields=fields)))
    [entry] = register({202611: rows}, Found((rows[0],)), Titles(Objects(LogFolder(asked.log)), "fr"))
    return dict(entry.nature)


def test_what_was_told_of_a_list_is_named(asked: Asked) -> None:
    nature = told(asked, "registration.search", "registrations/v1/contract.yaml", "hits", "outcome")
    assert nature["hits"] == (
        "Les inscriptions trouvées (identifiant de l'enfant propre au demandeur; nom de famille de l'enfant; prénoms; "
        "date de naissance; région administrative)"
    )
    assert nature["outcome"].startswith("La réponse: found")


def test_what_was_told_by_a_notice_is_named(asked: Asked) -> None:
    nature = told(asked, "ministry.notice", "foreign/ministry_notices/contract.yaml", "date", "event")
    assert nature == {"date": "Jour de l'événement.", "event": "L'événement."}
