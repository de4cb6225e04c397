"""A second verifier of a log, from docs/formats.md alone: ``python verify.py LOG TRUST`` says ``holds``, or exits 1.

A script to read from top to bottom; imports nothing of Passerelle. What does not hold raises; the traceback shows it.
YAML beyond a line of policy or contract, all that an upstream's REST base covers, the timestamps' own signatures,
whatever officers say of policies and destructions, auditors and callers later: these stay the audit's.
"""

import base64
import hmac
import json
import re
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from struct import pack, unpack
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET  # noqa: TID251  canonical blocks, refused where they hold a declaration

from cryptography import x509
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, padding, utils, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store

KINDS = ["", "exchange", "refusal", "intent", "opening", "void", "closing", "genesis", "policy", "anchor"]
KINDS += ["destruction", "handover", "delivery"]
SEALED = (1, 2, 3, 11, 12)
ERASED = r"passerelle-destruction/v1\norigin (.*)\nperiod (\d{6})\nfirst (\d+)\nend (\d+)\ndue (.{27})\nverdict (.*)\n"
RECOVERED = (
    r"passerelle-recovery/v1\norigin (.*)\n(size (\d+)\nroot (\S{64})\n)database \d+\nwaiting (\d+)\n"
    r"(since (\S{27})\nuntil (\S{27})\n)(?:writer \S{36} \d+ \d+\n)*"
)
LOST = (
    r"passerelle-loss/v1\norigin (.*)\nrecovery (\S{64})\n(size \d+\nroot \S{64}\nsince \S{27}\nuntil \S{27}\n)"
    r"reason (?:database-lost|database-damaged|machine-lost|other)\n((?:exchange \S{36}\n)*)"
)
ACT = r"(passerelle-act/v1\nact loss\norigin (?:.*\n){4}officer (.*)\nat (.*)\n)\nsignature (.*)\n"
AUDITED = re.compile(r"passerelle-verdict/v1\nverdict holds\norigin (.*)\nfirst (\d+)\nend (\d+)\n")
FULL = "agreement answer contract exchange_id fields kind operation outcome parties policy purpose received_at request"
FULL = f"{FULL} subjects upstream v"  # the members of evidence, as canonical JSON sorts them
EARLY = "answer exchange_id kind nonce party reason received_at v"
REPEATED = ('"@method"', '"@target-uri"', '"content-digest"')  # what an answer covers of its request
FREE = re.compile(r'^("@method";req|"signature-input";req;key="[a-z*][a-z0-9*_.-]*"): (.*)$', re.MULTILINE)  # C6
CLAIMED = ('"exchange-agreement"', '"exchange-purpose"', '"content-digest"')
WSS, DS = "http://docs.oasis-open.org/wss/", "{http://www.w3.org/2000/09/xmldsig#}"
WSA, WSU = "http://www.w3.org/2005/08/addressing", f"{WSS}2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
BLOCKS = {WSA: "To Action MessageID RelatesTo ReplyTo", WSU: "Timestamp"}
BLOCKS |= {"urn:passerelle:exchange:v1": "Exchange-Agreement Exchange-Purpose Exchange-Id Ledger-Leaf Ledger-By"}
BLOCKS["urn:passerelle:exchange:v1"] += " Idempotency-Key"
BLOCKS |= {f"{WSS}2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd": "BinarySecurityToken"}
BLOCKS |= {f"{WSS}oasis-wss-wssecurity-secext-1.1.xsd": "SignatureConfirmation"}
NAMES = {f"{{{space}}}{name}": name for space, names in BLOCKS.items() for name in names.split()}
C14N, SHA256 = "http://www.w3.org/2001/10/xml-exc-c14n#", "http://www.w3.org/2001/04/xmlenc#sha256"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
METHODS = {f"{MORE}ecdsa-sha256": "ecdsa-p256-sha256", f"{MORE}rsa-sha256": "rsa-v1_5-sha256"}
ASKED = {"Body", "Timestamp", "To", "Action", "MessageID"}  # what a SOAP request signs; an answer; of ours, beside
SAID = {"Body", "Timestamp", "Action", "MessageID", "RelatesTo", "SignatureConfirmation"}
TERMS, PLACE = {"Exchange-Agreement", "Exchange-Purpose"}, {"Exchange-Id", "Ledger-Leaf", "Ledger-By"}
ATTRIBUTES = {"Id", "mustUnderstand", "EncodingType", "ValueType"}  # no others in a caller's blocks
ID = re.compile("[A-Za-z_][A-Za-z0-9._-]{0,99}")  # of a caller's blocks and Body
MESSAGE_ID = re.compile("urn:uuid:[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
TLS, SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.2"), x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
SKEW, MINUTE = timedelta(seconds=30), timedelta(minutes=1)
TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
PSS = [padding.PSS(padding.MGF1(hashes.SHA512()), 64), hashes.SHA512()]
HOW: Any = {"ecdsa-p256-sha256": [ec.ECDSA(hashes.SHA256())], "rsa-pss-sha512": PSS, "ed25519": []}
HOW["rsa-v1_5-sha256"] = [padding.PKCS1v15(), hashes.SHA256()]
P256, HALF = ec.SECP256R1(), ec.SECP256R1().group_order // 2  # a signature's s is in the lower half
SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
ANY = ExtensionPolicy.permit_all()
ISSUER = ANY.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)


def need(*holds: object) -> None:
    if not all(holds):
        raise ValueError("does not hold")


def b64(text: str) -> bytes:
    need(base64.b64encode(data := base64.b64decode(text)).decode() == text)
    return data


def split(data: bytes, width: int) -> list[bytes]:
    """The parts of a bundle or record, each after its length."""
    end = width + int.from_bytes(data[:width])
    need(end <= len(data) or not data)
    return [data[width:end], *split(data[end:], width)] if data else []


def root(nodes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, of leaf hashes."""
    half = 1 << (len(nodes) - 1).bit_length() - 1 if len(nodes) > 1 else 0
    return sha256(b"\x01" + root(nodes[:half]) + root(nodes[half:])).digest() if half else nodes[0]


def tiles(name: str, count: int) -> Iterator[tuple[str, slice]]:
    """The files of a level that has so many nodes, and which of them is where."""
    for at in range(0, count, 256):
        path = re.sub("(...)(?=...)", r"x\1/", f"{at // 256:0{(len(str(at // 256)) + 2) // 3 * 3}}")
        yield f"{name}/{path}" + (f".p/{count - at}" if count - at < 256 else ""), slice(at, min(at + 256, count))


def signed(party: str, proof: Any, at: datetime, how: str = "", value: bytes = b"", data: bytes = b"") -> None:
    """By a key that leads to the party's root, for signing or else for TLS, and was not revoked at that time."""
    path = [x509.load_der_x509_certificate(objects[name]) for name in (proof["sha256"], *proof["chain"])]
    roots = Store(x509.load_pem_x509_certificates((TRUST / f"roots/{party}.pem").read_bytes()))
    policy = PolicyBuilder().store(roots).time(at).extension_policies(ca_policy=ISSUER, ee_policy=ANY)
    need(policy.build_client_verifier().verify(path[0], path[1:]).chain == path)
    need([*path[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value] == [SIGNING if how else TLS])
    for one, issuer in pairwise(path):
        key: Any = issuer.public_key()
        lists = [x509.load_der_x509_crl(objects[name]) for name in proof["revocation"]]
        lists = [crl for crl in lists if crl.issuer == issuer.subject and crl.is_signature_valid(key)]
        need(any((crl.next_update_utc or at) > at for crl in lists))
        need(not any(crl.get_revoked_certificate_by_serial_number(one.serial_number) for crl in lists))
    if how:
        key, numbers = path[0].public_key(), (int.from_bytes(value[:32]), int.from_bytes(value[32:]))
        need(getattr(key, "key_size", 0) >= 3072 or len(value) == 64, getattr(key, "curve", P256).name == P256.name)
        key.verify(utils.encode_dss_signature(*numbers) if how.startswith("ecdsa") else value, data, *HOW[how])


def soap(party: str, part: Any, at: datetime, value: str) -> dict[str, Any]:
    """What a kept SOAP message signs, by name: texts, the Timestamp's two ends, the Body's digest."""
    info, *blocks = b64(part["signed_info"]), *(b64(block) for block in part["headers"].values())
    need(*(mark not in one for one in (info, *blocks) for mark in (b"<!", b"<?")))
    head, *elements = (ET.fromstring(one) for one in (info, *blocks))  # noqa: S314  see the import
    method = head[1].get("Algorithm", "")
    need(head.tag == f"{DS}SignedInfo", {one.get("Algorithm") for one in head.iter()} == {None, C14N, SHA256, method})
    need(part.get("algorithm", METHODS[method]) == METHODS[method], part.get("form", "soap11") in {"soap11", "soap12"})
    signed(party, part["signing"], at, METHODS[method], b64(value), info)
    digests = {one.get("URI"): one.findtext(f"{DS}DigestValue") for one in head[2:]}
    need(len(head) - 2 == len(digests) == len(blocks) + 1)
    found: dict[str, Any] = {}
    for name, block, element in zip(part["headers"], blocks, elements, strict=True):
        need(b64(digests.pop(f"#{name}") or "") == sha256(block).digest(), element.get(f"{{{WSU}}}Id") == name)
        found[NAMES.get(element.tag, element.tag)] = element.get("Value") or element.text
        need("form" not in part or {one.split("}")[-1] for one in element.attrib} <= ATTRIBUTES)
    [(name, found["Body"])] = digests.items()
    need("form" not in part or all(ID.fullmatch(one) for one in (str(name)[1:], *part["headers"])))
    [ends] = ([datetime.fromisoformat(end.text or "") for end in one] for one in elements if "}Timestamp" in one.tag)
    need(len(found) == len(elements) + 1, timedelta(0) < ends[1] - ends[0] <= timedelta(minutes=5))
    return found | {"Timestamp": ends}


def officers(policy: bytes) -> tuple[str, int, dict[str, str]]:
    """A bundle's version, and how many of which officers it asks for: their keys by name."""
    text = policy.decode()
    [version], [rest] = re.findall("(?m)^version: (.*)$", text), re.findall(r"(?m)^officers:\n((?: .*\n)+)", text)
    [least], [named] = re.findall("(?m)^  threshold: (.*)$", rest), re.findall(r"(?m)^  keys:\n((?:    .*\n)+)", rest)
    return version, int(least), dict(re.findall("(?m)^    (.*): (.*)$", named))


def approved(key: bytes, value: bytes, text: str) -> None:
    """By an officer's key: Ed25519's 32 bytes, or P-256's in DER."""
    if len(key) == 32:
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(value, text.encode())
    else:
        public: Any = load_der_public_key(key)
        need(int.from_bytes(value[32:]) <= HALF, len(value) == 64, public.curve.name == P256.name)
        rs = utils.encode_dss_signature(int.from_bytes(value[:32]), int.from_bytes(value[32:]))
        public.verify(rs, text.encode(), ec.ECDSA(hashes.SHA256()))


# 1  The files: all that the signed root asks for, and no other.
LOG, TRUST = (Path(name) for name in sys.argv[1:])
VKEY, GENESIS = ((TRUST / name).read_text().strip() for name in ("log.vkey", "genesis"))
ORIGIN, KEY_ID, KEY = VKEY.split("+", 2)
paths = [path for path in LOG.rglob("*") if path.is_symlink() or not path.is_dir()]
need(*(path.is_file() and not path.is_symlink() for path in paths))
files = {path.relative_to(LOG).as_posix(): path.read_bytes() for path in paths}
beside = {name.removeprefix("anchors/"): files.pop(name) for name in [*files] if name.startswith("anchors/")}
kept = [(int(name.split(".")[0]), note) for name, note in beside.items() if name.endswith(".checkpoint")]
size = int(files["checkpoint"].split(b"\n")[1])
notes = [(size, files.pop("checkpoint")), *kept]
notes += [(0, path.read_bytes()) for path in TRUST.glob("remembered-checkpoint")]
known = [line.split("+", 2) for path in TRUST.glob("witnesses.vkey") for line in path.read_text().split()]
quorum = [int(path.read_text()) for path in TRUST.glob("witnesses.k")]
leaves = [one for path, _ in tiles("tile/entries", size) for one in split(files.pop(path), 2)]
records = [one for path, _ in tiles("evidence", size) for one in split(files.pop(path), 4)]
leaf_hashes = nodes = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
for of, note in notes:
    form = rf"\A({ORIGIN}\n([1-9]\d*)\n(.*)\n)\n— {ORIGIN} (\S*)\n((?:— .*\n)*)\Z"
    [(text, count, top, line, more)] = re.findall(form, note.decode())
    value = b64(line)
    need(0 < int(count) <= size == len(nodes), root(nodes[: int(count)]) == b64(top), value[:4].hex() == KEY_ID)
    need(of in {0, int(count)})
    ed25519.Ed25519PublicKey.from_public_bytes(b64(KEY)[1:]).verify(value[4:], text.encode())
    cosigned = [(name, b64(said)) for name, said in re.findall("— (.*) (.*)\n", more)]
    for name, value in cosigned:
        [key] = [b64(key)[1:] for one, key_id, key in known if (one, key_id) == (name, value[:4].hex())]
        told = f"cosignature/v1\ntime {int.from_bytes(value[4:12])}\n{text}"
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(value[12:], told.encode())
    need(len({name for name, _ in cosigned}) == len(cosigned) >= max(quorum if note == notes[0][1] else [0], default=0))
for level in range(8):
    need(*[files.pop(path) == b"".join(nodes[at]) for path, at in tiles(f"tile/{level}", len(nodes))])
    nodes = [root(nodes[at - 256 : at]) for at in range(256, len(nodes) + 1, 256)]
objects = {sha256(data).hexdigest(): data for data in files.values()}
need(files.keys() == {f"objects/{name}" for name in objects})
keyids = {name: base64.urlsafe_b64encode(bytes.fromhex(name)).decode()[:43] for name in objects}

# 2  Each leaf, and the record behind it.
once, done, moments, intents = list[object](), list[tuple[UUID, str]](), list[datetime](), dict[UUID, str | None]()
keys: dict[UUID, AESGCM] = {}
policies: list[tuple[datetime, str]] = []
writers: dict[UUID, dict[int, datetime]] = {}
closed: dict[UUID, tuple[int, list[int]]] = {}
gone: list[tuple[int, int]] = []  # what is missing, and what officers destroyed, by period: both are known at the end
lawful: list[tuple[int, int, int]] = []
unnamed: dict[str, tuple[str, datetime]] = {}  # recoveries of which nobody has said what they lost
anchored, newest = 0, None  # up to which size the side files are named, and the newest timestamp among them
for index, (leaf, stored, node) in enumerate(zip(leaves, records, leaf_hashes, strict=True)):
    version, number, period, *ids, counter, time, bound = unpack(">BBI16s16sQ27s32s", leaf)
    exchange, writer = (UUID(bytes=one) for one in ids)
    kind, at = KINDS[number], datetime.fromisoformat(time.decode())
    need(version == 1, exchange.version == writer.version == 4, f"{at:%Y%m {TIME}}" == f"{period} {time.decode()}")
    once += [("exchange", number < 3, exchange), ("counter", writer, counter)]
    writers.setdefault(writer, {})[counter] = at
    moments.append(at)
    private = TRUST / f"periods/{period}.key"
    if number in SEALED and not stored:
        gone.append((period, index))
        continue
    if number in SEALED and writer not in keys and not private.exists():
        continue  # it stays sealed to those who hold the period's key
    plain = keys[writer].decrypt(pack(">IQ", 0, counter), stored, leaf) if number in SEALED else stored
    evidence, base, value = split(plain[32:], 4)
    said: Any = json.loads(evidence)
    again = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    need(hmac.digest(plain[:32], evidence, "sha256") == bound, again == evidence, number < 3 or not base + value)
    own = {"v": 1, "kind": kind, "exchange_id": str(exchange), "counter": counter, "period": period}
    own |= {"writer": said.get("writer") if kind == "closing" else str(writer), "origin": ORIGIN, "log_key": VKEY}
    need(*(repr(said.get(name, one)) == repr(one) for name, one in own.items()), (kind == "genesis") != bool(policies))
    if kind == "genesis" or said.get("act") == "activated":
        need(said.get("previous", GENESIS) == (policies[-1][1] if policies else said["policy"]))
        policies.append((at + timedelta(seconds=2), said["policy"]))  # until then the one before may be named
    asked = datetime.fromisoformat(said.get("received_at", time.decode()))
    policy = [policies[0][1], *(name for since, name in policies if since <= asked or name == said.get("policy"))][-1]
    if kind == "opening" and private.exists():
        need(any(f"'{period}': {said['period_key']}\n" in objects[name].decode() for _, name in policies))
        raw = b64(private.read_text().strip())
        pair = mlkem.MLKEM768PrivateKey.from_seed_bytes(raw[:64]), x25519.X25519PrivateKey.from_private_bytes(raw[64:])
        info = b"passerelle/v1/data-key\n" + writer.bytes + pack(">I", period)
        keys[writer] = AESGCM(SUITE.decrypt(b64(said["sealed_data_key"]), hpke.MLKEM768X25519PrivateKey(*pair), info))
    if kind == "closing":
        once.append(("closing", said["writer"]))
        closed[UUID(said["writer"])] = (said["highest"], said["missing"])
    if kind == "anchor":
        names = [name for name in beside if anchored < int(name.split(".")[0]) <= said["size"]]
        need(said["files"] == {name: sha256(beside[name]).hexdigest() for name in names})
        need(anchored < said["size"] <= index, said["previous"] == newest)
        tokens = [(int(name.split(".")[0]), name) for name in names if name.endswith(".tsr")]
        anchored, newest = said["size"], said["files"][max(tokens)[1]] if tokens else newest
    if kind == "policy":
        document, act, force = said.get("document", ""), said["act"], policies[-1]
        digest, parts = sha256(document.encode()).hexdigest(), ("policy", "version", "previous", "reason")
        need((act in {"recovered", "lost"}) == bool(document), not document or {said[one] for one in parts} == {None})
    if said.get("act") == "recovered":
        [(origin, tree, end, top, held, span, since, until)] = re.findall(rf"\A{RECOVERED}\Z", document)
        before = min(max(moments[: int(end)]) - timedelta(seconds=10), at)
        need(origin == ORIGIN, until == time.decode(), not said["approvals"], f"{before:{TIME}}" <= since <= until)
        need(anchored <= int(end) <= index <= int(end) + int(held), root(leaf_hashes[: int(end)]).hex() == top)
        unnamed[digest] = tree + span, at
    if said.get("act") == "lost":
        [(origin, first, span, lines)] = re.findall(rf"\A{LOST}\Z", document)
        need(origin == ORIGIN, unnamed.pop(first)[0] == span, (ids := lines.splitlines()) == sorted({*ids}))
        number, least, public = officers(objects[force[1]])
        acts = [re.findall(rf"\A{ACT}\Z", text)[0] for text in said["approvals"]]
        for text, officer, dated, value in acts:
            need(f"\norigin {ORIGIN}\nsubject {digest}\nversion {number}\nprevious {force[1]}\nofficer " in text)
            need(f"{force[0] - timedelta(seconds=2):{TIME}}" <= dated <= f"{at + MINUTE:{TIME}}")
            approved(b64(public[officer]), b64(value), text)
        need(len({officer for _, officer, *_ in acts}) == len(acts) >= least)
    if kind == "destruction":
        [(origin, month, first, end, due, verdict)] = re.findall(rf"\A{ERASED}\Z", said["document"])
        [(audited, since, until)] = re.findall(rf"\A{AUDITED.pattern}", said["verdict"])
        need(origin == audited == ORIGIN, sha256(said["verdict"].encode()).hexdigest() == verdict)
        need(int(since) <= int(first) < int(end) <= int(until), int(end) <= index, due <= time.decode())
        need(int(first) % 256 == int(end) % 256 == 0)
        subject = f"\nsubject {sha256(said['document'].encode()).hexdigest()}\n"
        need(said["approvals"], *(subject in one and "\nact destruction\n" in f"\n{one}" for one in said["approvals"]))
        lawful.append((int(month), int(first), int(end)))
    if kind not in {"exchange", "refusal"}:
        intents[exchange] = said.get("request", {}).get("signature")
        continue

    # 3  Who signed what: the caller its request, unless refused early; the gateway its answer, which covers this leaf.
    answer, request, ours = said["answer"], said.get("request"), base64.b64encode(node).decode()
    [gateway], keyid = re.findall("(?m)^gateway: (.*)$", objects[policy].decode()), keyids[answer["signing"]["sha256"]]
    by_soap = "form" in request if request else base[:1] == b"{"
    rows, terms = {}, [said.get("agreement"), said.get("purpose")]
    need(request is not None or " ".join(said) == EARLY)
    if request is not None:
        parties, signing, contract = said["parties"], request["signing"], said["contract"]
        need({*said} - {"acknowledges", "effect"} == {*FULL.split()}, contract["sha256"] in objects)
        done += [(exchange, request["signature"])] * ("effect" in said and bool(said["upstream"]))
        need(said["policy"] == policy, parties["gateway"] == gateway, said["fields"] == sorted({*said["fields"]}))
        need(kind == "refusal" or said["outcome"] == "released", said["upstream"] or not parties["upstream"])
        signed(parties["caller"], request["tls"], asked)
    if request and by_soap:
        heard = soap(parties["caller"], request, asked, request["signature"])
        need(ASKED | TERMS <= heard.keys() <= ASKED | TERMS | {"ReplyTo", "BinarySecurityToken", "Idempotency-Key"})
        need([heard[name] for name in sorted(TERMS)] == terms, MESSAGE_ID.fullmatch(heard["MessageID"]))
        created, expires = heard["Timestamp"]
        need(created - SKEW <= asked <= min(created + 5 * MINUTE, expires + SKEW))
        service, words = f"{contract['service']}/v{contract['version']}", re.findall("[a-z0-9]+", said["operation"])
        action = f"urn:passerelle:{service.replace('/', ':')}/{''.join(map(str.capitalize, words))}"
        need(re.fullmatch(rf"https://[a-z0-9.-]+(:\d+)?/soap/{re.escape(service)}", heard["To"]))
        need(heard["Action"] == action or b" soap: {" in objects[contract["sha256"]])
        once.append(("nonce", keyids[signing["sha256"]], heard["MessageID"]))
    elif request:
        label, data = request["label"], request["base"]
        values = dict(row.split(": ", 1) for row in data.split("\n"))
        given = dict(re.findall(r';([a-z]+)="?([^";]*)', written := values.pop('"@signature-params"')))
        need(written == request["parameters"], written.startswith(f"({' '.join(values)});"))
        need(data.count("\n") == len(values), given["tag"] == "passerelle", given["keyid"] == keyids[signing["sha256"]])
        need([values.get(name) for name in CLAIMED] == [*terms, request["content_digest"]])
        age, expires = asked.timestamp() - int(given["created"]), int(given.get("expires", 1 << 40))
        need(-30 <= age <= 300, expires > asked.timestamp())
        signed(parties["caller"], signing, asked, request["algorithm"], b64(request["signature"]), data.encode())
        once.append(("nonce", given["keyid"], given["nonce"]))
        rows = {f"{name};req": values[name] for name in REPEATED if name in values}
        rows[f'"signature";req;key="{label}"'] = f":{request['signature']}:"
        rows[f'"signature-input";req;key="{label}"'] = written
    if by_soap:
        kept = json.loads(base)
        need(base.decode() == json.dumps(kept, sort_keys=True, separators=(",", ":")), len(kept) == 2)
        heads = soap(gateway, answer | kept, at, base64.b64encode(value).decode())
        bound = SAID if request else heads.keys() & SAID - {"SignatureConfirmation"}
        need(heads.keys() == bound | PLACE, bound >= SAID - {"RelatesTo", "SignatureConfirmation"})
        need(f"sha-256=:{heads['Body']}:" == answer["content_digest"], heads["Exchange-Id"] == str(exchange))
        name = said.get("nonce") or heads.get("RelatesTo", "") if request is None else heard["MessageID"]
        need(heads.get("RelatesTo", name) == name, not name or MESSAGE_ID.fullmatch(name), heads["Ledger-Leaf"] == ours)
        need(request is None or heads["SignatureConfirmation"] == request["signature"])
        need(heads["Action"] == (f"{heard['Action']}Response" if kind == "exchange" else f"{WSA}/fault"))
        by, created = heads["Ledger-By"], heads["Timestamp"][0].timestamp()
    else:
        text = base.decode()
        [(by, created)] = re.findall(r'"ledger-by": (\S+)\n(?s:.*)\);created=(\d+);', text)
        pairs = {'"@status"': str(answer["status"]), '"content-digest"': answer["content_digest"]}
        pairs |= {'"exchange-id"': str(exchange), '"ledger-leaf"': ours, '"ledger-by"': by} | rows
        pairs |= {} if request else dict(FREE.findall(text))
        need(request or ('"@method";req' in pairs and len(pairs) <= 7))
        nonce = "" if request else f'nonce="{said["nonce"]}"' if said["nonce"] else ""
        need(*(nonce in row for name, row in pairs.items() if "-input" in name))
        pairs['"@signature-params"'] = f'({" ".join(pairs)});created={created};keyid="{keyid}";tag="passerelle"'
        need(text == "\n".join(f"{name}: {row}" for name, row in pairs.items()))
        signed(gateway, answer["signing"], at, "ecdsa-p256-sha256", value, base)
    need(-60 <= (at - asked).total_seconds() <= 300, abs(float(created) - at.timestamp()) <= 60, by >= f"{at:%FT%T}")
    need(f"{asked:{TIME}}" == said["received_at"], (kind == "refusal") == (answer["status"] >= 400))
    need(int.from_bytes(value[32:]) <= HALF)

    # 4  What was asked of an upstream by SOAP, and what it answered to that.
    for number, attempt in enumerate(said.get("upstream", []), 1):
        question, reply, moment = attempt["request"], attempt["answer"], datetime.fromisoformat(attempt["at"])
        says = rb"(?m)^  %s:\n(?:    .*\n)*?    unsigned: true$" % re.escape(said["parties"]["upstream"]).encode()
        final, unsigned = number == len(said["upstream"]), re.search(says, objects[policy])
        need(asked - MINUTE <= moment <= at + MINUTE, (reply is None) == (attempt["outcome"] != "answered"))
        need(final if reply else not final or kind == "refusal", not reply or unsigned or reply.get("form") != "tls")
        apart = [part["officers"] for part in (question, reply or {}) if part.get("form") == "apart"]
        need(*(f"sealed_apart: {key}".encode() in objects[policy].replace(b'"', b"") for key in apart))
        if apart:  # what was signed is for officers alone to read (C5)
            continue
        need(not reply or reply.get("form") in {"tls", question.get("form")})
        if "form" in question:
            data, back = question["base"], (reply or {}).get("base", "")
            signed(
                gateway, question["signing"], moment, question["algorithm"], b64(question["signature"]), data.encode()
            )
            once += [("message", nonce) for nonce in re.findall(r';nonce="([^"]*)"', data.split("\n")[-1])]
            if back:
                how, value = reply["algorithm"], b64(reply["signature"])
                signed(parties["upstream"], reply["signing"], moment, how, value, back.encode())
                need(f'"signature";req;key="{question["label"]}": :{question["signature"]}:\n' in back)
            continue
        mine = soap(gateway, question, moment, question["signature"])
        once.append(("message", mine["MessageID"]))
        need(mine.keys() >= ASKED, abs(mine["Timestamp"][0] - moment) <= 7 * MINUTE)
        if reply and "form" not in reply:
            theirs = soap(parties["upstream"], reply, moment, reply["signature"])
            need(theirs.keys() >= SAID, abs(theirs["Timestamp"][0] - moment) <= 7 * MINUTE)
            need(theirs["RelatesTo"] == mine["MessageID"], theirs["SignatureConfirmation"] == question["signature"])

# 5  What only the whole can say: nothing stands twice, and every counter is there, or explained.
last = max(at for counters in writers.values() for at in counters.values())
need(len(set(once)) == len(once), closed.keys() <= writers.keys(), *(intents.get(one) == by for one, by in done))
need(*(last - at <= timedelta(hours=96) for _, at in unnamed.values()))
for period, index in gone:
    need(any(period == month and first <= index < end for month, first, end in lawful))
for writer, counters in writers.items():
    ends = max(counters), sorted({*range(max(counters))} - counters.keys())
    late = [last - at > timedelta(seconds=10) for one, at in counters.items() if one > min(ends[1], default=one)]
    need(closed[writer] == ends if writer in closed else not any(late))
sys.stdout.write("holds\n")
