"""What an emergency opens is fixed and published; its reason is coded and committed to."""

import pytest

from medaccord.core.commitments import check
from medaccord.core.emergency import EMERGENCY_SCOPES, EmergencyCode, EmergencyReason
from medaccord.core.errors import InvalidDocument, InvalidIdentifier
from medaccord.core.identifiers import Digest

SALT = Digest(b"\x07" * 32)
REASON = EmergencyReason(code=EmergencyCode.UNCONSCIOUS, salt=SALT)
TEXT = (
    b'{"code":"unconscious","profile":"medaccord/emergency-reason/1","salt":"0x'
    + b"07" * 32
    + b'"}'
)


def test_scopes_are_the_published_ones_when_read() -> None:
    assert [str(scope) for scope in EMERGENCY_SCOPES] == [
        "patient/AllergyIntolerance.rs",
        "patient/Condition.rs",
        "patient/Device.rs",
        "patient/Immunization.rs",
        "patient/MedicationRequest.rs",
        "patient/MedicationStatement.rs",
        "patient/Observation.rs?category=laboratory,vital-signs",
        "patient/Patient.rs",
        "patient/Procedure.rs",
    ]


def test_reason_is_committed_to_by_its_canonical_document_when_opened() -> None:
    check(REASON.commitment, SALT, TEXT)


@pytest.mark.parametrize("code", EmergencyCode)
def test_reason_comes_back_when_written_and_read(code: EmergencyCode) -> None:
    reason = EmergencyReason(code=code, salt=SALT)
    assert EmergencyReason.parse(reason.document()) == reason
    assert code.display


def test_reason_is_read_when_it_is_text() -> None:
    assert EmergencyReason.parse(TEXT) == REASON


def test_reason_is_refused_when_its_code_is_unknown() -> None:
    with pytest.raises(InvalidDocument, match="'curious' is no emergency reason; they are unconsc"):
        EmergencyReason.parse({**REASON.document(), "code": "curious"})


def test_reason_is_refused_when_it_has_free_text() -> None:
    with pytest.raises(InvalidDocument, match="unknown members: note"):
        EmergencyReason.parse({**REASON.document(), "note": "fell down the stairs"})


def test_reason_is_refused_when_its_salt_is_short() -> None:
    with pytest.raises(InvalidIdentifier, match="not 32 bytes but 16"):
        EmergencyReason(code=EmergencyCode.UNCONSCIOUS, salt=Digest(bytes(16)))
