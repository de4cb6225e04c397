"""The refresher's composition: which certificates it knows, and that it holds no key."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from certs.authority import DevAuthority
from certs.profiles import Profile
from gateway.development import Development, Ports
from gateway.refresher import KnownSources
from gateway.settings import load_settings
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from pathlib import Path

ASKED = "http://ocsp.test"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    Development(made, Ports(), SystemClock(), SystemRandomness()).create(births=300)
    return made


def known(folder: Path) -> KnownSources:
    return KnownSources(load_settings(folder / "passerelle.toml", {}))


def test_a_development_set_up_names_no_address(folder: Path) -> None:
    assert known(folder).sources() == ()


def test_what_the_policy_the_signers_and_our_own_certificates_name(folder: Path) -> None:
    sources, keys = known(folder), folder / "gateway" / "keys"
    assert sources.sources() == ()
    authority = DevAuthority("ministry", SystemClock().now(), publishes="http://lists.test", answers=ASKED)
    path = folder / "gateway" / "policy.yaml"
    policy = yaml.safe_load(path.read_text())
    for name in ("ministry", "passerelle"):
        policy["authorities"][name] = {
            "roots": [authority.root.pem.decode()],
            "intermediates": [authority.issuing.pem.decode()],
        }
    path.write_text(yaml.safe_dump(policy, sort_keys=False))
    signer = authority.issue(Profile.SIGNING, ["ministry.test"])
    (keys / "signers" / "ministry.second.pem").write_bytes(signer.pem)
    (keys / "signers" / "ministry.broken.pem").write_bytes(b"nothing")
    ours = authority.issue(Profile.TLS_SERVER, ["gateway.test"])
    (keys / "tls-server.pem").write_bytes(ours.pem)
    found = {(item.party, item.url, item.certificate) for item in sources.sources()}
    assert {(party, url) for party, url, certificate in found if certificate is None} == {
        (party, f"http://lists.test/{kind}.crl")
        for party, kind in (
            ("ministry", "root"),
            ("ministry", "issuing"),
            ("passerelle", "root"),
            ("passerelle", "issuing"),
        )
    }
    assert {(party, certificate) for party, _, certificate in found if certificate is not None} == {
        ("ministry", authority.issuing.der),
        ("ministry", signer.der),
        ("passerelle", authority.issuing.der),
        ("passerelle", ours.der),
    }
    # a copy that cannot be read for a moment takes nothing away
    path.write_text("{")
    assert len(sources.sources()) == len(found)


def test_our_own_new_certificate_is_known_at_once_and_a_file_that_cannot_be_read_stops_nobody(folder: Path) -> None:
    sources, keys = known(folder), folder / "gateway" / "keys"
    authority = DevAuthority("passerelle", SystemClock().now(), answers=ASKED)
    path = folder / "gateway" / "policy.yaml"
    policy = yaml.safe_load(path.read_text())
    policy["authorities"]["passerelle"] = {
        "roots": [authority.root.pem.decode()],
        "intermediates": [authority.issuing.pem.decode()],
    }
    path.write_text(yaml.safe_dump(policy, sort_keys=False))
    assert {item.certificate for item in sources.sources()} == {authority.issuing.der}
    (keys / "signers" / "ministry.lost.pem").symlink_to(keys / "nowhere")
    (keys / "signers" / "ministry.folder.pem").mkdir()
    ours = authority.issue(Profile.SIGNING, ["gateway.test"])
    (keys / "signing-1.pem").write_bytes(ours.pem)
    assert {item.certificate for item in sources.sources()} == {authority.issuing.der, ours.der}


def test_it_knows_no_keystore() -> None:
    """Strangers' bytes are parsed where there is nothing to steal: not even the code that opens keys is loaded."""
    code = "import gateway.refresher, sys; print(*[name for name in sys.modules if 'gateway.keys' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
