"""What each child's family can be told: a sealed note for each disclosure, in the transaction of its record."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table, without an order of insertion: no note may be joined to a record (L3)."""
    op.create_table(
        "family_notes",
        sa.Column("lookup", sa.LargeBinary(32), primary_key=True),
        sa.Column("nonce", sa.LargeBinary(12), primary_key=True),
        # the month, so that what is due can go with its period
        sa.Column("period", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Refused: a ledger is never unmade."""
    raise NotImplementedError("a ledger is never unmade")
