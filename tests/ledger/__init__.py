"""Tests of the ledger room and of the storage beneath it."""
