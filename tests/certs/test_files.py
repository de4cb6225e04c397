"""Private files and revocation lists on disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.files import UnsafeFileError, read_private, write_private, write_public
from certs.revocation import RevocationFolder, load_crl

if TYPE_CHECKING:
    from tests.certs.conftest import Trusted


def test_a_private_file_is_its_owners_only_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "a.key"
    write_private(path, b"secret")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert read_private(path) == b"secret"
    for write in (write_private, write_public):
        with pytest.raises(FileExistsError):
            write(path, b"other")
    assert read_private(path) == b"secret"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_private_file_that_others_can_use_is_refused_by_name(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.key"
    write_private(path, b"secret")
    path.chmod(mode)
    with pytest.raises(UnsafeFileError, match=r"a\.key: readable, 06"):
        read_private(path)


def test_a_private_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.key"
    write_private(path, b"secret")
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(UnsafeFileError, match=rf"a\.key: foreign, {owner}"):
        read_private(path)


def test_lists_are_read_again_when_a_file_changes_and_not_more_than_once_a_second(
    tmp_path: Path, ministry: Trusted
) -> None:
    now = [0.0]
    root, issuing = ministry.issuer.revocation_lists()
    write_public(tmp_path / "ministry.root.crl", root)
    folder = RevocationFolder(tmp_path, lambda: now[0])
    assert folder.lists("ministry") == (root,)
    assert folder.lists("cooperative") == ()
    first = folder.revision()
    pem = x509.load_der_x509_crl(issuing).public_bytes(Encoding.PEM)
    write_public(tmp_path / "ministry.issuing.crl", pem)
    write_public(tmp_path / "cooperative.root.crl", b"-----BEGIN nothing-----")
    now[0] = 0.9
    assert folder.revision() == first
    now[0] = 1.0
    assert folder.revision() == first + 1
    assert set(folder.lists("ministry")) == {root, issuing}
    assert folder.lists("cooperative") == ()
    now[0] = 5.0
    assert folder.revision() == first + 1


@pytest.mark.parametrize("content", [b"", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", b"\x30\x03abc"])
def test_what_is_no_list_is_none(content: bytes) -> None:
    assert load_crl(content) is None


def test_a_list_that_cannot_be_read_is_a_list_that_is_missing(tmp_path: Path, ministry: Trusted) -> None:
    """Fail closed: an unreadable file must not leave the former lists in force."""
    now = [0.0]
    root, _ = ministry.issuer.revocation_lists()
    write_public(tmp_path / "ministry.root.crl", root)
    folder = RevocationFolder(tmp_path, lambda: now[0])
    assert folder.lists("ministry") == (root,)
    (tmp_path / "a.crl").symlink_to(tmp_path / "nowhere")
    (tmp_path / "ministry.root.crl").unlink()
    now[0] = 5.0
    assert folder.lists("ministry") == ()


def test_a_list_that_could_not_be_read_for_a_moment_is_read_again(
    tmp_path: Path, ministry: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of descriptors, say: the file stays the same, and the party must not be refused until its next list."""

    def exhausted(_path: Path) -> bytes:
        raise OSError(errno.EMFILE, "too many open files")

    now = [0.0]
    root, _ = ministry.issuer.revocation_lists()
    write_public(tmp_path / "ministry.root.crl", root)
    folder = RevocationFolder(tmp_path, lambda: now[0])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", exhausted)
        assert folder.lists("ministry") == ()
    now[0] = 1.0
    assert folder.lists("ministry") == (root,)


def test_a_list_that_stays_unreadable_changes_nothing_each_second(tmp_path: Path, ministry: Trusted) -> None:
    """Each change is judged anew for every certificate known."""
    now = [0.0]
    write_public(tmp_path / "ministry.root.crl", ministry.issuer.revocation_lists()[0])
    (tmp_path / "a.crl").symlink_to(tmp_path / "nowhere")
    folder = RevocationFolder(tmp_path, lambda: now[0])
    first = folder.current()
    now[0] = 1.0
    assert folder.current() is first


def test_a_list_of_a_version_that_nobody_knows_harms_no_other(tmp_path: Path, ministry: Trusted) -> None:
    root, issuing = ministry.issuer.revocation_lists()
    write_public(tmp_path / "cooperative.root.crl", root.replace(b"\x02\x01\x01", b"\x02\x01\x04", 1))
    write_public(tmp_path / "ministry.issuing.crl", issuing)
    folder = RevocationFolder(tmp_path, lambda: 0.0)
    assert (folder.lists("ministry"), folder.lists("cooperative")) == ((issuing,), ())
