"""The pages for people: complete in both languages, links that hold, nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lxml import html as parser

from contracts.generate.document import Code, Heading, Paragraph, Table, html, markdown
from contracts.generate.error_pages import html_errors, markdown_errors
from contracts.generate.pages import html_index, html_page, markdown_page
from contracts.generate.places import Served
from contracts.generate.words import Words
from contracts.names import soap_path
from tests.contracts.rich import rich

if TYPE_CHECKING:
    from contracts.generate.document import Block
    from contracts.generate.error_table import ErrorEntry
    from contracts.loader import Contract, Language

ROOT = Path(__file__).parents[2]
_LANGUAGES: tuple[Language, ...] = ("fr", "en")


@pytest.mark.parametrize("language", _LANGUAGES)
def test_a_page_has_every_field_error_and_name(
    contracts: tuple[Contract, ...], errors: tuple[ErrorEntry, ...], language: Language
) -> None:
    for contract in contracts:
        page = markdown_page(contract, language, errors)
        for name, operation in contract.operations.items():
            assert f"`{name}`: {operation.title[language]}" in page
            for schema in (operation.request, operation.response):
                for field, declared in schema["properties"].items():
                    assert f"| `{field}` |" in page
                    assert declared["description"][language] in page
            for code in operation.errors:
                assert f"#{code})" in page
            assert operation.rest.path in page
        assert soap_path(contract) in page


def test_a_rich_page_says_what_is_below_and_what_is_on_its_way_out(errors: tuple[ErrorEntry, ...]) -> None:
    page = markdown_page(rich(), "fr", errors)
    assert "**Cette version est dépréciée depuis le 2026-01-01 et cessera de répondre le 2027-06-30.**" in page
    assert "Passez à la version 3." in page
    assert "| `applicant.kind` | `applicant/@genre` | un de `person`, `body`; obligatoire |" in page
    assert "| `fee` | `Frais` | décimal exact, en texte; obligatoire | public | Les frais. |" in page
    assert "| `parts[].page` | `parts/piece/page` | entier, 1 à 9; facultatif |" in page
    assert "Un et un seul parmi: `parts[].page`, `parts[].all`." in page
    assert "Un et un seul parmi: `phone`, `email`." in page
    assert r"de la forme `^(0[1-9]\|1[0-7])$`; obligatoire; dans le chemin" in page
    assert "texte, au plus 5 caractères, ou null (`xsi:nil`); facultatif | renseignement personnel" in page
    assert "liste, éléments `piece`, 2 à 3; obligatoire" in page
    assert r"# Permis \| essais" not in page
    assert "16 to 64 random bytes" in markdown_page(rich(), "en", errors)


def test_links_of_the_committed_pages_lead_to_files_and_headings(offered: tuple[Contract, ...]) -> None:
    followed = 0
    for contract in offered:
        folder = ROOT / "contracts" / contract.service / f"v{contract.version}"
        for language in _LANGUAGES:
            page = (folder / f"reference.{language}.md").read_text(encoding="utf-8")
            for address in re.findall(r"\]\(([^)]+)\)", page):
                path, _, anchor = address.partition("#")
                target = folder / path
                assert target.is_file(), address
                assert not anchor or f"\n## {anchor}\n" in target.read_text(encoding="utf-8")
                followed += 1
    assert followed > 100


@pytest.mark.parametrize("language", _LANGUAGES)
def test_served_pages_are_whole_have_no_script_and_take_nothing_from_elsewhere(
    contracts: tuple[Contract, ...], errors: tuple[ErrorEntry, ...], language: Language
) -> None:
    served = {Served().page(contract, language): html_page(contract, language, errors) for contract in contracts}
    served |= {
        Served().errors(language): html_errors(errors, language),
        Served().index(language): html_index(contracts, language),
    }
    descriptions = {address for one in contracts for address in (Served().wsdl(one), Served().xsd(one))}
    others = {Served().page(one, Words(language).other) for one in contracts}
    others |= {Served().errors(Words(language).other), Served().index(Words(language).other), Served().openapi()}
    ids = {}
    for address, page in served.items():
        tree = parser.document_fromstring(page)
        assert tree.get("lang") == language
        ids[address] = [str(element.get("id")) for element in tree.iter() if element.get("id")]
        assert len(set(ids[address])) == len(ids[address])
        assert tree.findtext(".//title")
        tags = {str(element.tag) for element in tree.iter()}
        assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "form"})
        assert all(not str(name).startswith("on") for element in tree.iter() for name in element.attrib)
        assert not any("src" in element.attrib for element in tree.iter())
    for page in served.values():
        for link in parser.document_fromstring(page).iter("a"):
            address, _, anchor = str(link.get("href")).partition("#")
            assert address in served.keys() | others | descriptions
            assert not anchor or anchor in ids[address]


def test_text_is_escaped_in_both_spellings(errors: tuple[ErrorEntry, ...]) -> None:
    page = html_page(rich(), "en", errors)
    assert "Permits &lt;trial&gt;" in page
    assert "<trial>" not in page
    blocks: list[Block] = [
        Heading(1, "a `b`"),
        Paragraph("**x** & [y](z?a&b)"),
        Table(["h|"], [["`c|`"]]),
        Code("xml", "<d/>\n"),
    ]
    assert markdown(blocks) == "# a `b`\n\n**x** & [y](z?a&b)\n\n| h\\| |\n| --- |\n| `c\\|` |\n\n```xml\n<d/>\n```\n"
    assert markdown([Heading(2, "a\nb"), Table(["h"], [["c\nd"]])]) == "## a b\n\n| h |\n| --- |\n| c d |\n"
    written = html(blocks, "fr")
    assert "<title>a b</title>" in written
    assert '<h1 id="a `b`">a <code>b</code></h1>' in written
    assert '<p><strong>x</strong> &amp; <a href="z?a&amp;b">y</a></p>' in written
    assert "<td><code>c|</code></td>" in written
    assert "<pre><code>&lt;d/&gt;</code></pre>" in written


@pytest.mark.parametrize("language", _LANGUAGES)
def test_each_error_says_what_it_means_and_what_to_do(errors: tuple[ErrorEntry, ...], language: Language) -> None:
    page = markdown_errors(errors, language)
    parts = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE))
    assert list(parts) == [entry.code for entry in errors]
    for entry in errors:
        said = parts[entry.code]
        assert entry.title[language] in said
        assert entry.meaning[language] in said
        assert entry.next[language] in said
        assert ("```json" in said) == entry.by_rest
        assert ("```xml" in said) == entry.by_soap
        assert entry.by_rest or entry.by_soap


def test_both_languages_have_the_same_words() -> None:
    french, english = Words("fr"), Words("en")
    assert french._words.keys() == english._words.keys()
    assert french("successor", successor=2) != english("successor", successor=2)
    with pytest.raises(KeyError):
        french("no such word")
