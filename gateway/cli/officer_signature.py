"""An officer's signature under an act that needs the policy in force beside it: a destruction, a loss."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from gateway.policy.acts import Approval
from gateway.policy.reasons import PolicyRefused, Reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from gateway.cli.officer_keys import OfficerSigner
    from gateway.cli.output import Output
    from gateway.policy.acts import Act
    from gateway.policy.bundle import Bundle


def signed_approval(
    output: Output, officer: str, bundle: Bundle, key: AbstractContextManager[OfficerSigner], act: Callable[[], Act]
) -> bytes:
    """The approval's document, after a question where a person can answer; what it is about was shown before.

    Raises PolicyRefused (approval_not_by_officer) for a key that is not this officer's in the policy; KeystoreError.
    """
    with key as signer:
        if bundle.officers.keys.get(officer) != signer.public():
            raise PolicyRefused(Reason.APPROVAL_NOT_BY_OFFICER, officer=officer)
        if sys.stdin.isatty() and not output.as_json:
            typer.confirm(output.t("policy.sign_question"), abort=True)
        signed = act()
        return Approval(signed, signer.sign(signed.text())).document()
