"""The wish of an organisation to be admitted, in the file that brings it to the members.

    {"profile": "medaccord/admission/1", "publication": {…}, "organisation": {…}}

`publication` is what the organisation signed: the key and the hash of the profile that it wants to
have in the registry, until a deadline. `organisation` is that profile, so that the members see who
it is that they vote on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Self

from medaccord.chain.actions import SignedAction
from medaccord.chain.deployment import Contracts
from medaccord.chain.values import moment
from medaccord.client.consortium import Admission
from medaccord.client.signatures import check_signed
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import CommitmentMismatch, InvalidDocument
from medaccord.core.identifiers import Address, digest
from medaccord.core.profiles import OrganisationProfile

PROFILE: Final = "medaccord/admission/1"
"""Names the form of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionWish:
    """A wish to be admitted.

    Attributes:
        admission: what the organisation signed.
        organisation: its public profile.
    """

    admission: Admission
    organisation: OrganisationProfile

    @property
    def account(self) -> Address:
        """Who wants to be admitted."""
        return self.organisation.account.address

    def document(self) -> dict[str, Any]:
        """The wish in JSON, profile ``medaccord/admission/1``."""
        return {
            "profile": PROFILE,
            "publication": self.admission.publication.to_document(),
            "organisation": self.organisation.document(),
        }

    def to_file(self) -> bytes:
        """The content of the file."""
        return json.dumps(self.document(), indent=2, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def read(cls, content: bytes, contracts: Contracts) -> Self:
        """Read a wish, and check that the organisation signed it and what it is about.

        Args:
            content: of the file.
            contracts: where it wants to be admitted.

        Raises:
            CommitmentMismatch: what was signed is about another profile.
            InvalidDocument: it is malformed, or about other contracts.
            SignatureMismatch: another key signed it than it names.
            TransportError: the node does not answer.
        """
        reader = DocumentReader.open(
            content, profile=PROFILE, required=("publication", "organisation")
        )
        organisation = OrganisationProfile.parse(reader.mapping("organisation"))
        publication = SignedAction.parse(contracts, reader.mapping("publication"))
        action = publication.action
        if action.function != "publish":
            raise InvalidDocument(f"a wish to be admitted signs a profile, not {action.function}")
        check_signed(contracts.network, action.by, action.typed, publication.signature)
        message = action.typed.message
        profile: Any = message["profile"]
        signed = contracts.account_id(action.account), digest(profile)
        if signed != (organisation.account, organisation.hash):
            raise CommitmentMismatch("what was signed is about another profile than the one in it")
        deadline: Any = message["deadline"]
        return cls(
            admission=Admission(publication=publication, deadline=moment(deadline)),
            organisation=organisation,
        )
