"""The fields of a message as rows of a table: path, XML, form, whether it must be there, sensitivity, meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contracts.generate.document import Paragraph, Table
from contracts.rest import fields_in_path
from contracts.shape import Fields, Many, Text, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from contracts.declaration import Operation, Schema
    from contracts.generate.document import Block
    from contracts.generate.words import Words
    from contracts.shape import Member, Shape


def request_fields(operation: Operation, words: Words) -> list[Block]:
    """The request's fields; those that REST has in path or query say so."""
    in_path = fields_in_path(operation)
    where = {name: words("in_path") for name in in_path} | dict.fromkeys(operation.rest.query, words("in_query"))
    return _fields(operation.request, words, where)


def response_fields(operation: Operation, words: Words) -> list[Block]:
    """The answer's fields."""
    return _fields(operation.response, words, {})


def _fields(schema: Schema, words: Words, where: Mapping[str, str]) -> list[Block]:
    shape = shape_of(schema, "")
    if not shape.members:
        return [Paragraph(words("none"))]
    heads = [words(word) for word in ("field", "xml", "form", "sensitivity", "meaning")]
    choices = (", ".join(f"`{name}`" for name in names) for names in _choices(shape, ""))
    table = Table(heads, list(_rows(schema, shape, words, "", "", where)))
    return [table, *(Paragraph(words("choice", names=names)) for names in choices)]


def _choices(shape: Shape, path: str) -> Iterator[tuple[str, ...]]:
    """Each choice, as the paths of its fields."""
    if isinstance(shape, Many):
        yield from _choices(shape.item, path.removesuffix(".") + "[].")
    elif isinstance(shape, Fields):
        for choice in shape.choices:
            yield tuple(f"{path}{name}" for name in choice)
        for member in shape.members:
            yield from _choices(member.shape, f"{path}{member.name}.")


def _rows(
    schema: Mapping[str, Any], shape: Fields, words: Words, path: str, tags: str, where: Mapping[str, str]
) -> Iterator[list[str]]:
    for member in shape.members:
        field = schema["properties"][member.name]
        name, tag = f"{path}{member.name}", f"{tags}{'@' if member.attribute else ''}{member.tag}"
        presence = words("required" if member.required else "optional")
        said = [_form(field, member, words), presence, *([where[name]] if name in where else [])]
        sensitivity = words(field["sensitivity"]) if "sensitivity" in field else ""
        yield [f"`{name}`", f"`{tag}`", "; ".join(said), sensitivity, field["description"][words.language]]
        inner = member.shape
        while isinstance(inner, Many):
            name, tag = f"{name}[]", f"{tag}/{inner.item_name}"
            inner, field = inner.item, field["items"]
        if isinstance(inner, Fields):
            yield from _rows(field, inner, words, f"{name}.", f"{tag}/", {})


def _form(schema: Mapping[str, Any], member: Member, words: Words) -> str:
    form = _shape_form(schema, member.shape, words)
    return f"{form}, {words('or_null')}" if member.nullable else form


def _shape_form(schema: Mapping[str, Any], shape: Shape, words: Words) -> str:
    if isinstance(shape, Fields):
        return words("object")
    if isinstance(shape, Many):
        said = [words("list", item=shape.item_name), *_bounds(shape.least or None, shape.most, "", words)]
        if isinstance(shape.item, Text):
            said.append(_shape_form(schema["items"], shape.item, words))
        return ", ".join(said)
    return _text_form(schema, shape, words)


def _text_form(schema: Mapping[str, Any], shape: Text, words: Words) -> str:
    if schema.get("sensitivity") == "salt":
        return words("salt_form")
    if shape.enum:
        return f"{words('one_of')} " + ", ".join(f"`{value}`" for value in shape.enum)
    if shape.kind == "integer":
        return ", ".join([words("integer"), *_bounds(shape.minimum, shape.maximum, "", words)])
    if shape.kind != "string":
        return words(shape.kind)
    said = [words("text"), *_bounds(shape.min_length, shape.max_length, f" {words('characters')}", words)]
    if shape.pattern is not None:
        said.append(f"{words('pattern')} `{shape.pattern}`")
    return ", ".join(said)


def _bounds(least: int | None, most: int | None, unit: str, words: Words) -> Iterator[str]:
    if least is not None and most is not None:
        yield f"{least} {words('to')} {most}{unit}"
    elif least is not None:
        yield f"{words('at_least')} {least}{unit}"
    elif most is not None:
        yield f"{words('at_most')} {most}{unit}"
