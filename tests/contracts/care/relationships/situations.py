"""Where a patient and a steward can stand, and how they get there."""

from __future__ import annotations

NONE, PROPOSED, ACTIVE, ENDED = range(4)

SITUATIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "nothing": (),
    "proposed by the steward": (("propose", "steward"),),
    "proposed by the patient": (("propose", "patient"),),
    "active": (("propose", "steward"), ("accept", "patient")),
    "active on the patient's proposal": (("propose", "patient"), ("accept", "steward")),
    "declined": (("propose", "steward"), ("decline", "patient")),
    "withdrawn": (("propose", "patient"), ("end", "patient")),
    "ended": (("propose", "steward"), ("accept", "patient"), ("end", "steward")),
}
STATE_IN = {
    "nothing": NONE,
    "proposed by the steward": PROPOSED,
    "proposed by the patient": PROPOSED,
    "active": ACTIVE,
    "active on the patient's proposal": ACTIVE,
    "declined": ENDED,
    "withdrawn": ENDED,
    "ended": ENDED,
}
