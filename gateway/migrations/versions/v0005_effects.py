"""Effects that happen once: keys, each for one message, and intents until it is known what became of them (L4)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables; what came before had no effect elsewhere."""
    op.create_table(
        "effect_keys",
        # HMAC of party and key, and of the message without salt and nonce: neither can be found again from its row
        sa.Column("key", sa.LargeBinary(32), primary_key=True),
        sa.Column("message", sa.LargeBinary(32), nullable=False),
        sa.Column("expires", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "intents",
        sa.Column("exchange_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("key", sa.LargeBinary(32), nullable=False),
        sa.Column("party", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("state", sa.Text, sa.CheckConstraint("state IN ('open', 'settled', 'unknown')"), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("intents_key", "intents", ["key"])
    # few at a time: those of which nobody knows what became
    unsettled = sa.text("state <> 'settled'")
    op.create_index("intents_unsettled", "intents", ["at"], sqlite_where=unsettled, postgresql_where=unsettled)


def downgrade() -> None:
    """Refused: a ledger is never unmade."""
    raise NotImplementedError("a ledger is never unmade")
