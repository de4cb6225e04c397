"""The line of a YAML document on which something stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from contracts.strict_yaml import compose_yaml

if TYPE_CHECKING:
    from contracts.errors import Path


def line_of(content: bytes, path: Path) -> int:
    """The line, from 1, of the node that the path leads to; of the deepest node on the way where it leads nowhere."""
    try:
        node = compose_yaml(content)
    except yaml.YAMLError:
        return 1
    line = 1
    for step in path:
        mark, node = _below(node, step)
        if mark is None:
            break
        line = mark.line + 1
    return line


def _below(node: yaml.Node | None, step: str | int) -> tuple[yaml.Mark | None, yaml.Node | None]:
    """Where the step's key or item begins, and the node there."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark, node.value[step]
    return None, None
