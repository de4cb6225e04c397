"""The policy of a fresh set-up, held against what must not be given twice."""

from __future__ import annotations

from gateway.development_policy import AGREEMENTS

#: Digests that are the same for whoever is given them (docs/decisions/0032, "Not there").
STATES = {"state", "state_before", "state_after"}


def test_a_registration_s_state_is_given_to_one_party_alone() -> None:
    given = {party for party, _, _, fields, *_ in AGREEMENTS.values() if STATES & set(fields)}
    assert given == {"ministry"}
