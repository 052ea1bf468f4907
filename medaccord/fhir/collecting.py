"""Resources that were made here, in one Bundle.

Source: FHIR R4 Bundle, type ``collection``; RFC 4122 section 4.3 for names made of content.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

from medaccord.core.canonical import document_bytes
from medaccord.core.documents import instant_text
from medaccord.fhir.naming import Element

__all__ = ["collection"]


def collection(resources: Iterable[Element], at: datetime) -> Element:
    """A Bundle of resources, in their order.

    No server has them under an address, so each is named by what it says: the same resource has the
    same ``fullUrl`` whenever it is put in a Bundle.

    Args:
        resources: what our mappings give, no two of them the same.
        at: when the Bundle is made; timezone-aware.

    Raises:
        InvalidDocument: `at` has no time zone.
    """
    entries = [{"fullUrl": _name(each), "resource": each} for each in resources]
    bundle: Element = {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": instant_text(at),
    }
    # FHIR has no empty arrays
    return {**bundle, "entry": entries} if entries else bundle


def _name(resource: Element) -> str:
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, document_bytes(resource).decode())}"
