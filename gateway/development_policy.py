"""Who is who in a development set-up, and who may do what there: fictitious, and one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

GATEWAY = "passerelle"
REGISTRY = "civil-registry"
COOPERATIVE = "cooperative"
MINISTRY = "ministry"
BENEFITS = "benefits"
CALLERS = (COOPERATIVE, MINISTRY)
#: Whom notices are sent to: the first takes them by REST and signs, the second by SOAP and does not.
ADDRESSEES = (MINISTRY, BENEFITS)
#: Their systems answer without a signature: mutual TLS alone vouches for them.
UNSIGNED = frozenset({BENEFITS})
#: party -> role, title in both languages
TITLES = {
    GATEWAY: ("gateway", "Passerelle (développement)", "Passerelle (development)"),
    "cooperative": ("cooperative", "Coopérative Enfance Famille", "Coopérative Enfance Famille"),
    "ministry": ("ministry", "Ministère de la Famille", "Ministère de la Famille"),
    BENEFITS: ("ministry", "Organisme des prestations familiales", "Family benefits administration"),
    REGISTRY: ("civil-registry", "Directeur de l'état civil", "Registrar of civil status"),
}

_BATCH_REPORT = [
    "records", "rejected", "commitment", "opened_at", "answered", "confirmed", "not_confirmed", "not_found", "complete",
    "first_exchange", "first_at", "last_exchange", "last_at",
]  # fmt: skip
#: agreement -> party, operation, purpose, fields, whether not_found is told apart, legal basis in both languages
AGREEMENTS: Mapping[str, tuple[str, str, str, list[str], bool, str, str]] = {
    "ESSAI-COOP": ("cooperative", "echo", "essai", ["message"], False, "Aucune donnée personnelle", "No personal data"),
    "ESSAI-MIN": ("ministry", "echo", "essai", ["message"], False, "Aucune donnée personnelle", "No personal data"),
    "ENT-2026-01": (
        "cooperative", "nirec.verify", "inscription", ["outcome", "handle"], False,
        "Entente fictive: inscription au guichet unique", "Fictitious agreement: registration at the single window",
    ),
    "ENT-2026-02": (
        "ministry", "nirec.verify", "admissibilite", ["outcome", "handle"], True,
        "Entente fictive: admissibilité", "Fictitious agreement: eligibility",
    ),
    "ENT-2026-03": (
        "cooperative", "subject.expect", "inscription", ["handle"], False,
        "Entente fictive: enfants à naître", "Fictitious agreement: children to be born",
    ),
    "ENT-2026-04": (
        "cooperative", "subject.birth", "inscription", ["outcome", "handle"], False,
        "Entente fictive: naissances", "Fictitious agreement: births",
    ),
    "ENT-2026-05": (
        "cooperative", "subject.merge", "inscription", ["handle"], False,
        "Entente fictive: dossiers en double", "Fictitious agreement: duplicate files",
    ),
    "ENT-2026-06": (
        "ministry", "subject.expect", "admissibilite", ["handle"], True,
        "Entente fictive: enfants à naître", "Fictitious agreement: children to be born",
    ),
    "ENT-2026-07": (
        "ministry", "subject.birth", "admissibilite", ["outcome", "handle"], True,
        "Entente fictive: naissances", "Fictitious agreement: births",
    ),
    "ENT-2026-08": (
        "ministry", "subject.merge", "admissibilite", ["handle"], True,
        "Entente fictive: dossiers en double", "Fictitious agreement: duplicate files",
    ),
    "ENT-2026-09": (
        "ministry", "waitlist.statistics", "planification",
        ["as_of", "counted_at", "final", "waiting", "average_wait_months", "note", "regions"], False,
        "Entente fictive: planification des places", "Fictitious agreement: planning of places",
    ),
    "ENT-2026-10": (
        "ministry", "registration.get", "admissibilite",
        ["outcome", "handle", "family_name", "given_names", "birth_date", "expected_date", "region", "registered_on",
         "desired_on", "service_wanted", "service_held", "state"], False,
        "Entente fictive: dossiers d'inscription", "Fictitious agreement: registrations",
    ),
    "ENT-2026-15": (
        "cooperative", "placement.notify", "placement", ["outcome", "delivery", "handle"], False,
        "Entente fictive: avis de place", "Fictitious agreement: placement notices",
    ),
    "ENT-2026-20": (
        "ministry", "ministry.notice", "placement",
        ["delivery", "handle", "event", "date", "permit", "region", "expires"], False,
        "Entente fictive: avis de place reçus", "Fictitious agreement: placement notices received",
    ),
    "ENT-2026-21": (
        "benefits", "benefits.notice", "placement",
        ["delivery", "handle", "event", "date", "permit", "region", "expires"], False,
        "Entente fictive: avis de place reçus", "Fictitious agreement: placement notices received",
    ),
    "ENT-2026-11": (
        "ministry", "registration.search", "admissibilite", ["outcome", "hits"], False,
        "Entente fictive: recherche d'un dossier", "Fictitious agreement: search for a registration",
    ),
    "ENT-2026-12": (
        "ministry", "registration.create", "inscription", ["outcome", "handle", "state_before", "state_after"], False,
        "Entente fictive: inscription d'un enfant", "Fictitious agreement: registration of a child",
    ),
    "ENT-2026-13": (
        "ministry", "registration.change", "inscription", ["outcome", "handle", "state_before", "state_after"], False,
        "Entente fictive: modification d'un dossier", "Fictitious agreement: change of a registration",
    ),
    "ENT-2026-14": (
        "ministry", "registration.withdraw", "inscription", ["outcome", "handle", "state_before", "state_after"], False,
        "Entente fictive: retrait d'un dossier", "Fictitious agreement: withdrawal of a registration",
    ),
    "ENT-2026-16-OUVRIR": (
        "cooperative", "batch.open", "inscription", ["batch", "per_second"], False,
        "Entente fictive: vérifications en lot", "Fictitious agreement: verifications in batches",
    ),
    "ENT-2026-16": (
        "cooperative", "batch.verify", "inscription", ["outcome", "handle"], False,
        "Entente fictive: vérifications en lot", "Fictitious agreement: verifications in batches",
    ),
    "ENT-2026-16-REPRENDRE": (
        "cooperative", "batch.answer", "inscription", ["outcome", "handle"], False,
        "Entente fictive: vérifications en lot", "Fictitious agreement: verifications in batches",
    ),
    "ENT-2026-16-SUIVRE": (
        "cooperative", "batch.get", "inscription", _BATCH_REPORT, False,
        "Entente fictive: vérifications en lot", "Fictitious agreement: verifications in batches",
    ),
    "ENT-2026-18-OUVRIR": (
        "ministry", "batch.open", "admissibilite", ["batch", "per_second"], True,
        "Entente fictive: vérifications en lot", "Fictitious agreement: verifications in batches",
    ),
    "ENT-2026-18": (
        "ministry", "batch.verify", "admissibilite", ["outcome", "handle"], True,
        "Entente fictive: vérifications en lot", "Fictitious agreement: verifications in batches",
    ),
    "ENT-2026-18-REPRENDRE": (
        "ministry", "batch.answer", "admissibilite", ["outcome", "handle"], True,
        "Entente fictive: vérifications en lot", "Fictitious agreement: verifications in batches",
    ),
    "ENT-2026-18-SUIVRE": (
        "ministry", "batch.get", "admissibilite", _BATCH_REPORT, True,
        "Entente fictive: vérifications en lot", "Fictitious agreement: verifications in batches",
    ),
    "ENT-2026-19": (
        "ministry", "waitlist.counts", "planification",
        ["as_of", "counted_at", "least", "all", "without_service", "holding_non_subsidised", "unborn", "by_region",
         "by_age", "by_desired_date"], False,
        "Entente fictive: dénombrement de la liste d'attente", "Fictitious agreement: counting of the waiting list",
    ),
    "ENT-2026-17": (
        "cooperative", "family.view", "acces_famille", ["handle", "disclosures", "more"], False,
        "Loi sur l'accès, art. 67.3 et 83: accès de la personne concernée (entente fictive)",
        "Act respecting access, s. 67.3 and 83: access by the person concerned (fictitious agreement)",
    ),
}  # fmt: skip


#: operation -> distinct children that a party may try or be told of in any 24 hours
BUDGETS: Mapping[str, int] = {
    "nirec.verify": 100_000, "batch.verify": 100_000, "batch.answer": 100_000, "subject.birth": 5_000,
    "registration.get": 500, "registration.search": 500, "registration.change": 500, "registration.withdraw": 500,
}  # fmt: skip
_BUDGET_HOURS = 24
#: Officers may double a budget without delay, for so long at once.
_GLASS_HOURS = 12


def _budget(operation: str) -> Mapping[str, object] | None:
    if operation not in BUDGETS:
        return None
    ceiling = {"subjects": BUDGETS[operation], "hours": _GLASS_HOURS}
    return {"subjects": BUDGETS[operation], "window_hours": _BUDGET_HOURS, "break_glass": ceiling}


def agreement(row: tuple[str, str, str, list[str], bool, str, str], validity: Mapping[str, str]) -> dict[str, Any]:
    """A row of ``AGREEMENTS`` as a bundle has it."""
    party, operation, purpose, fields, tells, french, english = row
    return {
        "party": party,
        "operation": operation,
        "purposes": [purpose],
        "legal_basis": {"fr": french, "en": english},
        "fields": list(fields),  # one that two agreements share would be an alias
        "tells_not_found": tells,
        "budget": _budget(operation),
        "validity": dict(validity),
    }
