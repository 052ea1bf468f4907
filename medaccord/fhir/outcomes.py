"""OperationOutcome: how a refusal or an error travels.

Source: FHIR R4 OperationOutcome; value set issue-type for `issue`.
"""

from dataclasses import dataclass
from typing import Final

from medaccord.core.canonical import Value, encode, parse_object
from medaccord.core.errors import InvalidDocument
from medaccord.core.refusals import Refusal

__all__ = ["OUTCOME_SYSTEM", "Outcome", "operation_outcome", "parse_outcome"]

OUTCOME_SYSTEM: Final = "https://medaccord.example/fhir/CodeSystem/outcome"
"""The code system of our codes: the values of `Refusal`, and the names of errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an OperationOutcome says.

    Attributes:
        issue: code of the value set issue-type.
        code: our code.
        diagnostics: one sentence for a person.
    """

    issue: str
    code: str
    diagnostics: str

    @property
    def refusal(self) -> Refusal | None:
        """The refusal that the code stands for; None where it stands for another error."""
        return Refusal(self.code) if self.code in set(Refusal) else None


def operation_outcome(*, issue: str, code: str, diagnostics: str) -> bytes:
    """Write an OperationOutcome with one error.

    Args:
        issue: code of the value set issue-type, such as "forbidden".
        code: our code: a `Refusal`'s value, or the name of an error.
        diagnostics: one sentence for a person, with nothing about records not released.
    """
    coding: Value = [{"system": OUTCOME_SYSTEM, "code": str(code)}]
    return encode(
        {
            "resourceType": "OperationOutcome",
            "issue": [
                {
                    "severity": "error",
                    "code": issue,
                    "details": {"coding": coding},
                    "diagnostics": diagnostics,
                }
            ],
        }
    )


def parse_outcome(data: bytes) -> Outcome:
    """Read what `operation_outcome` writes; another server's, as far as it says the same.

    Raises:
        InvalidDocument: it is no OperationOutcome, or has no issue.
    """
    outcome = parse_object(data)
    issues = outcome.get("issue")
    if outcome.get("resourceType") != "OperationOutcome" or not isinstance(issues, list):
        raise InvalidDocument("the answer is no OperationOutcome")
    first = issues[0] if issues else None
    if not isinstance(first, dict):
        raise InvalidDocument("the OperationOutcome has no issue")
    return Outcome(
        issue=_text(first.get("code")),
        code=_text(_first_code(first.get("details"))),
        diagnostics=_text(first.get("diagnostics")),
    )


def _first_code(details: Value) -> Value:
    codings = details.get("coding") if isinstance(details, dict) else None
    for coding in codings if isinstance(codings, list) else []:
        if isinstance(coding, dict) and coding.get("system") == OUTCOME_SYSTEM:
            return coding.get("code")
    return None


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ""
