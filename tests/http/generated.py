"""Requests that Schemathesis makes of the document that we serve, signed, sent, and judged by that document.

Fixed examples, a few of each operation. A module of its own, since importing Schemathesis takes a second.
"""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import requests
import requests.auth
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from tests.signing.drafts import fresh_salt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.exchange.live import LiveGateway

    Case = schemathesis.Case[Any]

CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
#: What the hook writes in place of what was generated.
WRITTEN = ("Content-Digest", "Signature-Input", "Signature")
#: What the signature covers when it is there.
SIGNED = ("exchange-agreement", "exchange-purpose", "content-type", "idempotency-key")
FEW = settings(
    max_examples=6,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Signing(requests.auth.AuthBase):
    """Signs each request as it is about to leave, whatever stands in it."""

    def __init__(self, live: LiveGateway, party: str) -> None:
        self._live = live
        self._party = party

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body.encode() if isinstance(request.body, str) else bytes(request.body or b"")
        for name in (*WRITTEN, "Authorization"):
            request.headers.pop(name, None)
        headers = {name.lower(): str(value) for name, value in request.headers.items() if name.lower() in SIGNED}
        digest = ("content-digest",) if body else ()
        signed = (
            self._live.draft(self._party)
            .but(
                method=str(request.method),
                target=request.path_url,
                body=body,
                headers=headers,
                components=("@method", "@target-uri", *headers, *digest),
            )
            .signed()
        )
        request.headers.update({name: signed.headers[name] for name in (*digest, "signature-input", "signature")})
        return request


class Generated:
    """What one party is answered."""

    def __init__(self, live: LiveGateway, party: str) -> None:
        self._live = live
        self._session = requests.Session()
        self._session.trust_env = False
        stem = live.tls(party)
        self._session.cert = (str(stem.with_suffix(".pem")), str(stem.with_suffix(".key")))
        self._session.auth = Signing(live, party)
        self._schema = schemathesis.openapi.from_dict(live.get("/openapi.json").json())
        folder = live.party(party)
        self.child: dict[str, Any] = json.loads((folder / "requests" / "confirmed.json").read_text(encoding="utf-8"))
        rows = tomllib.loads((folder / "party.toml").read_text(encoding="utf-8"))["operations"].values()
        #: By path: the header fields under which the party may call it; those of the signature are written later.
        self.terms: Mapping[str, dict[str, str]] = {
            row["path"]: {"Exchange-Agreement": row["agreement"], "Exchange-Purpose": row["purpose"]}
            | dict.fromkeys(WRITTEN, "-")
            for row in rows
        }

    def close(self) -> None:
        self._session.close()

    def valid(self) -> dict[str, set[int]]:
        """The statuses of the answers to what follows the document, by path."""
        return self._answered(GenerationMode.POSITIVE, self.terms, self._fresh)

    def invalid(self, *, agreed: bool) -> dict[str, set[int]]:
        """The same of what does not; with ``agreed``, under agreements that would allow it."""
        return self._answered(GenerationMode.NEGATIVE, self.terms if agreed else {}, lambda case: case)

    def _fresh(self, case: Case) -> Case:
        """A salt that is drawn anew each time, and a number that the registry knows."""
        changes = {"salt": fresh_salt(), "nirec": self.child["nirec"]}
        if isinstance(case.body, dict):
            case.body = case.body | {name: value for name, value in changes.items() if name in case.body}
        return case

    def _answered(
        self, mode: GenerationMode, terms: Mapping[str, dict[str, str]], change: Callable[[Case], Case]
    ) -> dict[str, set[int]]:
        answered: dict[str, set[int]] = {}

        def judged(case: Case) -> None:
            answered.setdefault(case.operation.path, set()).add(self._judge(change(case)))

        for result in self._schema.get_all_operations():
            assert isinstance(result, Ok), result
            operation = result.ok()
            cases = operation.as_strategy(mode, headers=terms.get(operation.path))
            FEW(given(case=cases)(judged))()
        return answered

    def _judge(self, case: Case) -> int:
        """The status of its answer, which is as the document has it."""
        answer = case.call(base_url=self._live.origin, session=self._session, verify=self._live.ca)
        case.validate_response(answer, checks=CHECKS)
        assert "exchange-id" in answer.headers
        return answer.status_code
