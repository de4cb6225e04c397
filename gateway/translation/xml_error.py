"""What is wrong with a message in XML, told by the contract's names only: never a value, never a stranger's name."""

from __future__ import annotations

from typing import Final

from gateway.errors import PasserelleError

#: What an element or attribute is called that the contract does not declare.
UNKNOWN: Final = "unknown field"


class LexicalError(PasserelleError):
    """A text that is no value of its kind; says nothing of the text."""


class XmlFormError(PasserelleError):
    """An element that is not the message, or a message that is not of the shape.

    ``component`` is the declared name at fault, those above it before it, an item by its index; empty for the whole.
    """

    def __init__(self, component: str = "") -> None:
        super().__init__(component)
        self.component = component

    def below(self, name: str) -> XmlFormError:
        """The same error, its name told from further up."""
        return XmlFormError(f"{name}.{self.component}" if self.component else name)
