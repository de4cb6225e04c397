"""Why a SOAP message was refused, in the words of the gateway's callers: a code, and the component that failed."""

from __future__ import annotations

from gateway.errors import Code, Refusal

_MALFORMED = Code.SIGNATURE_MALFORMED
_TOLD: dict[str, tuple[Code, str | None]] = {
    "xml_too_large": (Code.BODY_TOO_LARGE, None),
    "envelope_shape": (Code.BODY_MALFORMED, "Envelope"),
    "encrypted": (Code.BODY_MALFORMED, "EncryptedData"),
    "security_shape": (_MALFORMED, "Security"),
    "header_repeated": (_MALFORMED, "Header"),
    "id_repeated": (_MALFORMED, "Id"),
    "token_refused": (_MALFORMED, "SecurityTokenReference"),
    "base64_malformed": (_MALFORMED, "base64"),
    "signed_info_malformed": (_MALFORMED, "SignedInfo"),
    "signed_info_not_canonical": (_MALFORMED, "SignedInfo"),
    "transform_refused": (_MALFORMED, "Transform"),
    "reference_refused": (_MALFORMED, "Reference"),
    "reference_repeated": (_MALFORMED, "Reference"),
    "reference_dangling": (_MALFORMED, "Reference"),
    "reference_misplaced": (_MALFORMED, "Reference"),
    "coverage_differs": (_MALFORMED, "Reference"),
    "block_malformed": (_MALFORMED, "Header"),
    "block_repeated": (_MALFORMED, "Header"),
    "not_covered": (Code.COMPONENT_NOT_COVERED, "Body"),
    "algorithm_refused": (Code.KEY_REFUSED, "Algorithm"),
    "certificate_malformed": (Code.KEY_REFUSED, "BinarySecurityToken"),
    "signature_invalid": (Code.SIGNATURE_INVALID, "SignatureValue"),
    "digest_mismatch": (Code.DIGEST_MISMATCH, "Reference"),
    "timestamp_malformed": (_MALFORMED, "Timestamp"),
    "timestamp_stale": (Code.CREATED_OUT_OF_WINDOW, "Timestamp"),
}


def refusal_of(reason: str, nonce: str | None) -> Refusal:
    """The refusal for a reason of ``parse``, ``open_soap``, ``proven`` or ``check_fresh``.

    ``reason`` goes along: a stable word of ours, which tells an integrator more than the component does.
    """
    code, component = _TOLD.get(reason, (Code.BODY_MALFORMED, None))
    return Refusal(code, component=component, nonce=nonce, reason=reason)
