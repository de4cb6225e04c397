"""The sandbox civil registry: a real SOAP server over mutual TLS with its own database and certificate."""
