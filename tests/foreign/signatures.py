"""Who signed what: the second half of verify.py, from docs/formats.md alone; imports nothing of Passerelle.

Everything here returns if it holds, and raises whatever it trips over if not.
"""

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET  # noqa: TID251  a stranger has no parser of ours

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

HALF_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2  # of P-256
EKU = {"tls": "1.3.6.1.5.5.7.3.2", "signing": "1.3.6.1.5.5.7.3.36"}
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=64), hashes.SHA512()
FREE = re.compile(r'"@method";req|"signature-input";req;key="[a-z*][a-z0-9*_.-]*"')  # what C6 lets be covered
REQUEST = {"To", "Action", "MessageID", "Timestamp"}
ANSWER = {"Action", "MessageID", "Timestamp", "RelatesTo", "SignatureConfirmation"}
CANONICAL: Any = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False, "allow_nan": False}
DS = "{http://www.w3.org/2000/09/xmldsig#}"
EARLY = {"v", "kind", "exchange_id", "received_at", "party", "reason", "nonce", "answer"}
WHOLE = {"v", "kind", "exchange_id", "received_at", "operation", "contract", "agreement", "purpose", "policy"}
WHOLE |= {"parties", "subjects", "fields", "outcome", "request", "upstream", "answer"}


def need(holds: object, what: str) -> None:
    if not holds:
        raise ValueError(what)


def b64(text: str) -> bytes:
    need(base64.b64encode(data := base64.b64decode(text)).decode() == text, "base64 not canonical")
    return data


def moment(text: str) -> datetime:
    need(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text), "a time in another form")
    return datetime.fromisoformat(text)


def signed(key: Any, value: bytes, data: bytes, *, soap: bool = False) -> str:
    """The name of the key's algorithm, once the signature holds."""
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 3072:
        key.verify(value, data, *((padding.PKCS1v15(), hashes.SHA256()) if soap else PSS))
        return "rsa-pss-sha512"
    if isinstance(key, ed25519.Ed25519PublicKey) and not soap:
        key.verify(value, data)
        return "ed25519"
    need(len(value) == 64 and key.curve.name == "secp256r1", "a key that must not sign")
    numbers = int.from_bytes(value[:32]), int.from_bytes(value[32:])
    key.verify(utils.encode_dss_signature(*numbers), data, ec.ECDSA(hashes.SHA256()))
    return "ecdsa-p256-sha256"


def lines(base: str, certificate: str) -> tuple[dict[str, str], str, dict[str, str]]:
    """A signature base under that certificate: components, the parameters as written, and by name."""
    *rows, (last, written) = [row.partition(": ")[::2] for row in base.split("\n")]
    match = re.fullmatch(r'\((.*)\)((?:;[a-z]+=(?:\d+|"[^"\\]*"))+)', written) or [""] * 3
    whole = last == '"@signature-params"' and match[1] == " ".join(name for name, _ in rows)
    given = {name: value.strip('"') for name, value in (item.split("=", 1) for item in match[2][1:].split(";"))}
    need(whole and len(dict(rows)) == len(rows) and given["tag"] == "passerelle", "not a base")
    keyid = base64.urlsafe_b64encode(bytes.fromhex(certificate)).decode()[:43]
    need(given["keyid"] == keyid, "of another key")
    return dict(rows), written, given


def xml(data: bytes) -> ET.Element:
    need(b"<!" not in data, "no markup of this kind is canonical")
    return ET.fromstring(data)  # noqa: S314  signed by a party of the log, and without a DTD


def ledger_leaf(leaf: bytes) -> str:
    return base64.b64encode(sha256(b"\x00" + leaf).digest()).decode()


class Signatures:
    """The signatures of one log: its objects by hash, the auditor's roots, and what may stand only once."""

    def __init__(self, objects: Mapping[str, bytes], roots: Path) -> None:
        self.objects, self.roots = objects, roots
        self.seen: set[object] = set()
        self.due: set[object] = set()

    def once(self, *key: object) -> None:
        need(key not in self.seen, f"stands twice: {key[0]}")
        self.seen.add(key)

    def exchange(self, said: Any, policy: tuple[str, str], leaf: bytes, at: datetime) -> None:
        """The caller's signature and the upstream's; of a request whose salt was not proven there are none (C6)."""
        received = moment(said["received_at"])
        need(-60 <= (at - received).total_seconds() <= 300, "received at another time than its leaf's")
        if "request" not in said:
            need(said.keys() == EARLY and said["kind"] == "refusal", "an early refusal of another form")
            return
        need(said.keys() - {"acknowledges"} == WHOLE, "evidence of another form")
        need((said["policy"], said["parties"]["gateway"]) == policy, "under another policy")
        self.request(said, said["request"], received)
        upstream, outcomes = said["parties"]["upstream"], [attempt["outcome"] for attempt in said["upstream"]]
        need("answered" not in outcomes[:-1] and said["fields"] == sorted(set(said["fields"])), "told twice")
        need(said["kind"] == "refusal" or not upstream or "answered" in outcomes, "released without an answer")
        for attempt in said["upstream"]:
            asked = moment(attempt["at"])
            within = (asked - received).total_seconds() >= -60 and (asked - at).total_seconds() <= 60
            need(within, "an attempt outside its exchange")
            self.attempt(attempt, policy[1], upstream)
        need(said["contract"]["sha256"] in self.objects, "no contract")
        if said["kind"] == "exchange":
            need(said["outcome"] == "released" and 200 <= said["answer"]["status"] < 300, "not released")
            self.seen.add(("answer", said["parties"]["caller"], said["exchange_id"], ledger_leaf(leaf)))

    def answer(self, said: Any, gateway: str, signature: tuple[str, bytes], leaf: bytes, at: datetime) -> None:
        """The answer covers evidence's answer, its leaf, and its request; signed by the gateway, with a low s."""
        base, value = signature
        answer, request = said["answer"], said.get("request")
        values, given = lines(base, answer["signing"]["sha256"])[::2]
        expected = {'"@status"': str(answer["status"]), '"content-digest"': answer["content_digest"]}
        expected |= {'"exchange-id"': said["exchange_id"], '"ledger-leaf"': ledger_leaf(leaf)}
        if request is None:
            free = {name for name in values if FREE.fullmatch(name)}
            whose = [values[name] for name in free - {'"@method";req'}] if said["nonce"] else []
            need(all(f'nonce="{said["nonce"]}"' in one for one in whose), "another request's nonce")
            need('"@method";req' in free and len(free) < 3, "the answer covers of the request what it must not")
            expected |= {name: values[name] for name in free}
        else:
            asked, label = lines(request["base"], request["signing"]["sha256"])[0], request["label"]
            names = ('"@method"', '"@target-uri"', '"content-digest"')
            expected |= {f"{name};req": asked[name] for name in names if name in asked}
            expected[f'"signature";req;key="{label}"'] = f":{request['signature']}:"
            expected[f'"signature-input";req;key="{label}"'] = request["parameters"]
        by = datetime.fromisoformat(values.pop('"ledger-by"'))
        need(values == expected, "the answer covers something else")
        need(given.keys() == {"created", "keyid", "tag"}, "other parameters")
        need(said["kind"] == "exchange" or answer["status"] >= 400, "a refusal with the status of an answer")
        need(by >= at.replace(microsecond=0) and abs(int(given["created"]) - at.timestamp()) <= 60, "at another time")
        key = self.certificate(answer["signing"], "signing", gateway, at)
        need(signed(key, value, base.encode()) == "ecdsa-p256-sha256", "not the gateway's kind of key")
        need(int.from_bytes(value[32:]) <= HALF_ORDER, "a high s")

    def request(self, said: Any, request: Any, received: datetime) -> None:
        values, written, given = lines(request["base"], request["signing"]["sha256"])
        claimed = (said["agreement"], said["purpose"], request["content_digest"], request["parameters"])
        names = ('"exchange-agreement"', '"exchange-purpose"', '"content-digest"')
        need(
            (*(values.get(name) for name in names), written) == claimed, "evidence says something else than was signed"
        )
        need(-300 <= int(given["created"]) - received.timestamp() <= 30, "created at another time")
        self.once("nonce", given["keyid"], given["nonce"])
        caller = said["parties"]["caller"]
        self.certificate(request["tls"], "tls", caller, received)
        key = self.certificate(request["signing"], "signing", caller, received)
        algorithm = signed(key, b64(request["signature"]), request["base"].encode())
        need(algorithm == request["algorithm"], "another algorithm")
        need(int(given.get("expires") or 1 << 40) > received.timestamp(), "expired")
        if "acknowledges" in said:
            known = said["acknowledges"]
            body = json.dumps({name: known[name] for name in ("answer_digest", "handle", "ledger_leaf")}, **CANONICAL)
            digest = f"sha-256=:{base64.b64encode(sha256(body.encode()).digest()).decode()}:"
            at_path = values['"@target-uri"'].endswith(f"/v1/exchanges/{known['exchange_id']}/acknowledgement")
            need(digest == request["content_digest"] and at_path, "acknowledges something else than was signed")
            if said["kind"] == "exchange":
                # due at the end: it may stand before its exchange, since tree order is not that of time
                # what else it says is the caller's word: one that differs is a dispute, and the log holds
                self.due.add(("answer", caller, known["exchange_id"], known["ledger_leaf"]))

    def attempt(self, attempt: Any, gateway: str, upstream: str) -> None:
        at, answer = moment(attempt["at"]), attempt["answer"]
        need((answer is not None) == (attempt["outcome"] == "answered"), "an answer where there is none")
        asked = self.message(attempt["request"], gateway, at)
        need(asked.keys() >= REQUEST, "our message signs too little")
        self.once("MessageID", asked["MessageID"].text)
        if answer is not None:
            heard = self.message(answer, upstream, at)
            need(heard.keys() >= ANSWER, "their message signs too little")
            confirmed = b64(heard["SignatureConfirmation"].get("Value") or "")
            need(heard["RelatesTo"].text == asked["MessageID"].text, "an answer to another message")
            need(confirmed == b64(attempt["request"]["signature"]), "an answer that confirms another request")

    def message(self, part: Any, party: str, at: datetime) -> dict[str, ET.Element]:
        """The header blocks that a SOAP message signed, by their names without namespace; the Body is not kept."""
        info, kept = b64(part["signed_info"]), {name: b64(text) for name, text in part["headers"].items()}
        signed(self.certificate(part["signing"], "signing", party, at), b64(part["signature"]), info, soap=True)
        references = xml(info).findall(f"{DS}Reference")
        digests = {(one.get("URI") or "")[1:]: b64(one.findtext(f"{DS}DigestValue") or "") for one in references}
        need(len(digests.keys() - kept.keys()) == 1 and len(references) == len(kept) + 1, "signs other parts")
        need(all(digests[name] == sha256(block).digest() for name, block in kept.items()), "a block that differs")
        blocks = {(root := xml(block)).tag.partition("}")[2]: root for block in kept.values()}
        created, expires = (datetime.fromisoformat(one.text or "") for one in blocks["Timestamp"])
        need(0 < (expires - created).total_seconds() <= 300, "a timestamp of another span")
        need(abs((created - at).total_seconds()) <= 420, "a message of another time")
        return blocks

    def certificate(self, proof: Any, use: str, party: str, at: datetime) -> Any:
        """The key of a certificate that leads to the party's root, good for this use and not revoked at that time."""
        path = [x509.load_der_x509_certificate(self.objects[name]) for name in (proof["sha256"], *proof["chain"])]
        lists = [x509.load_der_x509_crl(self.objects[name]) for name in proof["revocation"]]
        usage = path[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        need([item.dotted_string for item in usage] == [EKU[use]], "a key for another use")
        roots = (self.roots / f"{party}.pem").read_bytes()
        need(path[-1] in x509.load_pem_x509_certificates(roots), "another root")
        need(all(one.not_valid_before_utc <= at < one.not_valid_after_utc for one in path), "not valid then")
        for one, issuer in pairwise(path):
            one.verify_directly_issued_by(issuer)
            need(issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca, "issued by no authority")
            theirs, key = [crl for crl in lists if crl.issuer == issuer.subject], issuer.public_key()
            crls = [crl for crl in theirs if crl.is_signature_valid(key)]  # type: ignore[arg-type]  # or it raises
            need(any((crl.next_update_utc or at) > at for crl in crls), "no fresh revocation list")
            need(not any(crl.get_revoked_certificate_by_serial_number(one.serial_number) for crl in crls), "revoked")
        return path[0].public_key()
