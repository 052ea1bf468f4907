"""The reason of an emergency access that a gatekeeper was not told yet, kept in a file.

Only with its salt the reason opens what the chain holds. Where the gatekeeper does not answer just
after the access was opened, it is told later, from the file.

    {"profile": "medaccord/undisclosed-reason/1", "patient": "0x…", "emergency": "0x…",
     "reason": {…}}
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from medaccord.chain import events
from medaccord.chain.deployment import Contracts
from medaccord.cli.own_files import written
from medaccord.client import OpenedEmergency
from medaccord.client.effects import Effect
from medaccord.client.relay import handed_in
from medaccord.core.canonical import document_bytes
from medaccord.core.documents import DocumentReader
from medaccord.core.emergency import EmergencyReason
from medaccord.core.identifiers import hex_digest

__all__ = ["PROFILE", "keep", "kept"]

PROFILE: Final = "medaccord/undisclosed-reason/1"
"""Names the form of the file."""


def keep(opened: OpenedEmergency, folder: Path) -> Path:
    """Write the reason to a file of this user's alone, before anything can be lost.

    Raises:
        InvalidInput: it cannot be written.
    """
    emergency = hex_digest(opened.emergency_id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{emergency}.json"
    document = {
        "profile": PROFILE,
        "patient": opened.patient,
        "emergency": emergency,
        "reason": opened.reason.document(),
    }
    with written(path) as out:
        out.write(document_bytes(document) + b"\n")
    return path


def kept(content: bytes, contracts: Contracts) -> OpenedEmergency:
    """Read what `keep` wrote.

    Args:
        content: of the file.
        contracts: where it was opened.

    Raises:
        InvalidDocument: it is malformed.
    """
    reader = DocumentReader.open(
        content, profile=PROFILE, required=("patient", "emergency", "reason")
    )
    emergency = reader.digest("emergency")
    shown = Effect(kind=events.EmergencyOpened, values={"emergency_id": emergency})
    return OpenedEmergency(
        patient=reader.address("patient"),
        reason=EmergencyReason.parse(reader.mapping("reason")),
        receipt=handed_in(
            contracts,
            emergency,
            shown,
            None,
            since=contracts.deployment.first_block,
            obeyed=False,
        ),
    )
