"""A client that OpenAPI Generator made from the served /openapi.json, its requests signed as client.py does.

``python openapi_client.py FOLDER GENERATED``: FOLDER as client.py wants it, GENERATED holds the package
``passerelle_client``; a JSON report on stdout. What is written by hand is the pool below: it signs what the generated
code is about to send, and verifies what came before the generated code reads it.
"""

from __future__ import annotations

import base64
import importlib
import json
import secrets
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
from client import Answer, Client, Request  # type: ignore[import-not-found]  # beside this script, which is run as such

if TYPE_CHECKING:
    from collections.abc import Callable

CHILD = ("nirec", "family_name", "given_names", "birth_date")
#: Of the waiting list: every region, one of them, and a day before anything was counted.
QUESTIONS = {
    "all": {"as_of": "2026-10-31"},
    "one": {"as_of": "2027-06-01", "region": "13"},
    "none": {"as_of": "2024-12-31"},
}
#: The document asks for these two in each request, and for the third where there is a body; the pool has the true ones.
UNSIGNED = {"signature_input": "-", "signature": "-"}
DIGEST = {"content_digest": "-"}


REGISTRATION: dict[str, Any] = {
    "family_name": "Tremblay", "expected_date": "2027-03-01", "region": "06", "desired_on": "2027-09-01",
    "service_wanted": "cpe", "service_held": "none",
    "parents": [{"family_name": "Gagnon", "given_names": "Marie-Ève", "phone": "418-555-0100"}],
}  # fmt: skip


class SigningPool(urllib3.PoolManager):
    """The generated client's way out; keeps the report of the last answer."""

    def __init__(self, client: Client) -> None:
        super().__init__(ssl_context=client.context, timeout=20, retries=False)
        self.client = client
        self.report: dict[str, Any] = {}

    def request(self, method: str, url: str, **how: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]  # as it is called
        body, sent = b"", ["Exchange-Agreement", "Exchange-Purpose"]
        if method != "GET":
            # in one form, as an acknowledgement must be
            said = json.loads(how["body"])
            body = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
            sent += ["Content-Type", "Idempotency-Key"]
        request = self.client.signed(Request(method, url, {name: how["headers"][name] for name in sent}, body))
        found = super().request(method, url, body=body or None, headers=request.headers)
        answer = Answer(found.status, dict(found.headers), found.data, request)
        names = ("Exchange-Id", "Ledger-Leaf", "Content-Digest")
        self.report = {"covered": self.client.verify(answer)} | {name: found.headers[name] for name in names}
        return found


class Operations:
    """The generated operations by name, whichever class they stand in."""

    def __init__(self, client: Client) -> None:
        self.settings = client.settings
        self.models = importlib.import_module("passerelle_client.models")
        package = importlib.import_module("passerelle_client")
        self.refused: type[Exception] = package.ApiException
        configured = package.ApiClient(package.Configuration(host=client.origin))
        self.pool = configured.rest_client.pool_manager = SigningPool(client)
        apis = [one(configured) for name, one in vars(package).items() if name.endswith("Api")]
        self.operations = {
            name: getattr(api, name) for api in apis for name in dir(api) if not name.startswith("_")
        }  # fmt: skip

    def call(self, terms: str, name: str, path: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        """The report of one exchange, its fields in the body."""
        model = getattr(self.models, "".join(word.capitalize() for word in name.split("_")) + "Request")
        return self.ask(terms, name, **{f"{name}_request": model(**fields)}, **DIGEST, **(path or {}))

    def ask(self, terms: str, name: str, **parameters: Any) -> dict[str, Any]:
        """The report of one exchange, its answer verified."""
        said = {
            "exchange_agreement": self.settings[f"{terms}.agreement"],
            "exchange_purpose": self.settings[f"{terms}.purpose"],
            "idempotency_key": str(uuid.uuid4()),
        }
        try:
            answer = self.operations[name](**said, **UNSIGNED, **parameters)
        except self.refused as problem:
            return self.pool.report | {"code": json.loads(problem.body)["code"]}  # type: ignore[attr-defined]  # generated
        return self.pool.report | {"fields": json.loads(answer.to_json())}


def registering(api: Operations, salt: Callable[[], str]) -> dict[str, Any]:
    """The reports of a registration that is made, changed and withdrawn, of a child to be born."""
    expected = api.call("subject.expect", "subject_expect", reference="dossier 13", salt=salt())
    handle = expected["fields"]["handle"]
    made = api.call("registration.create", "registration_create", handle=handle, **REGISTRATION, salt=salt())
    path, state = {"handle": handle}, made["fields"]["state_after"]
    changed = api.call(
        "registration.change", "registration_change", path, if_state=state, region="03", salt=salt()
    )  # fmt: skip
    state = changed["fields"]["state_after"]
    gone = api.call(
        "registration.withdraw", "registration_withdraw", path, if_state=state, reason="family_left", salt=salt()
    )
    return {"created": made, "changed": changed, "withdrawn": gone}


def main(folder: Path, generated: Path) -> int:
    sys.path.insert(0, str(generated))
    api = Operations(Client(folder))
    child = {name: api.settings[name] for name in CHILD}

    def salt() -> str:
        return base64.b64encode(secrets.token_bytes(16)).decode()

    report = {"echo": api.call("echo", "echo", message="d'ailleurs: été")}
    report["refused"] = api.call("refused", "echo", message="x")
    report["verification"] = verified = api.call("nirec.verify", "nirec_verify", **child, salt=salt())
    known = verified["fields"]["handle"]
    report["acknowledgement"] = api.call(
        "nirec.verify", "exchange_acknowledge", {"exchange_id": verified["Exchange-Id"]},
        ledger_leaf=verified["Ledger-Leaf"], answer_digest=verified["Content-Digest"], handle=known,
    )  # fmt: skip
    person = {name: child[name] for name in ("family_name", "birth_date")}
    report["searched"] = api.call("registration.search", "registration_search", **person, salt=salt())
    notice = {"handle": known, "addressee": "ministry", "event": "offered", "date": "2026-11-23"}
    notice |= {"permit": "1234-5678", "region": "06", "salt": salt()}
    report["notified"] = api.call("placement.notify", "placement_notify", **notice)
    report["expected"] = api.call("subject.expect", "subject_expect", reference="dossier 12", salt=salt())
    handle = report["expected"]["fields"]["handle"]
    report["known_already"] = api.call("subject.birth", "subject_birth", **child, handle=handle, salt=salt())
    report["merged"] = api.call(
        "subject.merge", "subject_merge", handle=handle, other_handle=known, reason="duplicate_file"
    )
    report["born"] = api.call("subject.birth", "subject_birth", **child, handle=handle, salt=salt())
    report |= registering(api, salt)
    report["batch"] = api.call("batch.open", "batch_open", records=1, rejected=0, commitment="0" * 64)
    line = {"batch": report["batch"]["fields"]["batch"], "line": "1"}
    report["record"] = api.call("batch.verify", "batch_verify", line, **child, salt=salt())
    report["again"] = api.call("batch.answer", "batch_answer", line, **child, salt=salt())
    for part in report.values():
        part.get("fields", {}).pop("salt", None)
    report["progress"] = api.ask("batch.get", "batch_get", batch=line["batch"])
    report["registered"] = api.ask("registration.get", "registration_get", handle=known)
    report["statistics"] = {
        name: api.ask("waitlist.statistics", "waitlist_statistics", **question) for name, question in QUESTIONS.items()
    }
    report["counted"] = api.ask("waitlist.counts", "waitlist_counts", **QUESTIONS["all"])
    sys.stdout.write(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
