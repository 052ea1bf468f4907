"""What PCF's profiles of Consent demand, written down from the guide, and a check of it.

Source: IHE ITI Privacy Consent on FHIR 1.1, profiles Intermediate and Advanced.
"""

from __future__ import annotations

from typing import Any

PROFILES = "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF."
CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
MANDATORY = ("status", "scope", "category", "patient", "dateTime", "performer", "organization")
BARRED = ("action", "class", "code")
MEANINGS = {"instance", "related", "authoredby"}


def profile(consent: dict[str, Any]) -> str:
    (named,) = consent["meta"]["profile"]
    return str(named).removeprefix(PROFILES)


def check(consent: dict[str, Any]) -> None:
    advanced = profile(consent) == "consentAdvanced"
    assert advanced or profile(consent) == "consentIntermediate"
    assert [name for name in MANDATORY if not consent.get(name)] == []
    assert [name for name in consent if name.startswith("source")] != []
    assert "verification" not in consent
    assert {"system": CONSENT_SCOPE, "code": "patient-privacy"} in consent["scope"]["coding"]
    assert [bool(policy["uri"]) for policy in consent["policy"]] == [True]
    root = consent["provision"]
    assert root["type"] in ("permit", "deny")
    for rule in (root, *root.get("provision", [])):
        assert [name for name in BARRED if name in rule] == []
        assert advanced or "securityLabel" not in rule
        for actor in rule.get("actor", []):
            assert {"system": PARTICIPATION, "code": "IRCP"} in actor["role"]["coding"]
    for rule in root.get("provision", []):
        assert "provision" not in rule
        meanings = [data["meaning"] for data in rule.get("data", [])]
        assert set(meanings) <= MEANINGS
        assert advanced or len(meanings) == len(set(meanings))
