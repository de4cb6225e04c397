"""Contracts: a folder per service and version, and the loader beside them; imports nothing of gateway."""
