"""The sandbox of the cooperative's registry: a real REST server over mutual TLS, its own database and certificate."""
