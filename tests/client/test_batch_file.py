"""A party's file, read strictly: what is no record is told apart with its line and reason, and nothing is guessed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gateway.client.batch_file import FileRecord, Reject, read_records
from gateway.errors import ConfigurationError
from gateway.messages.catalogue import texts

if TYPE_CHECKING:
    from pathlib import Path

PATTERN = r"\d{13}"
HEADER = "nirec,nom,prénoms,date de naissance,référence\n"
GOOD = "1234567890123,Roy,Léa,2024-02-29,dossier 7\n"
WANTED = {"nirec": "1234567890123", "family_name": "Roy", "given_names": "Léa", "birth_date": "2024-02-29"}


def read(folder: Path, content: str | bytes) -> list[FileRecord | Reject]:
    path = folder / "file"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_records(path, PATTERN))


GOOD_FILES = {
    "french": HEADER + GOOD,
    "english": "given_names,birth_date,nirec,family_name,reference\nLéa,2024-02-29,1234567890123,Roy,dossier 7\n",
    "semicolons": (HEADER + GOOD).replace(",", ";"),
    "capitals and spaces": "NIREC, Nom ,PRÉNOMS,Date de naissance,Référence\n" + GOOD,
    "byte order mark": "\ufeff" + HEADER + GOOD,
    "windows": (HEADER + GOOD).replace("\n", "\r\n"),
    "no last newline": HEADER + GOOD.rstrip(),
    "quotes": HEADER + '"1234567890123","Roy","Léa","2024-02-29","dossier 7"\n',
    "json": "{" + json.dumps(WANTED | {"reference": "dossier 7"})[1:] + "\n",
    "json in french": '{"nirec":"1234567890123","nom":"Roy","prénoms":"Léa","date de naissance":"2024-02-29",'
    '"référence":"dossier 7"}\n',
}


@pytest.mark.parametrize("name", GOOD_FILES)
def test_a_record(tmp_path: Path, name: str) -> None:
    (record,) = read(tmp_path, GOOD_FILES[name])
    assert isinstance(record, FileRecord)
    assert (dict(record.fields), record.reference) == (WANTED, "dossier 7")
    assert record.line == (1 if "json" in name else 2)
    assert "1234567890123" not in repr(record)


@pytest.mark.parametrize(
    "reference", ["", "dossier 7", "123456789012", "98765432109876", "2026-123456", "1234567-90123"]
)
def test_a_reference_that_holds_no_nirec_is_left_as_it_is(tmp_path: Path, reference: str) -> None:
    (record,) = read(tmp_path, HEADER + GOOD.replace("dossier 7", reference))
    assert isinstance(record, FileRecord)
    assert record.reference == reference


BAD: dict[str, tuple[str, str | bytes]] = {
    "a digit less": ("nirec", GOOD.replace("1234567890123", "123456789012")),
    "digits of another script": ("nirec", GOOD.replace("1234567890123", "١٢٣٤٥٦٧٨٩٠١٢٣")),
    "a space after": ("nirec", GOOD.replace("0123", "0123 ")),
    "no name": ("family_name", GOOD.replace("Roy", "")),
    "spaces for a name": ("given_names", GOOD.replace("Léa", "  ")),
    "a long name": ("family_name", GOOD.replace("Roy", "R" * 121)),
    "no such day": ("birth_date", GOOD.replace("02-29", "02-30")),
    "a day in another order": ("birth_date", GOOD.replace("2024-02-29", "29-02-2024")),
    "a day without hyphens": ("birth_date", GOOD.replace("2024-02-29", "20240229")),
    "a long reference": ("reference", GOOD.replace("dossier 7", "7" * 201)),
    "a reference that is the NIREC": ("reference_nirec", GOOD.replace("dossier 7", "1234567890123")),
    "the NIREC with spaces": ("reference_nirec", GOOD.replace("dossier 7", "123 456 789 0123")),
    "the NIREC with hyphens and a word": ("reference_nirec", GOOD.replace("dossier 7", "D-2026 / 123-456-789-0123")),
    "the NIREC with points": ("reference_nirec", GOOD.replace("dossier 7", "7 1.2.3.4.5.6.7.8.9.0.1.2.3 b")),
    "the NIREC with what nobody sees": ("reference_nirec", GOOD.replace("dossier 7", "1234567\u200b890123")),
    "the NIREC with a digit after": ("reference_nirec", GOOD.replace("dossier 7", "12345678901231")),
    "another child's NIREC": ("reference_nirec", GOOD.replace("dossier 7", "soeur de 9876543210987")),
    "a bell": ("characters", GOOD.replace("Roy", "Ro\x07y")),
    "a field less": ("columns", "1234567890123,Roy,Léa\n"),
    "a field more": ("columns", GOOD.rstrip() + ",more\n"),
    "an open quote": ("not_csv", GOOD.replace("Roy", '"Roy')),
    "latin-1": ("not_utf8", GOOD.encode("latin-1")),
    "a long line": ("too_long", GOOD.replace("Roy", "R" * 40_000)),
    "a line of half a surrogate": ("not_utf8", GOOD.encode().replace(b"Roy", b"\xed\xa0\x80")),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_is_rejected_and_the_next_one_read(tmp_path: Path, name: str) -> None:
    reason, line = BAD[name]
    bad = line.encode() if isinstance(line, str) else line
    first, second, third = read(tmp_path, HEADER.encode() + GOOD.encode() + bad + b"\n" + GOOD.encode())
    assert isinstance(second, Reject)
    assert (second.line, second.reason) == (3, reason)
    assert "1234567890123" not in repr(second)
    assert isinstance(first, FileRecord)
    assert isinstance(third, FileRecord)
    assert third.line == 5  # the empty line counts, as an editor shows it
    assert first.canonical() != third.canonical()  # each line of the file is its own


BAD_JSON = {
    "not json": ("not_json", "{nirec: 1}"),
    "a list": ("not_json", "[1]"),
    "a number": ("columns", json.dumps(WANTED | {"nirec": 1234567890123})),
    "null": ("columns", json.dumps(WANTED | {"family_name": None})),
    "an object inside": ("columns", json.dumps(WANTED | {"family_name": {"a": "b"}})),
    "a field twice": ("columns", '{"nom":"A",' + json.dumps(WANTED)[1:]),
    "unknown": ("columns", json.dumps(WANTED | {"ssn": "1"})),
    "one less": ("columns", '{"nirec":"1234567890123"}'),
    "half a surrogate": ("characters", json.dumps(WANTED | {"family_name": "\ud800"})),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_a_bad_line_of_json(tmp_path: Path, name: str) -> None:
    reason, line = BAD_JSON[name]
    _, found = read(tmp_path, json.dumps(WANTED) + "\n" + line + "\n")
    assert isinstance(found, Reject)
    assert (found.line, found.reason) == (2, reason)


NO_HEADER = {
    "a name less": "nirec,nom,prénoms\n",
    "a name twice": HEADER.replace("nom,", "nom,nom,"),
    "another name": HEADER.rstrip() + ",sexe\n",
    "a record": GOOD,
    "an open quote": '"nirec\n',
}


@pytest.mark.parametrize("header", NO_HEADER)
def test_what_is_no_header_is_not_guessed(tmp_path: Path, header: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, NO_HEADER[header] + GOOD)
    assert caught.value.key == "batch_header"
    assert "1234567890123" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        list(read_records(tmp_path / "none", PATTERN))


def test_every_reason_has_its_words() -> None:
    said = {key.rpartition(".")[2] for key in texts() if key.startswith("batch.reject.")}
    assert said == {reason for reason, _ in (*BAD.values(), *BAD_JSON.values())}
