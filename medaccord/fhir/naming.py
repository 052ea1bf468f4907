"""How codes, accounts, consents and the like are named in FHIR.

Accounts and consents are named by identifiers, most under systems of ours: there is no server that
has them under an address, and whoever reads of them finds them on the chain.

Source: FHIR R4 datatypes Coding, CodeableConcept, Reference and Identifier.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from medaccord.core.identifiers import AccountId, ConsentId, hex_digest
from medaccord.fhir.search import ACCOUNT_SYSTEM

__all__ = [
    "BASE",
    "CONSENT_SYSTEM",
    "POINTER_SYSTEM",
    "REQUEST_SYSTEM",
    "TERMINOLOGY",
    "TERMS_SYSTEM",
    "URI_SYSTEM",
    "Element",
    "account",
    "coding",
    "concept",
    "consent_name",
    "identified",
    "record_version",
]

Element: TypeAlias = dict[str, Any]
"""A resource, or a part of one, as JSON has it."""

BASE: Final = "https://medaccord.example/fhir/"
"""What the names of our own systems and extensions start with."""

CONSENT_SYSTEM: Final = f"{BASE}NamingSystem/consent"
"""The system of an identifier that is a consent's id."""

REQUEST_SYSTEM: Final = f"{BASE}NamingSystem/request"
"""The system of an identifier that is the digest of a signed request."""

POINTER_SYSTEM: Final = f"{BASE}NamingSystem/pointer"
"""The system of an identifier that is a pointer's leaf: the commitment to a record's version."""

TERMS_SYSTEM: Final = f"{BASE}NamingSystem/terms"
"""The system of an identifier that is the commitment to terms."""

URI_SYSTEM: Final = "urn:ietf:rfc:3986"
"""The system of an identifier that is a URI. Source: FHIR R4, datatype Identifier."""

TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem/"
"""What the names of HL7's code systems start with."""


def coding(system: str, code: str, display: str | None = None) -> Element:
    """A Coding."""
    made = {"system": system, "code": code}
    return made if display is None else {**made, "display": display}


def concept(system: str, code: str, display: str | None = None) -> Element:
    """A CodeableConcept of one Coding."""
    return {"coding": [coding(system, code, display)]}


def identified(system: str, value: str, kind: str | None = None) -> Element:
    """A Reference to what an identifier names.

    Args:
        system: the identifier's system.
        value: its value.
        kind: the type of resource that it names, where that is known.
    """
    reference: Element = {} if kind is None else {"type": kind}
    return {**reference, "identifier": {"system": system, "value": value}}


def account(of: AccountId, kind: str | None = None) -> Element:
    """A Reference to whom an account stands for.

    Args:
        of: the account.
        kind: "Patient" or "Organization", where it is known which.
    """
    return identified(ACCOUNT_SYSTEM, str(of), kind)


def consent_name(contract: AccountId, consent_id: ConsentId) -> str:
    """The name of a consent as a URI, ``eip155:<chain id>:<contract>/consent/<id>``."""
    return f"{contract}/consent/{hex_digest(consent_id)}"


def record_version(name: str) -> Element:
    """A Reference to a version of a record.

    Args:
        name: "Type/id/version", as proofs and logs name it.
    """
    record, _, number = name.rpartition("/")
    return {"reference": f"{record}/_history/{number}", "type": record.partition("/")[0]}
