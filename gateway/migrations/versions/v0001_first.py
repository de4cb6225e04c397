"""The first schema: records and the log's state, claims, subjects.

Clear columns hold exchange id, party, time and leaf only; ``records.record`` comes here sealed (L2, L3).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes every table."""
    _ledger()
    _guard()
    _nirec()


def downgrade() -> None:
    """Refused: a ledger is never unmade."""
    raise NotImplementedError("a ledger is never unmade")


def _ledger() -> None:
    op.create_table(
        "writers",
        sa.Column("id", sa.LargeBinary(16), primary_key=True),
        sa.Column("period", sa.Integer, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("state", sa.Text, sa.CheckConstraint("state IN ('open', 'closed')"), nullable=False),
        sa.Column("opened_at", sa.Text, nullable=False),
    )
    _partial_index("writers_open", "writers", "id", "state = 'open'")
    op.create_table(
        "records",
        # SQLite numbers rows of this very type only
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("exchange_id", sa.LargeBinary(16), nullable=False),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("party", sa.Text),
        sa.Column("time", sa.Text, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("writer", sa.LargeBinary(16), sa.ForeignKey("writers.id"), nullable=False),
        sa.Column("counter", sa.BigInteger, nullable=False),
        sa.Column("idx", sa.BigInteger),
        sa.Column("record", sa.LargeBinary),
        sa.UniqueConstraint("writer", "counter"),
        sa.UniqueConstraint("kind", "exchange_id"),
    )
    # only the sequencer writes here: an insert touches the table and three trees
    _partial_index("records_idx", "records", "idx", "idx IS NOT NULL", unique=True)
    _partial_index("records_unsequenced", "records", "id", "idx IS NULL")
    op.create_table(
        "log_state",
        sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1"), primary_key=True),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("checkpoint", sa.LargeBinary, nullable=False),
        sa.Column("published_size", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "objects",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
        sa.Column("published", sa.Integer, nullable=False, server_default="0"),
    )
    _partial_index("objects_unpublished", "objects", "sha256", "published = 0")


def _partial_index(name: str, table: str, column: str, where: str, *, unique: bool = False) -> None:
    text = sa.text(where)
    op.create_index(name, table, [column], unique=unique, sqlite_where=text, postgresql_where=text)


def _guard() -> None:
    op.create_table(
        "claims",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("expires", sa.Text, nullable=False),
        # two claims an exchange: one tree to write, not three
        sqlite_with_rowid=False,
    )
    op.create_table(
        "first_refusals",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("minute", sa.Text, primary_key=True),
        sa.Column("exchange_id", sa.LargeBinary(16), nullable=False),
    )


def _nirec() -> None:
    op.create_table(
        "subjects",
        sa.Column("id", sa.LargeBinary(16), primary_key=True),
        # the month only, and no order of insertion: neither may join a subject to an exchange (L3)
        sa.Column("created", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pseudonyms",
        sa.Column("pseudonym", sa.LargeBinary(32), primary_key=True),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("subject", sa.LargeBinary(16), sa.ForeignKey("subjects.id"), nullable=False, index=True),
    )
