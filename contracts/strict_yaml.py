"""YAML read strictly: a repeated key is an error, where the library would keep the last one in silence.

So is an alias: what it repeats stands elsewhere than where it is read, and a few of them can fill a machine's memory.
"""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Hashable


class _StrictLoader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # its stubs give it no types
            raise yaml.composer.ComposerError(None, None, "an alias", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:  # noqa: FBT001, FBT002  the library's own signature
        keys = set()
        for key, _ in node.value:
            if (name := self.construct_object(key, deep=True)) in keys:
                raise yaml.constructor.ConstructorError(None, None, "a key is repeated", key.start_mark)
            keys.add(name)
        return super().construct_mapping(node, deep=deep)


def compose_yaml(content: bytes) -> yaml.Node | None:
    """The document's nodes, which know their lines; raises yaml.YAMLError."""
    try:
        node: yaml.Node | None = yaml.compose(content, Loader=_StrictLoader)
    except (ValueError, TypeError, RecursionError) as error:
        raise yaml.YAMLError(type(error).__name__) from None
    return node


def load_yaml(content: bytes) -> object:
    """The document; raises yaml.YAMLError, also for a repeated key or an alias, and for what the library trips over."""
    try:
        return deepcopy(_document(content))  # whoever asked may change it
    except (ValueError, TypeError, RecursionError) as error:
        raise yaml.YAMLError(type(error).__name__) from None


@lru_cache(maxsize=32)
def _document(content: bytes) -> object:
    """Kept: a policy or contract is asked for by many, and the library takes ten milliseconds for one."""
    return yaml.load(content, Loader=_StrictLoader)  # noqa: S506  a SafeLoader, made stricter
