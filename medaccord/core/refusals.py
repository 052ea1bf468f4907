"""The reasons for which a gatekeeper refuses to release a record."""

from enum import StrEnum
from typing import Final


class Refusal(StrEnum):
    """Why access was refused; the value is what travels and what the audit log keeps."""

    CHAIN_UNREACHABLE = "chain-unreachable"
    LEDGER_BEHIND = "ledger-behind"
    HEAD_TOO_OLD = "head-too-old"
    CLOCKS_APART = "clocks-apart"
    STEWARD_NOT_ACTIVE = "steward-not-active"
    NOT_AN_ORGANISATION = "not-an-organisation"
    SUSPENDED = "suspended"
    NO_RELATIONSHIP = "no-relationship"
    NO_CONSENT = "no-consent"
    CONSENT_REVOKED = "consent-revoked"
    CONSENT_ENDED = "consent-ended"
    CONSENT_NOT_STARTED = "consent-not-started"
    CONSENT_EPOCH_ENDED = "consent-epoch-ended"
    TERMS_MISSING = "terms-missing"
    TERMS_MISMATCH = "terms-mismatch"
    STEWARD_NOT_NAMED = "steward-not-named"
    PURPOSE_NOT_COVERED = "purpose-not-covered"
    SCOPE_NOT_COVERED = "scope-not-covered"
    EMERGENCY_CLOSED = "emergency-closed"
    EMERGENCY_ENDED = "emergency-ended"
    EMERGENCY_REASON_MISSING = "emergency-reason-missing"
    RECORD_UNVERIFIABLE = "record-unverifiable"
    NOT_SIGNED_IN = "not-signed-in"
    UNKNOWN_PATIENT = "unknown-patient"
    MAY_NOT_ASK = "may-not-ask"


IN_DOUBT: Final = frozenset(
    {
        Refusal.CHAIN_UNREACHABLE,
        Refusal.LEDGER_BEHIND,
        Refusal.HEAD_TOO_OLD,
        Refusal.CLOCKS_APART,
    }
)
"""Refusals that say nothing about the asker: it may ask again when the chain is in reach."""
