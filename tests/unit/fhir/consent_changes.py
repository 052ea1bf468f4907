"""Consents that somebody changed, by what was changed."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from medaccord.core.labels import SENSITIVITY_SYSTEM
from medaccord.fhir.consent import StatedConsent, consent_resource
from tests.unit.fhir.stated import STATED

Consent = dict[str, Any]
Change = Callable[[Consent], object]

PERMIT = "Consent.provision.provision[0]"


def permit(consent: Consent) -> Consent:
    found: Consent = consent["provision"]["provision"][0]
    return found


def changed(change: Change, of: StatedConsent = STATED) -> Consent:
    consent = deepcopy(consent_resource(of))
    change(consent)
    return consent


def set_in_permit(**members: Any) -> Change:
    return lambda consent: permit(consent).update(members)


def add_rule(**members: Any) -> Change:
    return lambda consent: consent["provision"]["provision"].append(members)


def second_permit(**members: Any) -> Change:
    return lambda consent: add_rule(**{**deepcopy(permit(consent)), **members})(consent)


def label(code: str, system: str = SENSITIVITY_SYSTEM) -> dict[str, str]:
    return {"system": system, "code": code}


PERIOD = {"start": "2026-03-10T12:00:00Z", "end": "2026-04-09T11:59:59Z"}
