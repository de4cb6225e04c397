"""Where the civil registry's contract stands; how to speak with it says its mapping, and no code."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def contract_directory() -> Path:
    """The folder of the civil registry's WSDL, XSD and mapping."""
    return Path(str(files("contracts"))) / "civil_registry" / "v1"
