"""An anchor as a FHIR Provenance: who anchored which versions of which records, when, and where.

| Ours                            | Provenance                                            |
|---------------------------------|-------------------------------------------------------|
| the versions                    | target                                                |
| time of the block               | occurredDateTime, recorded                            |
| the steward                     | agent, custodian                                      |
| the key that appended for it    | agent, performer, onBehalfOf the steward              |
| its signature                   | signature                                             |
| transaction, block, topic, root | an extension: the anchor, as `core.anchors` writes it |

The transaction is no ``entity``: that is what a record was made from. A signature is over the
append that the extension tells, whose root stands for the records, and not over the targets in
JSON; it was made at the time of the block or before.

Source: FHIR R4 Provenance, Signature; code systems provenance-participant-type, and
urn:iso-astm:E1762-95:2013 for the purpose of a signature.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from medaccord.core.anchors import Anchor
from medaccord.core.canonical import document_bytes
from medaccord.core.documents import instant_text
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import AccountId, Address
from medaccord.fhir.naming import (
    BASE,
    TERMINOLOGY,
    Element,
    account,
    coding,
    concept,
    record_version,
)

__all__ = ["ANCHOR_EXTENSION", "provenance"]

ANCHOR_EXTENSION: Final = f"{BASE}StructureDefinition/anchor"
"""The append, as valueString: what `Anchor.document` writes, in RFC 8785 form."""

_ACTIVITY: Final = f"{BASE}CodeSystem/activity"
_PARTICIPANT: Final = f"{TERMINOLOGY}provenance-participant-type"
_PURPOSE: Final = ("urn:iso-astm:E1762-95:2013", "1.2.840.10065.1.12.1.14", "Source Signature")


def provenance(
    versions: Sequence[str],
    anchor: Anchor,
    *,
    steward: AccountId,
    by: Address,
    anchored_at: datetime,
    signature: bytes | None = None,
) -> Element:
    """The Provenance that an anchor stands for.

    Args:
        versions: what it anchored, each "Type/id/version"; at least one. That they are under its
            root, `core.proofs` shows.
        anchor: the append.
        steward: whose stream it is in.
        by: the key that appended.
        anchored_at: time of its block; timezone-aware.
        signature: of `by`, over the append; None if `by` sent the transaction itself.

    Raises:
        InvalidInput: it anchored nothing, or for another account.
        InvalidDocument: `anchored_at` has no time zone.
    """
    if not versions:
        raise InvalidInput("a Provenance is about at least one version of a record")
    if anchor.account != steward.address:
        raise InvalidInput(f"the anchor is of {anchor.account}, not of {steward}")
    at = instant_text(anchored_at)
    key = AccountId(chain_id=steward.chain_id, address=by)
    agents: list[Element] = [
        {"type": concept(_PARTICIPANT, "custodian"), "who": account(steward, "Organization")}
    ]
    if key != steward:
        agents.append(
            {
                "type": concept(_PARTICIPANT, "performer"),
                "who": account(key),
                "onBehalfOf": account(steward, "Organization"),
            }
        )
    made: Element = {
        "resourceType": "Provenance",
        "extension": [
            {"url": ANCHOR_EXTENSION, "valueString": document_bytes(anchor.document()).decode()}
        ],
        "target": [record_version(each) for each in versions],
        "occurredDateTime": at,
        "recorded": at,
        "activity": concept(_ACTIVITY, "anchor"),
        "agent": agents,
    }
    if signature is not None:
        made["signature"] = [
            {
                "type": [coding(*_PURPOSE)],
                "when": at,
                "who": account(key),
                "sigFormat": "application/octet-stream",
                "data": base64.b64encode(signature).decode(),
            }
        ]
    return made
