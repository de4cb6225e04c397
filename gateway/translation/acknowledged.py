"""What an acknowledgement says (L12), whichever form it came in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.model import Acknowledged

if TYPE_CHECKING:
    from collections.abc import Mapping


def acknowledged(fields: Mapping[str, Any], body: bytes | None = None) -> Acknowledged:
    """The four fields of its contract, which are valid by now; by SOAP also the canonical Body."""
    return Acknowledged(fields["exchange_id"], fields["ledger_leaf"], fields["answer_digest"], fields["handle"], body)
