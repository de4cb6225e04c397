"""The ledger's tables: records and their leaves, writers, the log's state, the objects that evidence names.

What lives here: SQL, and nothing that decides. A file for each one who asks: writers, readers, the sequencer.
"""

from gateway.ledger.storage.anchors import AnchorRows
from gateway.ledger.storage.lives import lives
from gateway.ledger.storage.log import Log
from gateway.ledger.storage.opening import connected, opened
from gateway.ledger.storage.policy_rows import PolicyRows
from gateway.ledger.storage.purging import Purging, connected_purging
from gateway.ledger.storage.reading import Lookup
from gateway.ledger.storage.records import Records

__all__ = [
    "AnchorRows",
    "Log",
    "Lookup",
    "PolicyRows",
    "Purging",
    "Records",
    "connected",
    "connected_purging",
    "lives",
    "opened",
]
