"""The public profile of an organisation: its name, its gatekeeper, and the keys its systems have.

The registry holds the hash of it, so that it does not matter who serves the document. Whoever has
the private half of a key of `jwks` may read in the organisation's name, at every gatekeeper, until
the organisation has registered a profile without that key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

from eth_utils.crypto import keccak

from medaccord.core.canonical import document_bytes
from medaccord.core.documents import MAX_INTEGER, DocumentReader
from medaccord.core.errors import CommitmentMismatch, InvalidDocument
from medaccord.core.identifiers import AccountId, Digest
from medaccord.core.key_sets import SigningKey, check_key_set, key_set_document, parse_key_set

PROFILE: Final = "medaccord/organisation/1"
"""Names the schema; another one is refused."""

_MAX_NAME: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationProfile:
    """What an organisation says about itself.

    Attributes:
        account: The organisation.
        name: What it is called, 1 to 120 printable characters.
        gatekeeper: Address of its gatekeeper, http or https; None for one that keeps no records.
        jwks: The keys its systems sign in with (SMART Backend Services), at most `MAX_KEYS`; none
            where only its Ethereum keys do.
        serial: Which version of the profile this is, from 1; None where versions are not counted.

    Raises:
        InvalidDocument: The name, the address of the gatekeeper or the serial is malformed, or two
            keys have one kid.
    """

    account: AccountId
    name: str
    gatekeeper: str | None = None
    jwks: tuple[SigningKey, ...] = ()
    serial: int | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be shown to a person or called."""
        if not 1 <= len(self.name) <= _MAX_NAME or not self.name.isprintable():
            raise InvalidDocument(f"a profile's name has 1 to {_MAX_NAME} printable characters")
        if self.gatekeeper is not None and not _is_address(self.gatekeeper):
            raise InvalidDocument(f"no address of a gatekeeper: {self.gatekeeper!r}")
        if self.serial is not None and not 1 <= self.serial <= MAX_INTEGER:
            raise InvalidDocument("a profile's serial counts from 1")
        check_key_set(self.jwks)

    def document(self) -> dict[str, Any]:
        """The profile in JSON, profile ``medaccord/organisation/1``."""
        document: dict[str, Any] = {
            "profile": PROFILE,
            "account": str(self.account),
            "name": self.name,
        }
        if self.gatekeeper is not None:
            document["gatekeeper"] = self.gatekeeper
        if self.jwks:
            document["jwks"] = key_set_document(self.jwks)
        if self.serial is not None:
            document["serial"] = self.serial
        return document

    @property
    def hash(self) -> Digest:
        """What the registry holds: keccak256 of the RFC 8785 form."""
        return Digest(keccak(document_bytes(self.document())))

    @classmethod
    def parse(cls, document: bytes | str | Mapping[str, Any]) -> Self:
        """Read what `document` writes.

        Raises:
            InvalidDocument: It is malformed, of another profile, or a member does not fit.
        """
        reader = DocumentReader.open(
            document,
            profile=PROFILE,
            required=("account", "name"),
            optional=("gatekeeper", "jwks", "serial"),
        )
        return cls(
            account=AccountId.parse(reader.text("account")),
            name=reader.text("name"),
            gatekeeper=reader.text("gatekeeper") if reader.has("gatekeeper") else None,
            jwks=parse_key_set(reader.raw("jwks")) if reader.has("jwks") else (),
            serial=reader.integer("serial", minimum=1) if reader.has("serial") else None,
        )

    def check(self, account: AccountId, registered: Digest) -> None:
        """Check that the registry names this profile for an account.

        Raises:
            CommitmentMismatch: The profile is another account's, or not the one in force.
        """
        if self.account != account or self.hash != registered:
            raise CommitmentMismatch(f"this is not the profile in force of {account}")


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
    except ValueError:  # half a bracket, say
        return False
    return url.scheme in ("http", "https") and bool(url.netloc)
