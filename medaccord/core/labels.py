"""Sensitivity labels: what a record may be marked with, and a patient may leave out.

Source: HL7 v3 code systems Confidentiality and ActCode (value set InformationSensitivityPolicy).
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

__all__ = [
    "CONFIDENTIALITY_CODES",
    "CONFIDENTIALITY_SYSTEM",
    "LABELS",
    "RESTRICTED",
    "SENSITIVITY_LABELS",
    "SENSITIVITY_SYSTEM",
    "excluded_with",
]

CONFIDENTIALITY_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
SENSITIVITY_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

RESTRICTED: Final = "R"
"""The label a record counts as that names no confidentiality, unless its steward says otherwise."""

CONFIDENTIALITY_CODES: Final = frozenset({"U", "L", "M", "N", "R", "V"})
"""Every code of confidentiality there is, from unrestricted to very restricted."""

LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "N": "of normal confidentiality",
        "R": "restricted",
        "V": "very restricted",
        "ETH": "about substance use",
        "ETHUD": "about alcohol use",
        "OPIOIDUD": "about opioid use",
        "PSY": "about mental health",
        "SDV": "about sexual or domestic violence",
        "HIV": "about HIV",
        "SEX": "about sexuality or reproductive health",
        "STD": "about sexually transmitted disease",
    }
)
"""Codes that terms may leave out, each with the words for it."""

SENSITIVITY_LABELS: Final = frozenset(LABELS) - CONFIDENTIALITY_CODES
"""Those of `LABELS` that say what a record is about."""

_IMPLIED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "N": frozenset({"R", "V"}),
        "R": frozenset({"V"}),
        "ETH": frozenset({"ETHUD", "OPIOIDUD"}),
    }
)


def excluded_with(labels: Iterable[str]) -> frozenset[str]:
    """The labels, and those that say more of the same.

    Whoever leaves restricted records out leaves very restricted ones out too.

    Args:
        labels: codes of `LABELS`.
    """
    return frozenset(labels).union(*(_IMPLIED.get(label, frozenset()) for label in labels))
