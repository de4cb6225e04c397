"""`passerelle explain`: the signature base of a saved request, and what is wrong with its signature, in words."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.cli.common import find_config, settings_of
from gateway.cli.output import Exit
from gateway.client.party import PartyFolder
from gateway.errors import ConfigurationError
from gateway.messages.table import load_table
from gateway.signing.compare import compare_bases
from gateway.signing.explain import Explainer, NamedCertificate
from gateway.signing.saved import SavedRequest, SavedRequestError, parse_saved
from gateway.system import SystemClock

if TYPE_CHECKING:
    from gateway.cli.output import Output
    from gateway.signing.compare import Difference
    from gateway.signing.explain import Explanation, Trouble


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says beside the file.

    Attributes:
        party: a party's folder, or its name in the development set-up.
        config: the gateway's passerelle.toml, whose signers are then known.
        certificate: a PEM file with the signing certificate.
        origin: how the gateway is addressed; else the party's, the configuration's, the Host header's.
        base: a file with the client's own signature base.
        body: a file with the body, where it was saved apart.
        at: when the request arrived, RFC 3339.
    """

    party: str | None = None
    config: Path | None = None
    certificate: Path | None = None
    origin: str | None = None
    base: Path | None = None
    at: str | None = None
    body: Path | None = None


def explain(output: Output, file: Path, asked: Asked) -> Exit:
    """Exit 0 when the signature holds, 1 when not, 2 when that cannot be said: no certificate, or no request."""
    try:
        saved = parse_saved(_read(file), None if asked.body is None else _read(asked.body))
    except SavedRequestError as error:
        why = output.t(f"explain.unusable.{error.reason}")
        raise ConfigurationError("request_unusable", path=file, detail=why) from None
    origin, certificates = _surroundings(asked, saved)
    at = SystemClock().now() if asked.at is None else _moment(asked.at)
    explanation = Explainer(origin, certificates, at, arrived=asked.at is not None).explain(saved)
    theirs = None if asked.base is None else _read(asked.base)
    difference = None if theirs is None or explanation.base is None else compare_bases(explanation.base, theirs)
    code = _code(explanation, difference)
    output.result(_as_json(output, explanation, difference, origin, code))
    if not output.as_json:
        _show(output, explanation, origin, tried=bool(certificates))
        if theirs is not None and explanation.base is not None:
            _show_difference(output, difference)
        output.console.print(_verdict(output, explanation), markup=False)
    return code


def _code(explanation: Explanation, difference: Difference | None) -> Exit:
    if any(not trouble.note for trouble in explanation.troubles) or difference is not None:
        return Exit.REFUSED
    # nothing is wrong that could be seen; without a certificate that is no "holds"
    return Exit.HOLDS if explanation.holds else Exit.USAGE


def _surroundings(asked: Asked, saved: SavedRequest) -> tuple[str, list[NamedCertificate]]:
    origin: str | None = None
    certificates: list[NamedCertificate] = []
    if asked.config is not None:
        _, settings = settings_of(asked.config)
        origin = settings.listen.origin
        found = sorted(settings.folders.signers.glob("*.pem"))
        certificates += [_certificate(path, path.name.partition(".")[0]) for path in found]
    if asked.party is not None:
        party = PartyFolder.load(_party_folder(asked.party, asked.config))
        origin = party.origin
        certificates.insert(0, _certificate(party.folder / "signing.pem", party.name))
    if asked.certificate is not None:
        certificates = [_certificate(asked.certificate, str(asked.certificate))]
    host = saved.headers.get("host")
    chosen = asked.origin or origin or (None if host is None else f"https://{host}")
    if chosen is None:
        raise ConfigurationError("no_origin")
    return chosen.rstrip("/"), certificates


def _party_folder(named: str, config: Path | None) -> Path:
    # a name is of the development set-up, a path says itself where it is
    return Path(named) if "/" in named else find_config(config).parent / "sandbox" / "parties" / named


def _certificate(path: Path, name: str) -> NamedCertificate:
    try:
        certificate = x509.load_pem_x509_certificate(_read(path))
    except ValueError:
        raise ConfigurationError("certificate_missing", path=path) from None
    return NamedCertificate(name, certificate.public_bytes(Encoding.DER))


def _read(path: Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError("not_a_time", text=text) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _verdict(output: Output, explanation: Explanation) -> str:
    """What the gateway would answer, in one line; of the signature only, for it asks for more than that."""
    refusal = explanation.refusal
    if refusal is not None:
        where = f" ({refusal.component})" if refusal.component else ""
        return output.t("explain.verdict.refused", code=refusal.code, where=where)
    if not explanation.holds:
        return output.t("explain.verdict.unknown")
    aged = next((trouble for trouble in explanation.troubles if trouble.code is not None), None)
    if aged is not None:
        return output.t("explain.verdict.aged", code=aged.code, where=f" ({aged.component})")
    return output.t("explain.verdict.accepted")


def _words(output: Output, trouble: Trouble) -> str:
    rows = load_table()
    title = rows[trouble.code].title[output.t.language] if trouble.code is not None else ""
    return output.t(f"explain.trouble.{trouble.key}", component=trouble.component, title=title, **dict(trouble.values))


def _as_json(
    output: Output, explanation: Explanation, difference: Difference | None, origin: str, code: Exit
) -> dict[str, object]:
    mistake = explanation.mistake
    return {
        "holds": code is Exit.HOLDS,
        "origin": origin,
        "base": None if explanation.base is None else explanation.base.decode("ascii"),
        "lines": [
            {"component": line.component, "value": line.value, "source": line.source} for line in explanation.lines
        ],
        "troubles": [
            {
                "key": trouble.key,
                "code": trouble.code,
                "component": trouble.component,
                "note": trouble.note,
                "text": _words(output, trouble),
            }
            for trouble in explanation.troubles
        ],
        "answer": None if explanation.refusal is None else explanation.refusal.code,
        "verdict": _verdict(output, explanation),
        "keyid": explanation.keyid,
        "signer": explanation.signer,
        "verified": explanation.verified,
        "mistake": None
        if mistake is None
        else {
            "component": mistake.component,
            "key": mistake.key,
            "signed_instead": mistake.theirs,
            "text": output.t(f"explain.mistake.{mistake.key}"),
        },
        "difference": None
        if difference is None
        else {
            "component": difference.component,
            "key": difference.key,
            "ours": difference.ours,
            "theirs": difference.theirs,
        },
    }


def _show(output: Output, explanation: Explanation, origin: str, *, tried: bool) -> None:
    if explanation.lines:
        output.say("explain.base", origin=origin)
    for line in explanation.lines:
        source = output.t(f"explain.source.{line.source}")
        value = "—" if line.value is None else line.value
        output.say("explain.line", component=line.component, value=value, source=source)
    output.console.print()
    for trouble in explanation.troubles:
        output.say("explain.note" if trouble.note else "explain.wrong", text=_words(output, trouble))
    if explanation.signer is not None:
        output.say("explain.signer", name=explanation.signer)
    if explanation.verified:
        output.say("explain.verified")
    elif explanation.verified is None and explanation.base is not None and not tried:
        output.say("explain.not_tried")
    mistake = explanation.mistake
    if mistake is not None:
        output.say("explain.likely", component=mistake.component, text=output.t(f"explain.mistake.{mistake.key}"))
        if mistake.theirs is not None:
            output.say("explain.signed_instead", line=mistake.theirs)
    elif explanation.verified is False:
        output.say("explain.no_guess")


def _show_difference(output: Output, difference: Difference | None) -> None:
    if difference is None:
        output.say("explain.same_base")
        return
    text = output.t(f"explain.difference.{difference.key}", component=difference.component)
    output.say("explain.wrong", text=text)
    if difference.ours is not None:
        output.say("explain.ours", line=difference.ours)
    if difference.theirs is not None:
        output.say("explain.theirs", line=difference.theirs)
