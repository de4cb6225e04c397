"""On an officer's machine, where no gateway is: one's signature under a destruction (L9)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from certs.files import write_public
from gateway.cli.officer_signature import signed_approval
from gateway.cli.output import Exit
from gateway.cli.policy_files import approval_file, policy_file
from gateway.cli.policy_words import local, refuse
from gateway.errors import ConfigurationError
from gateway.policy.destruction import check_due, destruction_act
from gateway.policy.judge import InForce, read_proposal
from gateway.policy.reasons import PolicyRefused

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
    """Shows what would be destroyed, signs it, writes the approval; raises ConfigurationError, KeystoreError."""
    out = out or file.with_name(f"{file.stem}.{officer}.approval")
    if out.exists():
        raise ConfigurationError("exists_already", path=out)
    document, now = approval_file(file), clock.now()
    try:
        bundle, name = read_proposal(policy_file(policy))
        force = InForce(bundle, name, bundle.validity.since)
        what = check_due(force, document, now)
        values = {"period": what.period, "first": what.first, "end": what.end, "due": local(what.due)}
        output.say("retention.signing", officer=officer, origin=what.origin, version=bundle.version, **values)
        signed = signed_approval(
            output, officer, bundle, key, lambda: destruction_act(force, document, officer, clock.now())
        )
    except PolicyRefused as refused:
        return refuse(output, refused)
    write_public(out, signed)
    output.result({"holds": True, "approval": out, "subject": sha256(document).hexdigest(), "officer": officer})
    output.say("policy.approved", path=out)
    return Exit.HOLDS
