"""The tables, as gateway.migrations makes them, and what several of their users say to them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text

METADATA = MetaData()
WRITERS = Table(
    "writers",
    METADATA,
    Column("id", LargeBinary, primary_key=True),
    Column("period", Integer),
    Column("role", Text),
    Column("state", Text),
    Column("opened_at", Text),
)
RECORDS = Table(
    "records",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("exchange_id", LargeBinary),
    Column("kind", Integer),
    Column("party", Text),
    Column("time", Text),
    Column("leaf", LargeBinary),
    Column("writer", LargeBinary),
    Column("counter", BigInteger),
    Column("idx", BigInteger),
    Column("record", LargeBinary),
)
STATE = Table(
    "log_state",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("origin", Text),
    Column("size", BigInteger),
    Column("checkpoint", LargeBinary),
    Column("published_size", BigInteger),
)
OBJECTS = Table(
    "objects",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("bytes", LargeBinary),
    Column("published", Integer),
)
#: Whatever somebody may have put there before; the sequencer finds what is published already identical.
PUT_OBJECT = """
INSERT INTO objects (sha256, bytes, published) VALUES (?, ?, 0)
ON CONFLICT (sha256) DO UPDATE SET bytes = excluded.bytes, published = 0
"""
