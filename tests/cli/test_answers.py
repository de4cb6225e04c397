"""What people read of a family's view and of the counts, in their language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.cli.answers import say_answer
from gateway.cli.output import Output
from gateway.messages.catalogue import Catalogue

if TYPE_CHECKING:
    import pytest

    from gateway.messages.table import Language

DISCLOSURE = {
    "at": "2026-10-31T14:05:09.120000Z", "party": "ministry", "party_fr": "Ministère", "party_en": "Ministry",
    "sent_to": "civil-registry", "sent_to_fr": "Registraire", "sent_to_en": "Registrar",
    "operation": "registration.get", "operation_fr": "Consulter", "operation_en": "Look up",
    "purpose": "admissibilite", "agreement": "ENT-2026-10", "legal_basis_fr": "Entente", "legal_basis_en": "Agreement",
    "fields": ["birth_date", "region"], "fields_fr": ["Date de naissance", "Région, par son numéro"],
    "fields_en": ["Birth date", "Region"], "exchange_id": "2f1c8a54-9d3e-4b7a-8c60-5e1f0a9b3d72",
}  # fmt: skip
ROW = {"without_service": 1, "holding_non_subsidised": 0, "unborn": 0}
COUNTS = {
    "as_of": "2026-10-31", "counted_at": "2026-10-31T23:59:59.999999Z", "least": 5, "all": 86000,
    "without_service": 51000, "holding_non_subsidised": None, "unborn": 0,
    "by_region": [{"categories": ["06", "13"], "all": 43000, **ROW}], "by_age": [], "by_desired_date": [
        {"categories": ["by_now", "within_6_months"], "all": 86000, **ROW}
    ],
}  # fmt: skip


def said(capsys: pytest.CaptureFixture[str], language: Language, operation: str, body: dict[str, Any]) -> str:
    say_answer(Output(Catalogue(language)), operation, body)
    return capsys.readouterr().out


def test_a_family_s_view_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    body = {"handle": "0" * 64, "disclosures": [DISCLOSURE], "more": True}
    french, english = (said(capsys, language, "family.view", body) for language in ("fr", "en"))
    for words in (
        "\n  31 octobre 2026, 10 h 05 (heure du Québec)\n",
        ": Ministère → Registraire\n",
        "Renseignements: Date de naissance; Région, par son numéro",
        "ENT-2026-10, Entente",
    ):
        assert words in french
    assert "\n  October 31, 2026, 10:05 (Québec time)\n" in english
    assert ": Ministry → Registrar\n" in english
    assert "Information: Birth date; Region\n" in english
    assert '"before": "2026-10-31T14:05:09.120000Z"' in french
    assert "Rien de plus" in said(capsys, "fr", "family.view", {"disclosures": [], "more": False})


def test_the_definitions_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "fr", "waitlist.counts", COUNTS).splitlines()
    shown = {line.split("  ")[1].strip(): (line.count("█"), line) for line in lines if line.startswith("  ")}
    assert shown["toutes les inscriptions"][0] == 40
    assert shown["sans aucun service"][0] == 24
    assert "51\u202f000" in shown["sans aucun service"][1]
    assert (shown["en garderie non subventionnée"][0], "—" in shown["en garderie non subventionnée"][1]) == (0, True)
    assert shown["06 + 13"][0] == 20
    assert shown["date passée + dans les 6 mois"][0] == 40


def test_other_answers_are_names_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "fr", "echo", {"message": "bonjour", "more": [1]}) == "  message: bonjour\n  more: [1]\n"
