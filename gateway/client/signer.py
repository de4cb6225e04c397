"""A party's requests, signed as the profile asks (S1); the gateway signs its own to an upstream with the same code."""

from __future__ import annotations

from gateway.signing.answer import SIGNING_KEY
from gateway.signing.outgoing import LABEL, RequestSigner, SignedRequest

__all__ = ["LABEL", "SIGNING_KEY", "RequestSigner", "SignedRequest"]
