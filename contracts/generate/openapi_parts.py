"""What every operation of the OpenAPI document shares: signature headers, the problem, what any exchange may answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from contracts.declaration import Language
    from contracts.generate.error_table import ErrorEntry

Json = dict[str, Any]
PROBLEM_TYPE: Final = "application/problem+json"
SECURITY: Final = "mutualTLS"
#: An id that belongs to nothing, for examples.
EXAMPLE_ID: Final = "3f0c9a52-6d1b-4e8a-9c47-2b5d8e1f0a36"

_WORD = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"}
#: As RFC 9562 writes it, of any version.
_KEY = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_UUID = {"type": "string", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"}
_TEXT = {"type": "string"}
_DIGEST = {"type": "string", "pattern": "^sha-256=:[A-Za-z0-9+/]{43}=:$"}
_SIGNATURE_INPUT = (
    'sig1=("@method" "@target-uri" "exchange-agreement" "exchange-purpose" "content-digest" "content-type")'
    ';created=1795444200;nonce="…";keyid="base64url(SHA-256(certificate))";tag="passerelle"'
)
#: Request headers: schema, example, in French, in English.
_REQUEST: Final[Mapping[str, tuple[Json, str, str, str]]] = {
    "Exchange-Agreement": (
        _WORD,
        "entente-1",
        "L'entente sous laquelle l'échange a lieu; signée.",
        "The agreement under which the exchange takes place; signed.",
    ),
    "Exchange-Purpose": (
        _WORD,
        "essai",
        "La finalité, une de celles de l'entente; signée.",
        "The purpose, one of the agreement's; signed.",
    ),
    "Content-Digest": (
        _TEXT,
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        "L'empreinte du corps tel qu'envoyé (RFC 9530); signée.",
        "The digest of the body as sent (RFC 9530); signed.",
    ),
    "Signature-Input": (
        _TEXT,
        _SIGNATURE_INPUT,
        "Ce que la signature couvre (RFC 9421).",
        "What the signature covers (RFC 9421).",
    ),
    "Signature": (_TEXT, "sig1=:…:", "La signature (RFC 9421).", "The signature (RFC 9421)."),
}
_OPTIONAL: Final[Mapping[str, tuple[Json, str, str, str]]] = {
    "Idempotency-Key": (
        _KEY,
        EXAMPLE_ID,
        "Un UUID neuf pour chaque effet voulu; signé s'il est là.",
        "A fresh UUID for each effect that you want; signed when present.",
    ),
    "Accept-Language": (_TEXT, "fr-CA", "La langue des erreurs: fr ou en.", "The errors' language: fr or en."),
}
_ANSWER: Final[dict[str, tuple[Json, str, str]]] = {
    "Exchange-Id": (_UUID, "Le numéro de l'échange; signé.", "The exchange's id; signed."),
    "Ledger-Leaf": (
        {"type": "string", "pattern": "^[A-Za-z0-9+/]{43}=$"},
        "L'empreinte de sa feuille au registre; signée.",
        "The hash of its leaf in the log; signed.",
    ),
    "Ledger-By": (
        {"type": "string", "format": "date-time"},
        "L'heure avant laquelle la feuille est au registre; signée.",
        "The time by which the leaf is in the log; signed.",
    ),
    "Content-Digest": (_DIGEST, "L'empreinte du corps; signée.", "The body's digest; signed."),
    "Signature-Input": (_TEXT, "Ce que la signature couvre.", "What the signature covers."),
    "Signature": (_TEXT, "La signature de la passerelle.", "The gateway's signature."),
}
_KEYED: Final = "Idempotency-Key"
#: The same header where an operation has an effect.
REQUIRED_KEY: Final = "Idempotency-Key-Required"
#: Headers that only some answers have.
_PERHAPS: Final[dict[str, tuple[Json, str, str]]] = {
    "Retry-After": ({"type": "integer"}, "Secondes à attendre.", "Seconds to wait."),
    "Deprecation": (
        _TEXT,
        "Depuis quand la version est dépréciée (RFC 9745).",
        "Since when the version is deprecated.",
    ),
    "Sunset": (_TEXT, "Quand la version cesse de répondre (RFC 8594).", "When the version stops answering (RFC 8594)."),
}


def both(fr: str, en: str) -> str:
    """A description in both languages, French first."""
    return f"{fr}\n\n{en}"


def components(errors: Sequence[ErrorEntry]) -> Json:
    """Parameters, headers, the problem's schema and examples, and the security scheme, by name."""
    parameters = {name: _parameter(name, *row, required=True) for name, row in _REQUEST.items()}
    parameters |= {name: _parameter(name, *row, required=False) for name, row in _OPTIONAL.items()}
    parameters[REQUIRED_KEY] = _parameter(_KEYED, *_OPTIONAL[_KEYED], required=True)
    headers = {
        name: {"description": both(fr, en), "schema": schema} for name, (schema, fr, en) in (_ANSWER | _PERHAPS).items()
    }
    return {
        "parameters": parameters,
        "headers": headers,
        "schemas": {"Problem": _problem(errors)},
        "examples": {entry.code: {"value": problem_example(entry)} for entry in errors},
        "securitySchemes": {
            SECURITY: {
                "type": "mutualTLS",
                "description": both(
                    "Le certificat TLS de votre partie; chaque requête est signée par une autre clé.",
                    "Your party's TLS certificate; each request is signed by another key.",
                ),
            }
        },
    }


def request_headers(*, body: bool, keyed: bool) -> list[Json]:
    """References to the headers that an operation's request has; without a body none of its digest.

    ``keyed``: it has an effect, and so a key that must be there.
    """
    names = [name for name in (*_REQUEST, *_OPTIONAL) if body or name != "Content-Digest"]
    named = {_KEYED: REQUIRED_KEY} if keyed else {}
    return [{"$ref": f"#/components/parameters/{named.get(name, name)}"} for name in names]


def answer_headers(*perhaps: str) -> Json:
    """References to the headers that an answer has."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*_ANSWER, *perhaps)}


def problem_example(entry: ErrorEntry, language: Language = "fr") -> Json:
    """The problem as a caller reads it who prefers the language."""
    other: Language = "en" if language == "fr" else "fr"
    return {
        "type": f"urn:passerelle:error:{entry.code}",
        "title": entry.title[language],
        "status": entry.status,
        "detail": entry.next[language],
        "code": entry.code,
        "exchange_id": EXAMPLE_ID,
        f"title_{other}": entry.title[other],
        f"detail_{other}": entry.next[other],
    }


def _parameter(name: str, schema: Json, example: str, fr: str, en: str, *, required: bool) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": both(fr, en),
        "schema": schema,
        "example": example,
    }


def _problem(errors: Sequence[ErrorEntry]) -> Json:
    text = {"type": "string"}
    texts = ("type", "title", "detail", "title_fr", "title_en", "detail_fr", "detail_en")
    properties: Json = dict.fromkeys(texts, text)
    properties |= {
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": [entry.code for entry in errors]},
        "exchange_id": _UUID,
        "component": {"type": "string", "description": both("L'élément en cause.", "The element at fault.")},
        "reason": {"type": "string", "description": both("En un mot stable.", "In one stable word.")},
    }
    required = ["type", "title", "status", "detail", "code", "exchange_id"]
    return {"type": "object", "required": required, "properties": properties}
