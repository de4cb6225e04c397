"""What a translation is held against: places of messages, other systems' files, their mappings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from contracts.loader import load_contracts
from gateway.audit.evidence_schema import Proof, RestMessagePart, TlsMessagePart
from gateway.audit.others_kept import OthersKept
from gateway.audit.places import RestAsked, differing, places_of
from gateway.cli.translate import retold
from gateway.errors import ConfigurationError
from gateway.signing.digest import content_digest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
PROOF = Proof(sha256="0" * 64, chain=(), revocation=())


def element(text: str) -> etree._Element:
    return etree.fromstring(text)  # noqa: TID251  the test's own text


@pytest.mark.parametrize(
    ("got", "names"),
    [
        ("<a><s>Zz==</s><b>1</b><c x='1'>2</c></a>", ()),
        ("<a><s>Zz==</s><b>2</b><c x='1'>2</c></a>", ("/a/b",)),
        ("<a><s>Zz==</s><c x='1'>2</c></a>", ("/a/b",)),
        ("<a><s>Zz==</s><b>1</b><c x='2'>2</c></a>", ("/a/c/@x",)),
        ("<a><s>Zz==</s><b>1</b><b>1</b><c x='1'>2</c></a>", ("/a/b[2]",)),
        ("<a><s>Zz==</s><b>1</b><c x='1'>2</c><d/></a>", ("/a/d",)),
        ("<a><b>1</b><c x='1'>2</c></a>", ("/a/s",)),
        ("<a><s>Zz==</s><s>1111111111111</s><b>1</b><c x='1'>2</c></a>", ("/a/s[2]",)),
        ("<a>note<s>Zz==</s><b>1</b><c x='1'>2</c></a>", ("/a",)),
        ("<a><s>Zz==</s><b>1</b>note<c x='1'>2</c></a>", ("/a",)),
        ("<a>\n <s>Zz==</s>\n <b>1</b><c x='1'>2</c></a>", ()),
        ("<a><s>Zz==</s><b xmlns='urn:x'>1</b><c x='1'>2</c></a>", ("/a/b",)),
    ],
)
def test_an_element_against_the_one_that_was_due(got: str, names: tuple[str, ...]) -> None:
    """The salt is whatever differs between two that are due; there is one of it, wherever it stands."""
    due, again = (places_of(element(f"<a><s>{salt}</s><b>1</b><c x='1'>2</c></a>")) for salt in ("AA==", "//8="))
    assert differing(places_of(element(got)), due, again) == names


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda asked: asked, ()),
        (lambda asked: RestAsked("PUT", asked.target, asked.body), ("method",)),
        (lambda asked: RestAsked("POST", "/v1/b?q=1", asked.body), ("path",)),
        (lambda asked: RestAsked("POST", "/v1/a?q=2", asked.body), ("?q",)),
        (lambda asked: RestAsked("POST", "/v1/a?q=1&q=1", asked.body), ("?q",)),
        (lambda asked: RestAsked("POST", asked.target, b'{"n":1,"m":["x"]}'), ("/m[2]",)),
        (lambda asked: RestAsked("POST", asked.target, b'{"n":"1","m":["x","y"]}'), ("/n",)),
        (lambda asked: RestAsked("POST", asked.target, b""), ("/", "/m", "/m[1]", "/m[2]", "/n")),
        (lambda asked: RestAsked("POST", asked.target, b'{"n":2,"m":["x","y"],"n":1}'), ("/n",)),
        (lambda asked: RestAsked("POST", "/v1%2Fa?q=1", asked.body), ("path",)),
        (lambda asked: RestAsked("POST", "/v1/a?q=%31", asked.body), ("?q",)),
    ],
)
def test_a_request_by_rest_against_the_one_that_was_due(
    change: Callable[[RestAsked], RestAsked], names: tuple[str, ...]
) -> None:
    due = RestAsked("POST", "/v1/a?q=1", b'{"m":["x","y"],"n":1}')
    places = places_of(due)
    assert differing(places_of(change(due)), places, places) == names


def test_what_moved_from_one_item_of_a_list_to_another() -> None:
    """Each name is there as often as it was due, with the same texts in the same order."""
    due, got = (
        places_of(RestAsked("POST", "/", body)) for body in (b'[{"a":1,"b":4},{"a":3}]', b'[{"a":1},{"a":3,"b":4}]')
    )
    assert differing(got, due, due) == ("[1]/b", "[2]/b")
    due, got = (
        places_of(element(f"<r><i>{first}</i><i>{second}</i></r>"))
        for first, second in (("<b>4</b>", ""), ("", "<b>4</b>"))
    )
    assert differing(got, due, due) == ("/r/i/b", "/r/i[2]/b")


@pytest.mark.parametrize("body", [b"[" * 100_000 + b"]" * 100_000, b"\xff", b"{", b"nothing"])
def test_a_body_that_nobody_can_read(body: bytes) -> None:
    with pytest.raises(ValueError):
        places_of(RestAsked("POST", "/", body))


def test_an_address_below_which_they_serve() -> None:
    due = RestAsked("GET", "/v1/a?q=1", b"")
    assert RestAsked("GET", "/api/v1/a?q=1", b"").below(due) == due
    assert RestAsked("GET", "/api/v1/b", b"").below(due).target == "/api/v1/b"


def test_messages_by_rest_are_found_by_their_digests(tmp_path: Path) -> None:
    asked, said = b'{"year":2026}', b'{"regions":[]}'
    (tmp_path / "1.json").write_bytes(asked)
    (tmp_path / "2.json").write_bytes(said)
    others = OthersKept([tmp_path])

    def part(*rows: tuple[str, str], base: str | None = None) -> RestMessagePart:
        names = " ".join(name for name, _ in rows)
        lines = [f"{name}: {value}" for name, value in rows]
        made = "\n".join([*lines, f'"@signature-params": ({names});created=1;keyid="k"'])
        return RestMessagePart(
            form="rest", base=base or made, signature=b"", label="sig1", parameters="", algorithm="", signing=PROOF
        )

    target = ('"@method"', "POST"), ('"@target-uri"', "https://registry.test/api/v1/a?q=1")
    request = part(*target, ('"content-digest"', content_digest(asked)))
    assert others.request(request) == RestAsked("POST", "/api/v1/a?q=1", asked)
    assert others.request(part(*target)) == RestAsked("POST", "/api/v1/a?q=1", b"")
    # no address at all: the gateway signed it, and an audit does not trip over it
    strange = others.request(part(target[0], ('"@target-uri"', "https://[/v1//[")))
    assert strange == RestAsked("POST", "/v1//[", b"")
    assert strange.below(RestAsked("POST", "//[", b"")).target == "//["
    assert others.request(part(*target, ('"content-digest"', content_digest(b"{}")))) is None
    assert others.request(part(base="no base")) is None
    answer = others.answer(part(('"@status"', "200"), ('"content-digest"', content_digest(said))))
    assert answer is not None
    assert (answer.content, answer.status) == (said, 200)
    unsigned = others.answer(TlsMessagePart(form="tls", content_digest=content_digest(said), tls=PROOF))
    assert unsigned == answer
    assert others.answer(TlsMessagePart(form="tls", content_digest=None, tls=PROOF)) is None


def test_every_system_of_ours_is_known() -> None:
    """By the mappings that come with the program, or by our own profile: nothing must be said of them."""
    systems = retold([], [], []).systems
    asked = {
        operation.upstream
        for contract in load_contracts(ROOT / "contracts")
        for operation in contract.operations.values()
    }
    assert asked <= systems.keys()


@pytest.mark.parametrize("name", ["childcare_permits", "territorial_capacity"])
def test_a_foreign_system_s_folder_has_all_that_is_needed(name: str) -> None:
    folder = ROOT / "contracts" / "foreign" / name
    assert retold([], [], [folder]).systems.keys() > retold([], [], []).systems.keys()


def test_a_folder_without_a_mapping(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="file_unreadable"):
        retold([], [], [tmp_path])
