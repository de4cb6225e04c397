"""Which fields must be there, asked the same way of what was read and of what is to be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.translation.xml_error import XmlFormError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from contracts.shape import Fields

XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
#: The attribute that makes an element a null.
NIL: Final = f"{{{XSI}}}nil"


def presence_of(shape: Fields) -> Callable[[Mapping[str, object]], None]:
    """Raises XmlFormError for a required field that is missing, or a choice made not at all or twice."""
    required = [member.name for member in shape.members if member.required]
    choices = shape.choices

    def check(fields: Mapping[str, object]) -> None:
        for name in required:
            if name not in fields:
                raise XmlFormError(name)
        for group in choices:
            if sum(name in fields for name in group) != 1:
                raise XmlFormError(group[0])

    return check
