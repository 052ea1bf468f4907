"""Emergency access: the fixed scope it opens, and the coded reason that is committed to.

Both are published, so that a patient knows beforehand what an emergency can open. There is no free
text: it would be about a person, and nobody could check it.

Source: what the International Patient Summary (IPS) calls for, as types of FHIR R4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from medaccord.core import commitments
from medaccord.core.canonical import document_bytes
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import InvalidDocument
from medaccord.core.identifiers import Digest, digest, hex_digest
from medaccord.core.scopes import Scope

PROFILE: Final = "medaccord/emergency-reason/1"

EMERGENCY_SCOPES: Final[tuple[Scope, ...]] = tuple(
    Scope.parse(text)
    for text in (
        "patient/AllergyIntolerance.rs",
        "patient/Condition.rs",
        "patient/Device.rs",
        "patient/Immunization.rs",
        "patient/MedicationRequest.rs",
        "patient/MedicationStatement.rs",
        "patient/Observation.rs?category=laboratory,vital-signs",
        "patient/Patient.rs",
        "patient/Procedure.rs",
    )
)
"""What an open emergency covers: no more, whatever the reason."""


class EmergencyCode(StrEnum):
    """Why a record is opened without consent."""

    UNCONSCIOUS = "unconscious"
    LIFE_THREATENING = "life-threatening"
    OTHER_CLINICAL = "other-clinical"

    @property
    def display(self) -> str:
        """The reason in words, as the patient reads it."""
        return _DISPLAYS[self]


_DISPLAYS: Final = {
    EmergencyCode.UNCONSCIOUS: "the patient could not be asked (unconscious)",
    EmergencyCode.LIFE_THREATENING: "the patient's life was in danger",
    EmergencyCode.OTHER_CLINICAL: "another clinical emergency",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyReason:
    """The reason an organisation opens emergency access for; the chain holds its commitment.

    Attributes:
        code: The coded reason.
        salt: 32 fresh random bytes.

    Raises:
        InvalidIdentifier: The salt has not 32 bytes.
    """

    code: EmergencyCode
    salt: Digest

    def __post_init__(self) -> None:
        """Refuse a salt that cannot be committed with."""
        digest(self.salt)

    def document(self) -> dict[str, Any]:
        """The reason in JSON, profile ``medaccord/emergency-reason/1``."""
        return {"profile": PROFILE, "code": self.code.value, "salt": hex_digest(self.salt)}

    @property
    def commitment(self) -> Digest:
        """What goes on chain. Source: `medaccord.core.commitments`."""
        return commitments.commit(self.salt, document_bytes(self.document()))

    @classmethod
    def parse(cls, document: bytes | str | Mapping[str, Any]) -> Self:
        """Read what `document` writes.

        Raises:
            InvalidDocument: It is malformed, of another profile, or the code is unknown.
        """
        reader = DocumentReader.open(document, profile=PROFILE, required=("code", "salt"))
        code = reader.text("code")
        try:
            return cls(code=EmergencyCode(code), salt=reader.digest("salt"))
        except ValueError as error:
            known = ", ".join(EmergencyCode)
            raise InvalidDocument(f"{code!r} is no emergency reason; they are {known}") from error
