"""How far a request has come, as gatekeepers say it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from medaccord.core.consent_status import ConsentStatus
from medaccord.core.errors import InvalidDocument

STATUS_OF: Final[Mapping[str, ConsentStatus]] = MappingProxyType(
    {
        "open": ConsentStatus.PROPOSED,
        "granted": ConsentStatus.ACTIVE,
        "denied": ConsentStatus.REJECTED,
        "cancelled": ConsentStatus.INACTIVE,
        "expired": ConsentStatus.INACTIVE,
    }
)
"""What the states of a gatekeeper's inbox mean."""


def status_of(state: str) -> ConsentStatus:
    """What a state means.

    Raises:
        InvalidDocument: It is none.
    """
    if state not in STATUS_OF:
        raise InvalidDocument(
            f"{state!r} is no state of a request; they are {', '.join(STATUS_OF)}"
        )
    return STATUS_OF[state]
