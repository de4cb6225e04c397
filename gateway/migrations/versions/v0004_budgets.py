"""Budgets: who was disclosed within the window, and how many that were (P4). Nothing here names a child or a party."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables; steps and ends are seconds since 1970."""
    op.create_table(
        "budget_subjects",
        # HMAC of party, agreement and what is counted
        sa.Column("key", sa.LargeBinary(32), primary_key=True),
        # the beginning of the last step in which it was disclosed: a step is no exchange's time
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "budget_counts",
        # HMAC of party, agreement and the kind of what is counted
        sa.Column("counter", sa.LargeBinary(32), primary_key=True),
        sa.Column("step", sa.BigInteger, primary_key=True, autoincrement=False),
        # the rows above whose step this is, and what exchanges under way hold
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Refused: a ledger is never unmade."""
    raise NotImplementedError("a ledger is never unmade")
