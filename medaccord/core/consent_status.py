"""How far an agreement has come, from being asked for to its end."""

from enum import StrEnum

__all__ = ["ConsentStatus"]


class ConsentStatus(StrEnum):
    """Where a request or a consent stands; the value is the code that FHIR has for it.

    Source: FHIR R4 Consent.status; Inrupt access grants have requested, active, denied, revoked and
    expired.
    """

    PROPOSED = "proposed"
    """Asked for, and not answered yet."""

    ACTIVE = "active"
    """Granted, and permits reading now."""

    REJECTED = "rejected"
    """Asked for, and denied."""

    INACTIVE = "inactive"
    """Permits nothing now: revoked, expired, withdrawn, ended with all others, or not begun yet."""
