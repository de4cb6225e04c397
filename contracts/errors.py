"""What a contract that cannot be used raises."""

from __future__ import annotations

#: Where something stands in a YAML document: the keys and indices that lead to it.
Path = tuple[str | int, ...]


class ContractError(Exception):
    """A contract that cannot be used: what is wrong, where, and what to do; never a value of a message.

    Attributes:
        text: what is wrong and what to do.
        path: leads from the document's root to the node at fault, so that its line can be named.
        line: from 1, where it is known already.
    """

    def __init__(self, text: str, path: Path = (), line: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.path = path
        self.line = line

    def below(self, *prefix: str | int) -> ContractError:
        """The same error, its path read from further up."""
        return ContractError(self.text, (*prefix, *self.path))
