"""Sensitivity labels: what a record may be marked with, and a patient may leave out.

Source: HL7 v3 code systems Confidentiality and ActCode (value set InformationSensitivityPolicy).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["CONFIDENTIALITY_SYSTEM", "LABELS", "RESTRICTED", "SENSITIVITY_SYSTEM"]

CONFIDENTIALITY_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
SENSITIVITY_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

RESTRICTED: Final = "R"
"""The label an unlabelled record counts as, unless its steward says otherwise."""

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
    }
)
"""Codes that terms may leave out, each with the words for it."""
