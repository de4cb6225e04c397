"""What a contract must hold beyond its form: salts, sensitivities, paths, reductions (C1, C4, C7, N4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from contracts.declaration import SALT, Bilingual
from contracts.errors import ContractError
from contracts.names import soap_names
from contracts.rest import fields_in_target
from contracts.shape import Fields, Many, Text, shape_of

if TYPE_CHECKING:
    from contracts.declaration import Contract, Operation, ReductionRule, Schema
    from contracts.errors import Path
    from contracts.shape import Shape

_SENSITIVITIES = ("identifier", "personal", "public", SALT)
_SECRET = ("identifier", "personal")
#: What is done on a NIREC that the registry confirms, and how many handles of the caller's an act needs.
_BY_NIREC = ("disclose", "attach")
_HANDLES_OF = {"attach": 1, "merge": 2, "read": 1, "register": 1, "view": 1, "tell": 1}
#: A digest, in hex.
DIGEST = "^[0-9a-f]{64}$"
#: As evidence names it, with a letter first: names of XML elements and of files are made of it.
_OPERATION = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}")
#: Segments that no client and no proxy would rewrite; a field's braces are a pair.
_PATH = re.compile(r"(/(?!\.{1,2}(/|$))([a-z0-9_.-]|\{[a-z0-9_]*\})+)+")
#: What the gateway itself answers.
_TAKEN = re.compile(r"/(soap|log|docs|audit|\.well-known|openapi\.json)(/.*)?|/v1/exchanges/[^/]+/receipt")


def check_contract(contract: Contract) -> None:
    """Each operation in turn, then its names in SOAP; raises ContractError, its path from the document's root."""
    for name, operation in contract.operations.items():
        if not _OPERATION.fullmatch(name):
            text = "an operation's name is a letter, then letters, digits, . _ -, 63 in all at most; rename it"
            raise ContractError(f"{name}: {text}", ("operations", name))
        try:
            _check_operation(name, operation)
        except ContractError as error:
            raise error.below("operations", name) from None
    _check_soap_names(contract)
    if contract.deprecated and contract.deprecated.sunset <= contract.deprecated.since:
        raise ContractError("deprecated: sunset is after since; leave callers time to move", ("deprecated",))


def _check_operation(name: str, operation: Operation) -> None:
    request = _check_message(name, "request", operation.request)
    _check_message(name, "response", operation.response)
    _check_rest(name, operation, request)
    _check_criteria(name, operation)
    _check_effect(name, operation)
    if operation.reduction is not None:
        try:
            _check_reduction(f"{name}.reduction", operation, operation.reduction)
        except ContractError as error:
            raise error.below("reduction") from None


def _check_message(name: str, part: str, schema: Schema) -> Fields:
    where = f"{name}.{part}"
    try:
        shape = shape_of(schema, where)
        _check_words(where, schema, shape)
        _check_sensitivity(where, schema, shape)
    except ContractError as error:
        raise error.below(part) from None
    return shape


def _check_words(where: str, schema: Schema, shape: Shape, at: Path = ()) -> None:
    """Every field says what it is, in both languages, at each depth."""
    if isinstance(shape, Many):
        _check_words(f"{where}[]", schema["items"], shape.item, (*at, "items"))
    if not isinstance(shape, Fields):
        return
    for member in shape.members:
        field, below = schema["properties"][member.name], f"{where}.{member.name}"
        place = (*at, "properties", member.name)
        try:
            Bilingual.model_validate(field.get("description"))
        except ValidationError:
            raise ContractError(f"{below}: description needs fr and en (C1)", place) from None
        _check_words(below, field, member.shape, place)


def _check_sensitivity(where: str, schema: Schema, shape: Fields) -> None:
    kinds = {}
    for member in shape.members:
        field, at = schema["properties"][member.name], ("properties", member.name)
        kinds[member.name] = kind = field.get("sensitivity")
        if kind not in _SENSITIVITIES:
            raise ContractError(f"{where}.{member.name}: sensitivity is one of {', '.join(_SENSITIVITIES)} (C1)", at)
        if (kind == SALT) is not (member.name == SALT):
            raise ContractError(f"{where}.{member.name}: the field {SALT}, and no other, is a salt (C4)", at)
        if _said_below(field):
            raise ContractError(f"{where}.{member.name}: sensitivity stands here and holds for all below it", at)
        one_text = isinstance(member.shape, Text) and member.required and not member.nullable
        if kind in {"identifier", SALT} and not one_text:
            raise ContractError(f"{where}.{member.name}: is one required text (C4)", at)
    if any(kind in _SECRET for kind in kinds.values()) and SALT not in kinds:
        raise ContractError(
            f"{where}: identifier or personal fields ask for a required salt (C4); add it", ("properties",)
        )


def _said_below(schema: Any) -> bool:
    below = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return any("sensitivity" in field or _said_below(field) for field in below)


def _check_rest(name: str, operation: Operation, request: Fields) -> None:
    sensitivity = operation.sensitivity("request")
    in_target = fields_in_target(operation)
    for field in in_target:
        if sensitivity.get(field) != "public":
            raise ContractError(
                f"{name}: {field} may not stand in a path or a query (C4); only public fields of the request may",
                ("rest",),
            )
    plain = {member.name for member in request.members if isinstance(member.shape, Text) and not member.nullable}
    if len(set(in_target)) != len(in_target) or not set(in_target) <= plain:
        raise ContractError(f"{name}: a path and a query hold single values that are never null, each once", ("rest",))
    if not _PATH.fullmatch(operation.rest.path):
        text = "a path is segments like /v1/children/{field}, none of them empty, . or .., and braces are pairs"
        raise ContractError(f"{name}: {text}", ("rest", "path"))
    if _TAKEN.fullmatch(operation.rest.path):
        raise ContractError(f"{name}: the gateway answers at this path itself; choose another", ("rest", "path"))
    if operation.rest.method == "GET" and sensitivity.keys() - set(in_target):
        raise ContractError(f"{name}: GET has no body; each field stands in the path or the query", ("rest",))


def _check_criteria(name: str, operation: Operation) -> None:
    """A search asks for some of several fields, none of which must be there."""
    rule, required = operation.criteria, operation.request.get("required", ())
    if rule is None:
        return
    optional = [field for field in dict.fromkeys(rule.of) if field not in required]
    if not set(rule.of) <= operation.sensitivity("request").keys() or not rule.least <= len(optional) == len(rule.of):
        text = "criteria are fields of the request, each once, none required, and no fewer than the least"
        raise ContractError(f"{name}: {text}", ("criteria",))


def _check_effect(name: str, operation: Operation) -> None:
    """Whoever has an effect says what state it found and left; no digest of it tells anything (P5)."""
    rule, answered = operation.effect, operation.sensitivity("response")
    if rule is None:
        return
    shown = operation.response.get("properties", {})
    digests = [shown.get(field, {}).get("pattern") == DIGEST for field in (rule.before, rule.after)]
    public = answered.get(rule.before) == answered.get(rule.after) == "public"
    if operation.idempotent or not all(digests) or not public or rule.before == rule.after:
        text = f"an effect, of an operation that is not idempotent, has two public digests in the answer, {DIGEST}"
        raise ContractError(f"{name}: {text}", ("effect",))


def _check_reduction(where: str, operation: Operation, rule: ReductionRule) -> None:
    asked, answered = operation.sensitivity("request"), operation.sensitivity("response")
    by_nirec = rule.act in _BY_NIREC
    if any(item.field not in answered or item.code not in operation.errors for item in rule.refuse):
        raise ContractError(f"{where}: refuses by a field that the answer does not have, or a code not under errors")
    if (rule.act == "list") is not (rule.listed is not None):
        raise ContractError(f"{where}: a list, and nothing else, says which field is listed")
    if rule.listed is not None:
        _check_listed(where, operation.response, rule)
        return
    if answered.get(rule.handle) != "public" or (by_nirec and asked.get(rule.identifier or "") != "identifier"):
        raise ContractError(f"{where}: needs an identifier in the request and a public handle in the answer")
    unsaid = by_nirec and (rule.confirmed is None or rule.field not in answered)
    if unsaid or any(item.field not in answered for item in rule.conceal):
        raise ContractError(f"{where}: names a field that the answer does not have; field and confirmed are both said")
    _check_given(where, operation, rule)


def _check_listed(where: str, response: Schema, rule: ReductionRule) -> None:
    """What is listed has a hard cap, and each item its handle."""
    listed = response.get("properties", {}).get(rule.listed, {})
    item = listed.get("items", {})
    capped = listed.get("type") == "array" and "maxItems" in listed
    if not capped or rule.handle not in item.get("required", ()) or rule.given or rule.identifier:
        raise ContractError(f"{where}: a list needs maxItems, and in each item the required {rule.handle}")


def _check_given(where: str, operation: Operation, rule: ReductionRule) -> None:
    """The handles that a request holds are required and public: a handle is no identifier (C4)."""
    required, sensitivity = operation.request.get("required", ()), operation.sensitivity("request")
    unfit = [field for field in rule.given if sensitivity.get(field) != "public" or field not in required]
    needed = _HANDLES_OF.get(rule.act, 0)
    if unfit or len(rule.given) != needed:
        raise ContractError(f"{where}: {rule.act} needs {needed} required public handles")
    if (rule.act == "merge") != (rule.reason is not None and rule.reason in required):
        raise ContractError(f"{where}: a merge, and nothing else, has a required reason")


def _check_soap_names(contract: Contract) -> None:
    """No two operations share a root element or an action: by them the operation is known."""
    taken: set[str] = set()
    for name in contract.operations:
        names = soap_names(contract, name)
        for said in (names.request, names.response, names.action):
            if said in taken:
                raise ContractError(
                    f"{name}: {said} is the SOAP name of something else too; say soap: {{action, request, response}}",
                    ("operations", name),
                )
            taken.add(said)
