"""The outbox: notices that wait for their addressee, each sealed (decision 0033)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table; in the clear is what a dispatcher needs to choose a row, and nothing of its content."""
    op.create_table(
        "outbox",
        sa.Column("id", sa.LargeBinary(16), primary_key=True),
        sa.Column("party", sa.Text, nullable=False),
        # HMAC of party and child: what waits for each other
        sa.Column("line", sa.LargeBinary(32), nullable=False),
        sa.Column("accepted", sa.Text, nullable=False),
        sa.Column("due", sa.Text, nullable=False),
        sa.Column("expires", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("state", sa.Text, sa.CheckConstraint("state IN ('waiting', 'dead')"), nullable=False),
        # a code of ours: why it was not delivered the last time
        sa.Column("reason", sa.Text),
        sa.Column("lease", sa.LargeBinary(16)),
        sa.Column("leased_until", sa.Text),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("outbox_party", "outbox", ["party", "state", "due"])
    op.create_index("outbox_line", "outbox", ["line", "accepted"])


def downgrade() -> None:
    """Refused: a ledger is never unmade."""
    raise NotImplementedError("a ledger is never unmade")
