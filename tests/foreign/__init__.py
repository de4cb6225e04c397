"""Strangers: clients and a verifier written from docs/ alone, importing nothing of ours, against the real thing."""
