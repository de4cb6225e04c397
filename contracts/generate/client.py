"""The Python client's typed operations, a module per service: keyword arguments in, a frozen dataclass out.

What stands in a contract is said once (C1): a field that is added there is there in the client, with its type and its
description, and a type checker finds each caller that it concerns. The modules are for Python's own reader and for
mypy; how a call is signed, sent again and kept is gateway/client's.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

from contracts.declaration import SALT
from contracts.generate.client_types import argument, converted, type_of
from contracts.names import pascal_case
from contracts.shape import Fields, Many, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from contracts.declaration import Contract, Operation
    from contracts.shape import Shape

_FOLDER = "gateway/client/operations"
_WIDTH = 120
_MADE = "made by `make contracts`, never by hand"
#: What a module may need, by where it comes from; a module imports what it uses.
_AT_ONCE = {"dataclasses": ("dataclass",), "typing": ("Literal",)}
_OURS = ("Asked", "Asking", "bytes_of", "date_of", "decimal_of", "each", "moment_of", "tuple_of")
_FOR_TYPES = {
    "collections.abc": ("Mapping", "Sequence"),
    "datetime": ("date", "datetime"),
    "decimal": ("Decimal",),
    "typing": ("Any",),
}


def client_modules(contracts: Sequence[Contract]) -> dict[str, bytes]:
    """Each module by its path; of a service with several versions the newest is typed.

    Acknowledgements are the client's own business, and no operation of its caller's.
    """
    newest = {one.service: one for one in sorted(contracts, key=lambda one: int(one.version)) if _operations(one)}
    services = [newest[name] for name in sorted(newest)]
    files = {f"{_FOLDER}/{_module(one)}.py": _service(one) for one in services}
    files[f"{_FOLDER}/__init__.py"] = _index(services)
    return {path: text.encode() for path, text in files.items()}


def _index(services: Sequence[Contract]) -> str:
    package = _FOLDER.replace("/", ".")
    imports = "\n".join(f"from {package}.{_module(one)} import {_class(one)}" for one in services)
    bases = "".join(f"    {_class(one)},\n" for one in services)
    return (
        f'"""Every operation that the gateway offers, typed; {_MADE}."""\n\nfrom __future__ import annotations\n\n'
        f'{imports}\n\n__all__ = ["Operations"]\n\n\nclass Operations(\n{bases}):\n'
        '    """Every operation, one method each."""\n'
    )


def _operations(contract: Contract) -> dict[str, Operation]:
    return {name: one for name, one in contract.operations.items() if not one.acknowledges}


def _module(contract: Contract) -> str:
    return contract.service.replace("-", "_")


def _class(contract: Contract) -> str:
    return f"{pascal_case(contract.service)}Operations"


def _service(contract: Contract) -> str:
    records: dict[str, str] = {}
    methods = []
    for name, operation in _operations(contract).items():
        records |= _records(operation, pascal_case(name))
        methods.append("\n".join(_method(name, operation)))
    ours = "\n\n".join([f'class {_class(contract)}(Asking):\n    """{contract.title.en}."""', *methods])
    body = "\n\n\n".join([*records.values(), ours])
    names = "".join(f'    "{name}",\n' for name in sorted([*records, _class(contract)]))
    return f"{_head(contract, body)}\n__all__ = [\n{names}]\n\n\n{body}\n"


def _head(contract: Contract, body: str) -> str:
    def imported(modules: Mapping[str, Sequence[str]], indent: str = "") -> str:
        used = {module: [name for name in names if _uses(body, name)] for module, names in modules.items()}
        return "".join(f"{indent}from {module} import {', '.join(names)}\n" for module, names in used.items() if names)

    typing = {**_AT_ONCE, "typing": ("TYPE_CHECKING", *_AT_ONCE["typing"])}
    return (
        f'"""{contract.title.en}: contracts/{contract.service}/v{contract.version}; {_MADE}."""\n\n'
        f"from __future__ import annotations\n\n{imported(typing)}\n"
        f"{imported({'gateway.client.typed': _OURS})}\nif TYPE_CHECKING:\n{imported(_FOR_TYPES, '    ')}\n"
        "    from gateway.client.typed import Answered\n"
    )


def _uses(body: str, name: str) -> bool:
    return name == "TYPE_CHECKING" or re.search(rf"(?<![\w\"]){name}\b(?=[\[\](), |.])", _code(body)) is not None


def _code(body: str) -> str:
    """Without what is said in words."""
    return re.sub(r'"""[\s\S]*?"""', "", body)


def _records(operation: Operation, name: str) -> dict[str, str]:
    """The dataclasses of an operation, those that others hold first; an answer's are named after it."""
    found: dict[str, str] = {}
    answer = f"{name}Answer"
    for part, schema in ((name, operation.request), (answer, operation.response)):
        answered = part == answer
        for title, inner, below in _nested(shape_of(schema, name), schema, part):
            found[title] = "\n".join(_record(title, inner, below, part, answered=answered))
    found[answer] = "\n".join(
        _record(answer, shape_of(operation.response, name), operation.response, answer, answered=True)
    )
    return found


def _nested(shape: Shape, schema: Mapping[str, Any], name: str) -> Iterator[tuple[str, Fields, Mapping[str, Any]]]:
    for member in shape.members if isinstance(shape, Fields) else ():
        inner, below = member.shape, schema["properties"][member.name]
        title = member.name
        while isinstance(inner, Many):
            title = inner.item_name
            inner, below = inner.item, below["items"]
        if isinstance(inner, Fields):
            yield from _nested(inner, below, name)
            yield f"{name}{pascal_case(title)}", inner, below


def _record(title: str, shape: Fields, schema: Mapping[str, Any], part: str, *, answered: bool) -> Iterator[str]:
    """A dataclass; of an answer every field may be missing: the agreement says which ones are given."""
    members = [member for member in shape.members if member.name != SALT]
    yield "@dataclass(frozen=True, slots=True)"
    yield f"class {title}:"
    said = schema.get("description")
    about = (
        said["en"]
        if said
        else "What is answered, as far as it is agreed."
        if answered
        else "One of those that are sent."
    )
    yield from _docstring(about, [(one.name, schema["properties"][one.name]["description"]["en"]) for one in members])
    yield from [""] if members else []
    for member in sorted(members, key=lambda one: not answered and not one.required):
        optional = answered or member.nullable or not member.required
        default = " = None" if answered or not member.required else ""
        yield f"    {member.name}: {type_of(member, part, answered=answered)}{' | None' if optional else ''}{default}"
    if answered:
        yield from _reader(title, [f"            {member.name}={converted(member, part)}," for member in members])


def _reader(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield from ("", "    @classmethod")
    # of an object without fields nothing is read
    yield f"    def of(cls, {'fields' if lines else '_'}: Mapping[str, Any]) -> {title}:"
    yield '        """From the fields of a verified answer."""'
    yield from ("        return cls(", *lines, "        )") if lines else ("        return cls()",)


def _method(name: str, operation: Operation) -> Iterator[str]:
    shape, pascal = shape_of(operation.request, name), pascal_case(name)
    members = [member for member in shape.members if member.name != SALT]
    ordered = sorted(members, key=lambda one: not one.required)
    effects = not operation.idempotent
    yield f"    def {name.replace('.', '_').replace('-', '_')}("
    yield "        self,"
    if ordered or effects:
        yield "        *,"
    yield from (f"        {member.name}: {argument(member, pascal)}," for member in ordered)
    if effects:
        yield "        idempotency_key: str | None = None,"
    yield f"    ) -> Answered[{pascal}Answer]:"
    said = [(one.name, operation.request["properties"][one.name]["description"]["en"]) for one in ordered]
    if effects:
        said.append(("idempotency_key", "A UUID of the caller's own, by which a repeat has no second effect."))
    errors = f"RefusedError: {', '.join(operation.errors)}."
    text = f"{operation.title.en}.\n\n{operation.description.en.strip()}"
    yield from _docstring(text, said, "Args", ["Raises:", f"    {errors}"], indent="        ")
    known = f'Asked("{name}", {pascal}Answer.of, salted={SALT in operation.sensitivity("request")}'
    yield f"        asked = {known}, effects={effects})"
    yield "        fields = {" + ("" if members else "}")
    if members:
        yield from (f'            "{member.name}": {member.name},' for member in members)
        yield "        }"
    yield f"        return self._ask(asked, fields{', idempotency_key' if effects else ''})"


def _docstring(
    text: str,
    fields: Sequence[tuple[str, str]],
    heading: str = "Attributes",
    more: Sequence[str] = (),
    indent: str = "    ",
) -> Iterator[str]:
    first, *rest = text.split("\n\n")
    lines = textwrap.wrap(first, _WIDTH - len(indent) - 3)
    for paragraph in rest:
        lines += ["", *textwrap.wrap(paragraph, _WIDTH - len(indent))]
    if fields:
        lines += ["", f"{heading}:"]
        for name, said in fields:
            lines += textwrap.wrap(
                f"{name}: {said}", _WIDTH - len(indent), initial_indent="    ", subsequent_indent="        "
            )
    lines += ["", *more] if more else []
    if more:
        lines = [*lines[: -len(more)], *_wrapped(more, indent)]
    if len(lines) == 1 and len(lines[0]) + len(indent) + 6 <= _WIDTH:
        yield f'{indent}"""{lines[0]}"""'
        return
    yield f'{indent}"""{lines[0]}'
    yield from (f"{indent}{line}" if line else "" for line in lines[1:])
    yield f'{indent}"""'


def _wrapped(lines: Sequence[str], indent: str) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, _WIDTH - len(indent), subsequent_indent="        ")]
