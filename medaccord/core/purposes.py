"""Purposes of use: why somebody asks for a record.

Source: HL7 v3 code system ActReason, value set PurposeOfUse.
"""

from enum import StrEnum
from typing import Final

__all__ = ["EMERGENCY_PURPOSES", "PURPOSE_SYSTEM", "Purpose"]

PURPOSE_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
"""The code system that the values of `Purpose` are codes of."""


class Purpose(StrEnum):
    """A purpose of use; the value is the code, `words` what a person reads."""

    TREAT = "TREAT"
    ETREAT = "ETREAT"
    BTG = "BTG"
    HRESCH = "HRESCH"
    HPAYMT = "HPAYMT"
    HOPERAT = "HOPERAT"
    PATRQT = "PATRQT"

    @property
    def words(self) -> str:
        """The purpose as it stands in a sentence after "for"."""
        return _WORDS[self]


_WORDS: Final = {
    Purpose.TREAT: "treatment",
    Purpose.ETREAT: "emergency treatment",
    Purpose.BTG: "breaking the glass in an emergency",
    Purpose.HRESCH: "healthcare research",
    Purpose.HPAYMT: "healthcare payment",
    Purpose.HOPERAT: "healthcare operations",
    Purpose.PATRQT: "a purpose of your own",
}

EMERGENCY_PURPOSES: Final = frozenset({Purpose.ETREAT, Purpose.BTG})
"""The purposes under which emergency access may be used."""
