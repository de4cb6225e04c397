"""A caller's acknowledgement, held against what the ledger has in the clear: party and leaf of the exchange (L12).

The answer's digest and the handle are not there in the clear, only sealed: the audit compares those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from gateway.errors import Code, PasserelleError, Refusal
from gateway.ledger.encoding import encode64
from gateway.ledger.merkle import leaf_hash
from gateway.model import Reply

if TYPE_CHECKING:
    from gateway.model import Grant
    from gateway.ports import RecordFinder


class Acknowledgements:
    """ports.Upstream for the operation whose upstream is the ledger itself."""

    def __init__(self, find: RecordFinder) -> None:
        """``find`` gives answered exchanges; a refusal has no answer to acknowledge."""
        self._find = find

    def call(self, grant: Grant) -> Reply:
        """The acknowledged id.

        Raises Refusal: exchange_unknown, for another party's exchange as for none; acknowledgement_differs, naming
        the field.
        """
        message = grant.message
        said = message.acknowledges
        if said is None:
            raise PasserelleError("an operation asks the ledger and acknowledges nothing")
        found = self._find(UUID(said.exchange_id))
        if found is None or found.party != message.request.party.name:
            raise Refusal(Code.EXCHANGE_UNKNOWN, component="exchange_id")
        if encode64(leaf_hash(found.leaf)) != said.ledger_leaf:
            raise Refusal(Code.ACKNOWLEDGEMENT_DIFFERS, component="ledger_leaf")
        return Reply(upstream=None, fields={"acknowledged": said.exchange_id}, attempts=())
