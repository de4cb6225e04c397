"""On an officer's machine, where no gateway is: a key of one's own, and one's signature under a policy (P1)."""

from __future__ import annotations

import re
import sys
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import typer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from certs.files import write_private, write_public
from gateway.cli.output import Exit
from gateway.cli.policy_files import policy_file
from gateway.cli.policy_words import refuse, say_changes, warn_of_few
from gateway.errors import ConfigurationError
from gateway.ledger.sealing import new_period_key
from gateway.policy.acts import Act, ActKind, Approval
from gateway.policy.judge import InForce, check_proposal, read_proposal
from gateway.policy.officer_keys import officer_key_text
from gateway.policy.reasons import PolicyRefused, Reason

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from gateway.cli.officer_keys import OfficerSigner
    from gateway.cli.output import Output
    from gateway.policy.bundle import Bundle
    from gateway.ports import Clock

_PERIOD = re.compile(r"[0-9]{4}(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an officer asks for.

    Attributes:
        policy: the file of the policy that is proposed.
        officer: the officer's name in the policy in force.
        against: the file of the policy in force, to say what changes; None where it is not at hand.
        out: the file to write the approval to; None for a name beside the policy's.
        recovery: whether this is an officer of last resort, who replaces the officers.
    """

    policy: Path
    officer: str
    against: Path | None = None
    out: Path | None = None
    recovery: bool = False


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is signed; ``keys`` are those that count for it, None where the policy in force was not given."""

    bundle: Bundle
    sha256: str
    previous: str
    keys: dict[str, str] | None


def approve(output: Output, asked: Asked, key: AbstractContextManager[OfficerSigner], clock: Clock) -> Exit:
    """Shows what is signed, signs it, writes the approval; raises ConfigurationError, KeystoreError."""
    out = asked.out or asked.policy.with_name(f"{asked.policy.stem}.{asked.officer}.approval")
    if out.exists():
        raise ConfigurationError("exists_already", path=out)
    content = policy_file(asked.policy)
    try:
        subject = _shown(output, asked, content)
        with key as signer:
            _check_officer(asked.officer, subject, signer)
            if sys.stdin.isatty() and not output.as_json:
                typer.confirm(output.t("policy.sign_question"), abort=True)
            act = Act(
                kind=ActKind.RECOVERY if asked.recovery else ActKind.POLICY,
                origin=subject.bundle.origin,
                subject=subject.sha256,
                version=subject.bundle.version,
                previous=subject.previous,
                officer=asked.officer,
                at=clock.now(),
            )
            document = Approval(act, signer.sign(act.text())).document()
    except PolicyRefused as refused:
        return refuse(output, refused)
    write_public(out, document)
    output.result({"holds": True, "approval": out, "subject": subject.sha256, "officer": asked.officer})
    output.say("policy.approved", path=out)
    return Exit.HOLDS


def new_officer(output: Output, name: str, out: Path) -> None:
    """Makes a key that stays with its officer, and prints the line for the bundle; overwrites nothing."""
    if out.exists():
        raise ConfigurationError("exists_already", path=out)
    public = make_officer_key(out)
    output.result({"officer": name, "key": out, "public": public})
    output.say("policy.officer_made", path=out)
    output.say("policy.officer_line", name=name, public=public)


def new_period(output: Output, period: str, folder: Path) -> None:
    """Makes the key of a month (YYYYMM), base64 and 0600, and its public side, raw; overwrites nothing."""
    if not _PERIOD.fullmatch(period):
        raise ConfigurationError("period_malformed", period=period)
    paths = [folder / f"{period}.{kind}" for kind in ("key", "pub")]
    for path in paths:
        if path.exists():
            raise ConfigurationError("exists_already", path=path)
    private, public = new_period_key()
    write_private(paths[0], b64encode(private) + b"\n")
    write_public(paths[1], public)
    digest = sha256(public).hexdigest()
    output.result({"period": period, "key": paths[0], "public": paths[1], "sha256": digest})
    output.say("policy.period_made", folder=folder, period=period, sha256=digest)


def new_apart(output: Output, folder: Path) -> None:
    """Makes the officers' key for what is sealed apart (C5), both sides named by its hash."""
    private, public = new_period_key()
    digest = sha256(public).hexdigest()
    paths = [folder / f"{digest}.{kind}" for kind in ("key", "pub")]
    write_private(paths[0], b64encode(private) + b"\n")
    write_public(paths[1], public)
    output.result({"key": paths[0], "public": paths[1], "sha256": digest})
    output.say("policy.apart_made", folder=folder, sha256=digest)


def make_officer_key(path: Path) -> str:
    """Writes an Ed25519 key, 0600; gives its public side as a bundle writes it."""
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(path, pem)
    return officer_key_text(key.public_key())


def _shown(output: Output, asked: Asked, content: bytes) -> _Subject:
    """What will be signed, once its reader was told what it is; raises PolicyRefused."""
    bundle, digest = read_proposal(content)
    if bundle.previous is None:
        raise PolicyRefused(Reason.PREVIOUS_DIFFERS, previous=None, expected=None)
    output.say("policy.signing", version=bundle.version, origin=bundle.origin, officer=asked.officer, sha256=digest)
    keys = None
    if asked.against is not None:
        current, name = read_proposal(policy_file(asked.against))
        proposed = check_proposal(InForce(current, name, current.validity.since), content)
        if asked.recovery and not proposed.only_officers:
            raise PolicyRefused(Reason.RECOVERY_CHANGES_MORE)
        keys = current.officers.recovery if asked.recovery else current.officers.keys
        say_changes(output, proposed.changes)
        if asked.recovery:
            output.say("policy.recovery_delay", hours=current.officers.recovery_delay_hours or 0)
        else:
            key = "policy.delay" if proposed.widens else "policy.at_once"
            output.say(key, hours=current.officers.widening_delay_hours)
    else:
        output.say("policy.no_comparison", previous=bundle.previous)
    warn_of_few(output, bundle)
    return _Subject(bundle, digest, bundle.previous, keys)


def _check_officer(name: str, subject: _Subject, signer: OfficerSigner) -> None:
    # Without the policy in force nothing can be said here; `activate` says it.
    if subject.keys is not None and subject.keys.get(name) != signer.public():
        raise PolicyRefused(Reason.APPROVAL_NOT_BY_OFFICER, officer=name)
