"""The database's schema, one step a file, run by gateway.storage.migrate."""
