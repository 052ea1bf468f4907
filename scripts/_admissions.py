"""A motion to admit an organisation, as the file in which it goes from member to member."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from medaccord.chain.actions import Kind, Motion, SignedAction
from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Role
from medaccord.chain.values import moment
from medaccord.client import Admission
from medaccord.core.documents import DocumentReader
from medaccord.core.identifiers import digest

PROFILE: Final = "medaccord/admission/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedAdmission:
    """The motion to admit an organisation, and the wish that it signed.

    Attributes:
        motion: What the members vote on.
        wish: What the organisation signed: its key and its profile.
    """

    motion: Motion
    wish: Admission

    def save(self, path: Path) -> None:
        """Write both to a file."""
        document = {
            "profile": PROFILE,
            "roles": int(self.motion.roles),
            "nonce": str(self.motion.nonce),
            "publication": self.wish.publication.to_document(),
        }
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path, contracts: Contracts) -> ProposedAdmission:
        """Read both from a file.

        Raises:
            InvalidInput: It holds something else.
            SignatureMismatch: The wish is not signed by whom it names.
        """
        members = ("roles", "nonce", "publication")
        reader = DocumentReader.open(path.read_bytes(), profile=PROFILE, required=members)
        publication = SignedAction.parse(contracts, reader.mapping("publication"))
        publication.check_signature()
        wished = publication.action.typed.message
        wish = Admission(publication=publication, deadline=moment(int(str(wished["deadline"]))))
        motion = Motion(
            kind=Kind.ADMIT,
            account=publication.action.account,
            roles=Role(reader.integer("roles")),
            key=digest(wished["key"]),  # type: ignore[arg-type]  # a bytes32 of the ABI
            profile=digest(wished["profile"]),  # type: ignore[arg-type]  # a bytes32 of the ABI
            nonce=int(reader.text("nonce")),
            deadline=wish.deadline,
        )
        return cls(motion=motion, wish=wish)
