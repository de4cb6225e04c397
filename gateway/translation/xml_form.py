"""A canonical message as an XML element, and back: strict both ways (C7), compiled once from its shape.

The shape says all (decision 0025): fields in declared order, a list in a wrapper of its own, null as xsi:nil="true".
So absent, null, empty list and empty text stay four different things. Nothing here parses bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lxml import etree

from gateway.translation.xml_error import XmlFormError
from gateway.translation.xml_read import fields_reader
from gateway.translation.xml_write import fields_writer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from contracts.shape import Fields


class XmlForm:
    """One message's XML: the element ``root`` of ``namespace``, its fields' elements in the same namespace.

    Attributes are in no namespace, as an XSD has it whose elements alone are qualified.
    """

    def __init__(self, shape: Fields, namespace: str, root: str) -> None:
        self.tag = f"{{{namespace}}}{root}"
        self._root = root
        self._prefixes = {None: namespace}
        self._read = fields_reader(shape, namespace)
        self._write = fields_writer(shape, namespace)

    def read(self, element: etree._Element) -> dict[str, Any]:
        """The canonical fields; raises XmlFormError.

        Of a leaf only the spelling is judged here: list, pattern and bounds are for the schema to judge, after this.
        """
        if element.tag != self.tag:
            raise XmlFormError(self._root)
        return self._read(element)

    def write(self, fields: Mapping[str, object]) -> etree._Element:
        """The element of canonical fields; raises XmlFormError for what is no message of this shape."""
        element = etree.Element(self.tag, nsmap=self._prefixes)  # type: ignore[arg-type]  # None is the default's prefix
        self._write(element, fields)
        return element
