"""PostgreSQL only: which run of the server this is, since what was not durable is lost between two (L4).

The table is not logged: a server that crashed empties it before anybody can connect, and a standby has it empty when it
is promoted. SQLite's runs are those of the machine.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table where there is a server."""
    if op.get_context().dialect.name != "postgresql":
        return
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("began", sa.Text, nullable=False),
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    """Refused: a ledger is never unmade."""
    raise NotImplementedError("a ledger is never unmade")
