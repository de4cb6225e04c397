from __future__ import annotations

import pytest
from lxml import etree

from gateway.signing.xml import XmlLimits, XmlRefusedError, canonical, parse


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<a>" * 40 + b"</a>" * 40, "xml_too_deep"),
        (b"<a>" + b"<b/>" * 6000 + b"</a>", "xml_too_wide"),
        (b"<a " + b" ".join(b'a%d="1"' % number for number in range(17)) + b"/>", "xml_too_wide"),
        (b"<a>" + b"x" * (1024 * 1024) + b"</a>", "xml_too_large"),
        (b"<a><!-- c --></a>", "xml_comment"),
        (b"<!-- c --><a/>", "xml_comment"),
        (b"<a/><!-- c -->", "xml_comment"),
        (b"<a><?target instruction?></a>", "xml_comment"),
        (b'<?xml-stylesheet href="x"?><a/>', "xml_encoding"),
        (b"<!DOCTYPE a><a/>", "xml_dtd"),
        (b'<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]><a>&z;</a>', "xml_dtd"),
        (b"<a>&undefined;</a>", "xml_malformed"),
        (b"<a>", "xml_malformed"),
        (b"", "xml_malformed"),
        (b"not xml", "xml_malformed"),
        (b"<a>\xff</a>", "xml_encoding"),
        ("<a/>".encode("utf-16"), "xml_encoding"),
        (b'<?xml version="1.0" encoding="UTF-7"?><a/>', "xml_encoding"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>', "xml_encoding"),
        (b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-7"?><a/>', "xml_encoding"),
        (b'<a xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="file:///etc/passwd"/></a>', "xml_include"),
        (
            b'<a xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="u file:///etc/passwd"/>',
            "xml_external_schema",
        ),
    ],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(XmlRefusedError) as caught:
        parse(data)
    assert caught.value.reason == reason
    assert str(caught.value) == reason


def test_what_is_read() -> None:
    for declaration in (b"", b'<?xml version="1.0" encoding="UTF-8"?>\n', b"<?xml version='1.0'?>"):
        assert parse(declaration + "<a>Éloïse</a>".encode()).text == "Éloïse"


def test_the_limits_are_inclusive() -> None:
    limits = XmlLimits(size=20, depth=2, elements=2, attributes=1)
    assert parse(b'<a b="1"><c/></a>', limits).tag == "a"
    with pytest.raises(XmlRefusedError):
        parse(b"<a><c/><c/></a>", limits)


def test_canonical_form_is_the_same_inside_and_apart() -> None:
    root = parse(b'<a xmlns="urn:d" xmlns:u="urn:u" xmlns:x="urn:x"><x:b u:i="1" k="x:y">t<c/>t2</x:b>tail</a>')
    expected = b'<x:b xmlns:u="urn:u" xmlns:x="urn:x" k="x:y" u:i="1">t<c xmlns="urn:d"></c>t2</x:b>'
    assert canonical(root[0]) == expected
    assert canonical(parse(expected)) == expected


def test_inclusive_prefixes_bring_their_declarations() -> None:
    root = parse(b'<a xmlns:u="urn:u" xmlns:x="urn:x"><x:b k="u:y">t<c/></x:b></a>')
    assert canonical(root[0], ["u"]) == b'<x:b xmlns:u="urn:u" xmlns:x="urn:x" k="u:y">t<c></c></x:b>'
    assert canonical(root[0]) == b'<x:b xmlns:x="urn:x" k="u:y">t<c></c></x:b>'
    assert etree.tostring(root[0], with_tail=False).startswith(b"<x:b")
