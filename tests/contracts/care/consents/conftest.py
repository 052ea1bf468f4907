"""A consent of the patient for the clinician, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.care_actions import ConsentActions
from tests.contracts.deployed import Deployed


@pytest.fixture
def act(consents: Deployed, relayer: LocalAccount) -> ConsentActions:
    return ConsentActions(consents, relayer)


@pytest.fixture
def consent(act: ConsentActions, patient: LocalAccount, clinician: LocalAccount) -> dict[str, Any]:
    """The patient's consent for the clinician, not sent yet."""
    return act.consent(patient, clinician)


@pytest.fixture
def is_active(consents: Deployed) -> Callable[[dict[str, Any]], bool]:
    def ask(consent: dict[str, Any]) -> bool:
        answer: bool = consents.call(
            "isActive", consent["patient"], consents.digest("Consent", consent)
        )
        return answer

    return ask


@pytest.fixture
def stored(consents: Deployed) -> Callable[[dict[str, Any]], Any]:
    return lambda consent: consents.call(
        "consentOf", consent["patient"], consents.digest("Consent", consent)
    )
