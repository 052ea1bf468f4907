"""A pointer as a FHIR DocumentReference: that a steward holds a version of a record.

| Ours                        | DocumentReference                                        |
|-----------------------------|----------------------------------------------------------|
| leaf, the salted commitment | id, masterIdentifier, and an extension of the attachment |
| superseded or not           | status                                                   |
| patient                     | subject                                                  |
| steward                     | custodian                                                |
| when it was anchored        | date                                                     |
| the version itself          | content.attachment.url, context.related                  |

R4's ``attachment.hash`` is a SHA-1 of the data, which is neither what stands on chain nor safe: it
is left out. The salt is not told, so nobody learns from the leaf what the record says. Proofs
travel beside records, not here.

Source: FHIR R4 DocumentReference, Attachment.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from medaccord.core.documents import instant_text
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import AccountId, hex_digest
from medaccord.core.pointers import Pointer, record_key
from medaccord.fhir.naming import BASE, POINTER_SYSTEM, Element, account, record_version

__all__ = ["COMMITMENT_EXTENSION", "document_reference"]

COMMITMENT_EXTENSION: Final = f"{BASE}StructureDefinition/record-commitment"
"""The commitment to what an attachment holds, as valueString: 0x and 64 hex digits."""


def document_reference(
    record: str,
    pointer: Pointer,
    *,
    steward: AccountId,
    patient: AccountId | None = None,
    anchored_at: datetime | None = None,
    superseded: bool = False,
    base_url: str | None = None,
) -> Element:
    """The DocumentReference that a pointer stands for.

    Args:
        record: the record's name, "Type/id".
        pointer: the commitment to one version of it.
        steward: who holds it.
        patient: whose it is; None for the steward's own, such as a practitioner.
        anchored_at: when the pointer was anchored; timezone-aware; None if that is not known.
        superseded: whether there is a newer version.
        base_url: where the steward's FHIR service is, without a slash at the end; None leaves the
            address relative to it.

    Raises:
        InvalidInput: the pointer is to another record, or another steward's.
        InvalidDocument: `anchored_at` has no time zone.
    """
    if pointer.record != record_key(record):
        raise InvalidInput(f"the pointer is to another record than {record}")
    if pointer.steward != steward.address:
        raise InvalidInput(f"the pointer is of {pointer.steward}, not of {steward}")
    version = record_version(f"{record}/{pointer.version}")
    leaf = hex_digest(pointer.leaf)
    document: Element = {
        "resourceType": "DocumentReference",
        "id": pointer.leaf.hex(),
        "masterIdentifier": {"system": POINTER_SYSTEM, "value": leaf},
        "status": "superseded" if superseded else "current",
        "custodian": account(steward, "Organization"),
        "content": [
            {
                "attachment": {
                    "extension": [{"url": COMMITMENT_EXTENSION, "valueString": leaf}],
                    "contentType": "application/fhir+json",
                    "url": f"{'' if base_url is None else f'{base_url}/'}{version['reference']}",
                }
            }
        ],
        "context": {"related": [version]},
    }
    if patient is not None:
        document["subject"] = account(patient, "Patient")
    if anchored_at is not None:
        document["date"] = instant_text(anchored_at)
    return document
