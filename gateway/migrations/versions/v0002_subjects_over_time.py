"""Subjects over time: generations of the pseudonym key, handles that were given, subjects that are one (N2, N3)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables, and notes the generations that the pseudonyms here are of."""
    op.create_table(
        "nirec_generations",
        sa.Column("generation", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.Text, sa.CheckConstraint("state IN ('rotating', 'complete')"), nullable=False),
        # HMAC of a fixed text under the generation's key: another key in its place is noticed, not used
        sa.Column("proof", sa.LargeBinary(32)),
    )
    op.execute(
        "WITH RECURSIVE known(generation) AS (SELECT 0 UNION ALL SELECT generation + 1 FROM known"
        " WHERE generation < (SELECT COALESCE(MAX(generation), 0) FROM pseudonyms))"
        " INSERT INTO nirec_generations (generation, state) SELECT generation, 'complete' FROM known"
    )
    # what a rotation has not rewritten yet, without walking over what it has
    op.create_index("pseudonyms_generation", "pseudonyms", ["generation"])
    op.create_table(
        "handles",
        # HMAC of party and handle under a key of its own: nobody finds a row without that key
        sa.Column("lookup", sa.LargeBinary(32), primary_key=True),
        sa.Column("subject", sa.LargeBinary(16), sa.ForeignKey("subjects.id"), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "merged_subjects",
        sa.Column("subject", sa.LargeBinary(16), sa.ForeignKey("subjects.id"), primary_key=True),
        # never itself a merged one: whoever survives another is looked up in one step
        sa.Column("survivor", sa.LargeBinary(16), sa.ForeignKey("subjects.id"), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("merged_subjects_survivor", "merged_subjects", ["survivor"])


def downgrade() -> None:
    """Refused: a ledger is never unmade."""
    raise NotImplementedError("a ledger is never unmade")
