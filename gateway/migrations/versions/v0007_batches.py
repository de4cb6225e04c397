"""Batches of verifications: what was announced, and of each line its exchange and, sealed, what the registry said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "batches",
        # the exchange that opened it
        sa.Column("id", sa.LargeBinary(16), primary_key=True),
        sa.Column("party", sa.Text, nullable=False),
        sa.Column("records", sa.Integer, nullable=False),
        sa.Column("rejected", sa.Integer, nullable=False),
        sa.Column("commitment", sa.Text, nullable=False),
        sa.Column("opened", sa.Text, nullable=False),
    )
    op.create_table(
        "batch_lines",
        sa.Column("batch", sa.LargeBinary(16), primary_key=True),
        sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
        # who asks, and since when: milliseconds; an exchange that ended without an answer leaves 0
        sa.Column("asking", sa.LargeBinary(16), nullable=False),
        sa.Column("asked", sa.BigInteger, nullable=False),
        # of the exchange that has the answer; none of these is there before
        sa.Column("exchange", sa.LargeBinary(16)),
        sa.Column("answered", sa.Text),
        # HMAC of the record under the batch's own key: the answer is given again for the same record alone
        sa.Column("record", sa.LargeBinary(32)),
        sa.Column("sealed", sa.LargeBinary),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "batch_pace",
        sa.Column("upstream", sa.Text, primary_key=True),
        sa.Column("second", sa.BigInteger, nullable=False),
        sa.Column("taken", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Refused: a ledger is never unmade."""
    raise NotImplementedError("a ledger is never unmade")
