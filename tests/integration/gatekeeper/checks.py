"""Checks as somebody makes them, and what is told of them."""

from __future__ import annotations

from typing import Any

import httpx

from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.desk import Desk

LABORATORY = "patient/Observation.rs?category=laboratory"


def asking(patient: LocalSigner, **changes: Any) -> dict[str, Any]:
    """A check of searching Observations for treatment."""
    usual = {
        "patient": patient.address,
        "purpose": "TREAT",
        "interaction": "s",
        "resourceType": "Observation",
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def check(desk: Desk, asker: LocalSigner, body: dict[str, Any], **headers: str) -> httpx.Response:
    return desk.http.post("/access/check", json=body, headers=desk.sign_in(asker) | headers)


def verdict(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refusal(answer: httpx.Response) -> tuple[bool, str, str]:
    """What is told of something that is not allowed."""
    found = verdict(answer)
    assert (found["basis"], found["restsOn"], found["expiresAt"]) == (None, [], None)
    return found["allowed"], found["reason"]["code"], found["reason"]["text"]
