"""On an officer's machine, where no gateway is: one's signature under what a recovery lost (L7)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from certs.files import write_public
from gateway.cli.loss_words import values_of
from gateway.cli.officer_signature import signed_approval
from gateway.cli.output import Exit
from gateway.cli.policy_files import loss_file, policy_file
from gateway.cli.policy_words import refuse
from gateway.errors import ConfigurationError
from gateway.policy.judge import InForce, read_proposal
from gateway.policy.reasons import PolicyRefused
from gateway.policy.recovery import check_loss, loss_act

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from gateway.cli.officer_keys import OfficerSigner
    from gateway.cli.output import Output
    from gateway.ports import Clock


def approve(
    output: Output,
    file: Path,
    officer: str,
    policy: Path,
    out: Path | None,
    key: AbstractContextManager[OfficerSigner],
    clock: Clock,
) -> Exit:
    """Shows what was lost, signs it, writes the approval; raises ConfigurationError, KeystoreError."""
    out = out or file.with_name(f"{file.stem}.{officer}.approval")
    if out.exists():
        raise ConfigurationError("exists_already", path=out)
    document = loss_file(file)
    try:
        bundle, name = read_proposal(policy_file(policy))
        force = InForce(bundle, name, bundle.validity.since)
        loss = check_loss(force, document)
        output.say("loss.signing", officer=officer, origin=loss.origin, **values_of(output.t, loss))
        for exchange_id in loss.exchanges:
            output.say("loss.exchange", exchange_id=exchange_id)
        signed = signed_approval(output, officer, bundle, key, lambda: loss_act(force, document, officer, clock.now()))
    except PolicyRefused as refused:
        return refuse(output, refused)
    write_public(out, signed)
    output.result({"holds": True, "approval": out, "subject": sha256(document).hexdigest(), "officer": officer})
    output.say("policy.approved", path=out)
    return Exit.HOLDS
