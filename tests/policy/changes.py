"""Every change of a policy that has a sentence: where, from what to what, and what is said of it each way."""

from __future__ import annotations

from typing import Any

from tests.policy.made import authority, officer, policy

MINISTRY = ("agreements", "ENT-1")
_OTHER_ROOT = authority("other").root.pem.decode()
_AGREEMENT = policy()["agreements"]["ENT-2"]
_BUDGET = (*MINISTRY, "budget")
_CEILING = {"subjects": 50, "hours": 12}
_SEALED_GLASS = {"subjects": 100, "window_hours": 24, "break_glass": _CEILING}
_NIGHT = {"since": "2026-11-20T18:00:00Z", "until": "2026-11-21T06:00:00Z"}
_RAISED = {"subjects": 50, "validity": _NIGHT, "reason": "rattrapage"}
_EARLIER, _LATER = "2026-10-01T00:00:00Z", "2027-10-01T00:00:00Z"
_FIELDS = (*MINISTRY, "fields")
_RETENTION = policy()["retention"]
_VKEY = "witness.test/1+3dd77e39+BAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
_OTHER_VKEY = "witness.test/2+f9ac8000+BAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
_WITNESS = {"vkey": _VKEY, "url": "https://witness.test", "organisation": "Témoin"}
_SECOND = {"vkey": _OTHER_VKEY, "url": "https://second.test", "organisation": "Autre"}
_WITNESSING = {"quorum": 1, "when_missing": "open", "witnesses": {"one": _WITNESS}}
_TWO = _WITNESSING | {"witnesses": {"one": _WITNESS, "two": _SECOND}}
_TSA = {"url": "http://tsa.test/tsr", "root": _OTHER_ROOT}
_TIMESTAMPING = {"authorities": {"tsa": _TSA}}

#: name -> (path, value before, value after, sentence); what is put back, the other way round, is in the next column
CASES: dict[str, tuple[tuple[str, ...], Any, Any, str, str]] = {
    "field": (_FIELDS, ["outcome"], ["outcome", "handle"], "+agreement_field_added", "agreement_field_removed"),
    "purpose": ((*MINISTRY, "purposes"), ["a"], ["a", "b"], "+agreement_purpose_added", "agreement_purpose_removed"),
    "tells": ((*MINISTRY, "tells_not_found"), False, True, "+tells_not_found", "conceals_not_found"),
    "since": (
        (*MINISTRY, "validity", "since"),
        "2026-11-01T00:00:00Z",
        _EARLIER,
        "+agreement_begins_earlier",
        "agreement_begins_later",
    ),
    "until": (
        (*MINISTRY, "validity", "until"),
        _LATER,
        "2027-11-01T00:00:00Z",
        "+agreement_ends_later",
        "agreement_ends_earlier",
    ),
    "budget": (_BUDGET, {"subjects": 1, "window_hours": 2}, None, "+budget_removed", "budget_set"),
    "subjects": ((*_BUDGET, "subjects"), 1, 2, "+budget_subjects_raised", "budget_subjects_lowered"),
    "window": ((*_BUDGET, "window_hours"), 24, 12, "+budget_window_lowered", "budget_window_raised"),
    "break_glass": ((*_BUDGET, "break_glass"), None, _CEILING, "+break_glass_set", "break_glass_removed"),
    "glass_subjects": (
        (*_BUDGET, "break_glass"),
        _CEILING,
        _CEILING | {"subjects": 51},
        "+break_glass_subjects_raised",
        "break_glass_subjects_lowered",
    ),
    "glass_hours": (
        (*_BUDGET, "break_glass"),
        _CEILING,
        _CEILING | {"hours": 13},
        "+break_glass_hours_raised",
        "break_glass_hours_lowered",
    ),
    "raise": (
        _BUDGET,
        _SEALED_GLASS,
        _SEALED_GLASS | {"raised": _RAISED},
        "budget_raised_inside",
        "budget_raise_ended",
    ),
    "agreement_party": ((*MINISTRY, "party"), "ministry", "cooperative", "+agreement_party", "+agreement_party"),
    "operation": ((*MINISTRY, "operation"), "echo", "nirec.verify", "+agreement_operation", "+agreement_operation"),
    "legal_basis": ((*MINISTRY, "legal_basis", "fr"), "a", "b", "agreement_legal_basis", "agreement_legal_basis"),
    "agreement": (
        ("agreements", "ENT-3"),
        None,
        _AGREEMENT | {"operation": "echo"},
        "+agreement_added",
        "agreement_removed",
    ),
    "suspended": (("parties", "ministry", "suspended"), True, False, "+party_readmitted", "party_suspended"),
    "unsigned": (("parties", "ministry", "unsigned"), False, True, "+party_unsigned", "party_signs"),
    "sealed_apart": (
        ("parties", "ministry", "sealed_apart"),
        None,
        "ab" * 32,
        "+party_sealed_apart_set",
        "party_sealed_apart_removed",
    ),
    "sealed_apart_key": (
        ("parties", "ministry", "sealed_apart"),
        "ab" * 32,
        "cd" * 32,
        "+party_sealed_apart_replaced",
        "+party_sealed_apart_replaced",
    ),
    "role": (("parties", "ministry", "role"), "ministry", "auditor", "+party_role", "+party_role"),
    "title": (("parties", "ministry", "title", "en"), "a", "b", "party_title", "party_title"),
    "party_authority": (
        ("parties", "ministry", "authority"),
        "ministry",
        "cooperative",
        "+party_authority",
        "+party_authority",
    ),
    "name": (("parties", "ministry", "names"), ["a.b"], ["a.b", "c.d"], "+party_name_added", "party_name_removed"),
    "party": (
        ("parties", "new"),
        None,
        policy()["parties"]["ministry"] | {"names": ["new.test"]},
        "+party_added",
        "party_removed",
    ),
    "root": (
        ("authorities", "ministry", "roots"),
        [authority("ministry").root.pem.decode()],
        [authority("ministry").root.pem.decode(), _OTHER_ROOT],
        "+root_added",
        "root_removed",
    ),
    "intermediate": (
        ("authorities", "ministry", "intermediates"),
        [],
        [_OTHER_ROOT],
        "+intermediate_added",
        "intermediate_removed",
    ),
    "authority": (("authorities", "other"), None, {"roots": [_OTHER_ROOT]}, "+authority_added", "authority_removed"),
    "threshold": (("officers", "threshold"), 3, 2, "+threshold_lowered", "threshold_raised"),
    "officer": (("officers", "keys", "new"), None, officer("new").public, "+officer_added", "officer_removed"),
    "officer_key": (
        ("officers", "keys", "officer-1"),
        officer("officer-1").public,
        officer("new").public,
        "+officer_replaced",
        "+officer_replaced",
    ),
    "recovery": (
        ("officers", "recovery", "new"),
        None,
        officer("new").public,
        "+recovery_officer_added",
        "+recovery_officer_removed",
    ),
    "recovery_key": (
        ("officers", "recovery", "last-1"),
        officer("last-1").public,
        officer("new").public,
        "+recovery_officer_replaced",
        "+recovery_officer_replaced",
    ),
    "recovery_threshold": (
        ("officers", "recovery_threshold"),
        3,
        2,
        "+recovery_threshold_lowered",
        "recovery_threshold_raised",
    ),
    "recovery_delay": (
        ("officers", "recovery_delay_hours"),
        72,
        48,
        "+recovery_delay_lowered",
        "recovery_delay_raised",
    ),
    "widening_delay": (("officers", "widening_delay_hours"), 24, 0, "+widening_delay_lowered", "widening_delay_raised"),
    "refusals": (("guard", "refusals_per_minute"), 60, 61, "+refusals_raised", "refusals_lowered"),
    "canary": (("guard", "canaries"), ["a", "b"], ["a"], "+canary_removed", "canary_added"),
    "grace": (("guard", "revocation_grace_hours"), 0, 24, "+revocation_grace_raised", "revocation_grace_lowered"),
    "period": (("periods", "202701"), None, "c" * 64, "+period_added", "period_removed"),
    "period_key": (("periods", "202611"), "a" * 64, "c" * 64, "+period_replaced", "+period_replaced"),
    "retention": (("retention",), None, _RETENTION, "+retention_set", "retention_removed"),
    "months": (("retention", "months"), 60, 12, "+retention_lowered", "retention_raised"),
    "auditor": (("retention", "auditors", "new"), None, officer("new").public, "+auditor_added", "auditor_removed"),
    "auditor_key": (
        ("retention", "auditors", "auditor-1"),
        officer("auditor-1").public,
        officer("new").public,
        "+auditor_replaced",
        "+auditor_replaced",
    ),
    "witnessing": (("witnessing",), _WITNESSING, None, "+witnessing_removed", "witnessing_set"),
    "quorum": (("witnessing",), _TWO | {"quorum": 2}, _TWO, "+quorum_lowered", "quorum_raised"),
    "when_missing": (
        ("witnessing",),
        _WITNESSING | {"when_missing": "closed"},
        _WITNESSING,
        "+witnesses_open",
        "witnesses_closed",
    ),
    "witnesses": (("witnessing",), _WITNESSING, _TWO, "+witness_added", "+witness_removed"),
    "vkey": (
        ("witnessing",),
        _WITNESSING,
        _WITNESSING | {"witnesses": {"one": _WITNESS | {"vkey": _OTHER_VKEY}}},
        "+witness_vkey",
        "+witness_vkey",
    ),
    "url": (
        ("witnessing",),
        _WITNESSING,
        _WITNESSING | {"witnesses": {"one": _WITNESS | {"url": "https://b.test"}}},
        "witness_url",
        "witness_url",
    ),
    "organisation": (
        ("witnessing",),
        _WITNESSING,
        _WITNESSING | {"witnesses": {"one": _WITNESS | {"organisation": "b"}}},
        "witness_organisation",
        "witness_organisation",
    ),
    "timestamping": (("timestamping",), _TIMESTAMPING, None, "+timestamping_removed", "timestamping_set"),
    "timestamp_authorities": (
        ("timestamping",),
        _TIMESTAMPING,
        {"authorities": {"tsa": _TSA, "other": dict(_TSA)}},
        "+timestamp_authority_added",
        "+timestamp_authority_removed",
    ),
    "timestamp_url": (
        ("timestamping",),
        _TIMESTAMPING,
        {"authorities": {"tsa": _TSA | {"url": "http://b.test"}}},
        "timestamp_url",
        "timestamp_url",
    ),
    "timestamp_root": (
        ("timestamping",),
        _TIMESTAMPING,
        {"authorities": {"tsa": _TSA | {"root": authority("ministry").root.pem.decode()}}},
        "+timestamp_root",
        "+timestamp_root",
    ),
    "timestamp_policy": (
        ("timestamping",),
        _TIMESTAMPING,
        {"authorities": {"tsa": _TSA | {"policy": "1.2.3"}}},
        "+timestamp_policy",
        "+timestamp_policy",
    ),
    "halt": (
        ("timestamping",),
        _TIMESTAMPING | {"halt_after_minutes": 5},
        _TIMESTAMPING | {"halt_after_minutes": 6},
        "+timestamp_halt_raised",
        "timestamp_halt_lowered",
    ),
    "halts": (
        ("timestamping",),
        _TIMESTAMPING | {"halt_after_minutes": 5},
        _TIMESTAMPING,
        "+timestamp_halt_removed",
        "timestamp_halt_set",
    ),
    "origin": (("origin",), "a.example", "b.example", "+origin", "+origin"),
    "version": (("version",), 1, 2, "version", "version"),
    "previous": (("previous",), None, "a" * 64, "previous", "previous"),
    "gateway": (("gateway",), "passerelle", "ministry", "+gateway", "+gateway"),
    "policy_since": (
        ("validity", "since"),
        "2026-11-01T00:00:00Z",
        _EARLIER,
        "+policy_begins_earlier",
        "policy_begins_later",
    ),
    "policy_until": (
        ("validity", "until"),
        _LATER,
        "2027-11-01T00:00:00Z",
        "+policy_ends_later",
        "policy_ends_earlier",
    ),
    "order": (_FIELDS, ["outcome", "handle"], ["handle", "outcome"], "rewritten", "rewritten"),
    "twice": (_FIELDS, ["outcome"], ["outcome", "outcome"], "rewritten", "rewritten"),
}
