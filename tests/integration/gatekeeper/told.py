"""What a gatekeeper tells an account, and how emergencies come about, in tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from medaccord.chain import Sender, actions
from medaccord.core.identifiers import Address, hex_digest
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.desk import Desk, salt


def notices(desk: Desk, headers: Mapping[str, str], **parameters: int) -> list[dict[str, Any]]:
    """A page of notices."""
    answer = desk.http.get("/notices", headers=dict(headers), params=parameters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["notices"]
    return found


def told(
    desk: Desk, signer: LocalSigner, account: Address | None = None
) -> list[tuple[str, str, str | None]]:
    """Kind, subject and actor of everything that an account was told, in its order."""
    found = notices(desk, desk.sign_in(signer, account))
    assert [each["id"] for each in found] == sorted({each["id"] for each in found})
    assert {each["account"] for each in found} <= {account or signer.address}
    return [(each["kind"], each["subject"], each["actor"]) for each in found]


def emergency(desk: Desk, patient: LocalSigner, clinician: LocalSigner) -> actions.Action:
    """An opening of emergency access, not sent yet."""
    return actions.open_emergency(
        desk.contracts,
        patient=patient.address,
        grantee=clinician.address,
        reason=salt(),
        valid_until=desk.now() + timedelta(hours=2),
    )


def open_emergency(desk: Desk, sender: Sender, patient: LocalSigner, clinician: LocalSigner) -> str:
    """Open emergency access; its id."""
    action = emergency(desk, patient, clinician)
    actions.submit(sender, actions.signed(action, clinician))
    return hex_digest(action.digest)
