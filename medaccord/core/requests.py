"""A request for access: what an organisation asks a patient for, and signs.

It never stands on chain, where a refused approach would stay for ever. A consent that answers it
names its digest; the patient may have narrowed the terms before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from medaccord.core import sentences
from medaccord.core.documents import DocumentReader, instant_text
from medaccord.core.errors import InvalidInput, InvalidRequest
from medaccord.core.identifiers import AccountId, Digest, digest, hex_digest
from medaccord.core.terms import Terms
from medaccord.core.typed_data import Domain, TypedData, typed

__all__ = ["PROFILE", "AccessRequest"]

PROFILE: Final = "medaccord/request/1"
"""Names the schema; another one is refused."""

_ACCOUNTS: Final = ("requester", "patient", "steward")
_TIMES: Final = {"valid_from": "validFrom", "valid_until": "validUntil", "issued_at": "issuedAt"}
_LATEST: Final = 253_402_300_799
"""The last second of the year 9999 in UTC, since 1970; contracts would hold later ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """What is asked for.

    Attributes:
        requester: the organisation that asks.
        patient: whom it asks.
        steward: whose gatekeeper the request is left at; one of the terms' stewards.
        terms: what it asks for.
        valid_from: start of the consent asked for, included.
        valid_until: end of the consent asked for, excluded; after `valid_from`.
        issued_at: when the request was made.
        nonce: 32 random bytes, so that no two requests have one digest.

    Raises:
        InvalidRequest: accounts on different chains or not distinct, a steward the terms do not
            name, a window that is empty, or a time that is not in whole seconds with a timezone.
    """

    requester: AccountId
    patient: AccountId
    steward: AccountId
    terms: Terms
    valid_from: datetime
    valid_until: datetime
    issued_at: datetime
    nonce: Digest

    def __post_init__(self) -> None:
        """Refuse a request that no consent could answer."""
        if len({self.requester.chain_id, self.patient.chain_id, self.steward.chain_id}) != 1:
            raise InvalidRequest("requester, patient and steward are on different chains")
        if self.patient in (self.requester, self.steward):
            raise InvalidRequest("the patient is neither requester nor steward")
        if not self.terms.names(self.steward):
            raise InvalidRequest(f"the terms do not name the steward {self.steward}")
        for name in _TIMES:
            _check_time(name, getattr(self, name))
        if self.valid_until <= self.valid_from:
            raise InvalidRequest(
                f"the request ends at {self.valid_until} but starts at {self.valid_from}"
            )
        digest(self.nonce)

    def typed(self, domain: Domain) -> TypedData:
        """What the requester signs.

        Args:
            domain: the off-chain domain of the deployment.

        Raises:
            InvalidRequest: the domain is of another chain than the accounts.
        """
        if domain.chain_id != self.patient.chain_id:
            raise InvalidRequest(
                f"the request is for chain {self.patient.chain_id}, not {domain.chain_id}"
            )
        return typed(
            domain,
            "Request",
            requester=self.requester.address,
            patient=self.patient.address,
            steward=self.steward.address,
            terms=self.terms.commitment,
            validFrom=int(self.valid_from.timestamp()),
            validUntil=int(self.valid_until.timestamp()),
            issuedAt=int(self.issued_at.timestamp()),
            nonce=self.nonce,
        )

    def digest(self, domain: Domain) -> Digest:
        """The EIP-712 digest; a consent that answers this request carries it."""
        return self.typed(domain).digest()

    def document(self) -> dict[str, Any]:
        """The request as a JSON document."""
        return {
            "profile": PROFILE,
            **{name: str(getattr(self, name)) for name in _ACCOUNTS},
            "terms": self.terms.document(),
            **{member: instant_text(getattr(self, name)) for name, member in _TIMES.items()},
            "nonce": hex_digest(self.nonce),
        }

    @classmethod
    def parse(cls, source: bytes | str | Mapping[str, Any]) -> Self:
        """Read a request from its document.

        Raises:
            InvalidTerms: its terms cannot be read.
            InvalidRequest: anything else about it cannot.
        """
        try:
            reader = DocumentReader.open(
                source,
                profile=PROFILE,
                required=[*_ACCOUNTS, "terms", *_TIMES.values(), "nonce"],
            )
            members: dict[str, Any] = {
                **{name: AccountId.parse(reader.text(name)) for name in _ACCOUNTS},
                **{name: reader.instant(member) for name, member in _TIMES.items()},
                "nonce": reader.digest("nonce"),
            }
            terms = reader.mapping("terms")
        except InvalidInput as error:
            raise InvalidRequest(f"the request cannot be read: {error.problem}") from error
        return cls(terms=Terms.parse(terms), **members)

    def sentence(self, requester_name: str, steward_names: Mapping[AccountId, str]) -> str:
        """What the patient reads in the inbox.

        Args:
            requester_name: the requester's name, from its checked profile.
            steward_names: names of the stewards; one that is missing is shown by its account.
        """
        what = self.terms.phrase(steward_names, self.valid_from, self.valid_until)
        return f"{sentences.clean_name(requester_name)} asks to read {what}."


def _check_time(name: str, at: datetime) -> None:
    if at.tzinfo is None:
        raise InvalidRequest(f"{name} has no timezone")
    if at.microsecond or not 0 <= at.timestamp() <= _LATEST:
        raise InvalidRequest(f"{name} is not in whole seconds since 1970: {at.isoformat()}")
