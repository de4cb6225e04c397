"""The offline verdict on a copy of the ledger; never touches a live gateway."""
