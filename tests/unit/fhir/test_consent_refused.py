"""A Consent is refused with all of it that cannot be expressed, each by its path."""

from __future__ import annotations

import pytest

from medaccord.core.errors import InvalidResource
from medaccord.core.labels import CONFIDENTIALITY_SYSTEM
from medaccord.fhir.consent import ADVANCED, INTERMEDIATE, SCOPE_EXTENSION, UNDATED_EXTENSION
from medaccord.fhir.consent_reading import read_consent
from medaccord.fhir.naming import TERMS_SYSTEM
from tests.unit.fhir.consent_changes import (
    PERIOD,
    PERMIT,
    Change,
    add_rule,
    changed,
    label,
    permit,
    second_permit,
    set_in_permit,
)
from tests.unit.fhir.stated import STATED, account, with_terms

SALT = STATED.terms.salt


@pytest.mark.parametrize(
    ("change", "path", "problem"),
    [
        # what the whole of it is under
        (lambda c: c.update(status="draft"), "Consent.status", "'draft', which cannot"),
        (lambda c: c.update(status="entered-in-error"), "Consent.status", "which cannot"),
        (lambda c: c.update(status="signed"), "Consent.status", "none of"),
        (lambda c: c.pop("status"), "Consent.status", "is missing"),
        (
            lambda c: c["scope"]["coding"][0].update(code="research"),
            "Consent.scope.coding[0]",
            "another than patient-privacy",
        ),
        (
            lambda c: c["scope"]["coding"].append(label("x")),
            "Consent.scope.coding[1]",
            "one more than",
        ),
        (lambda c: c["scope"].update(text="as agreed"), "Consent.scope.text", "cannot be"),
        (lambda c: c.pop("category"), "Consent.category", "is missing"),
        (
            lambda c: c["category"].append({"coding": [label("x")]}),
            "Consent.category[1]",
            "one more than",
        ),
        (
            lambda c: c["policy"][0].update(uri="https://example.org/policy"),
            "Consent.policy[0].uri",
            "what another one demands cannot be expressed",
        ),
        (
            lambda c: c["policy"].append({"uri": "https://example.org/policy"}),
            "Consent.policy[1]",
            "one more than",
        ),
        (
            lambda c: c["policy"][0].update(authority="https://example.org"),
            "Consent.policy[0].authority",
            "cannot be",
        ),
        (lambda c: c.update(policyRule={"text": "law"}), "Consent.policyRule", "cannot be"),
        (lambda c: c.update(verification=[{}]), "Consent.verification", "cannot be"),
        (lambda c: c.update(modifierExtension=[{}]), "Consent.modifierExtension", "cannot be"),
        (lambda c: c.update(implicitRules="urn:x"), "Consent.implicitRules", "cannot be"),
        (
            lambda c: c.update(text={"status": "additional", "div": "<div>and more</div>"}),
            "Consent.text",
            "only what was generated",
        ),
        (
            lambda c: c.update(meta={"profile": ["https://example.org/profile"]}),
            "Consent.meta.profile",
            "is none of",
        ),
        (
            lambda c: c.update(meta={"security": [label("HTEST")]}),
            "Consent.meta.security",
            "cannot be",
        ),
        (lambda c: c.update(sourceAttachment={"title": "paper"}), "Consent.sourceAttachment", ""),
        (
            lambda c: c["sourceReference"]["identifier"].update(system="urn:x"),
            "Consent.sourceReference.identifier",
            f"by an identifier of {TERMS_SYSTEM}",
        ),
        (
            lambda c: c["sourceReference"]["identifier"].update(value="0x12"),
            "Consent.sourceReference.identifier",
            "not 32 bytes",
        ),
        # whom it is about
        (lambda c: c.pop("dateTime"), "Consent.dateTime", "is missing"),
        (lambda c: c.update(dateTime="2026-03-10"), "Consent.dateTime", "no time to the second"),
        (
            lambda c: c.update(dateTime="2026-02-30T12:00:00Z"),
            "Consent.dateTime",
            "no time to the second",
        ),
        (
            lambda c: c["patient"].update(reference="Patient/1"),
            "Consent.patient.reference",
            "cannot be",
        ),
        (
            lambda c: c["patient"]["identifier"].update(value="eip155:1337:0x12"),
            "Consent.patient.identifier",
            "not an account",
        ),
        (lambda c: c["patient"].update(type="Group"), "Consent.patient.type", "is no Patient"),
        (
            lambda c: c["performer"].append({"identifier": c["organization"][0]["identifier"]}),
            "Consent.performer[1]",
            "another than the patient",
        ),
        (lambda c: c.pop("organization"), "Consent.organization", "whose records"),
        (lambda c: c.update(organization="us"), "Consent.organization", "is no list"),
        (lambda c: c.update(organization=["us"]), "Consent.organization[0]", "is no element"),
        # what it is named
        (
            lambda c: c["identifier"].append({"system": "urn:x", "value": "1"}),
            "Consent.identifier[2]",
            "cannot be",
        ),
        (
            lambda c: c["identifier"][1].update(value="0x" + "11" * 32),
            "Consent.identifier[1].value",
            "not the id of a URI beside it",
        ),
        (
            lambda c: c["identifier"].pop(0),
            "Consent.identifier[0].value",
            "which names the contract",
        ),
        (
            lambda c: c["identifier"][0].update(use="temp"),
            "Consent.identifier[0].use",
            "cannot be",
        ),
        (
            lambda c: c["performer"][0].update(type="RelatedPerson"),
            "Consent.performer[0].type",
            "is no Patient",
        ),
        (
            lambda c: c["sourceReference"].update(type="Contract"),
            "Consent.sourceReference.type",
            "is no DocumentReference",
        ),
        # its rules
        (lambda c: c.pop("provision"), "Consent.provision", "is missing"),
        (
            lambda c: c["provision"].update(type="permit"),
            "Consent.provision.type",
            "permit nothing but",
        ),
        (
            lambda c: c["provision"].update(period=PERIOD),
            "Consent.provision.period",
            "cannot be",
        ),
        (
            lambda c: c["provision"].update(provision=[]),
            "Consent.provision.provision",
            "holds no permit",
        ),
        (
            lambda c: c["provision"].update(
                provision=[{"type": "deny", "securityLabel": [label("PSY")]}]
            ),
            "Consent.provision.provision",
            "holds no permit",
        ),
        (lambda c: permit(c).pop("type"), PERMIT, "neither permit nor deny"),
        (set_in_permit(action=[{}]), f"{PERMIT}.action", "cannot be"),
        (set_in_permit(code=[{}]), f"{PERMIT}.code", "cannot be"),
        (set_in_permit(securityLabel=[label("PSY")]), f"{PERMIT}.securityLabel", "cannot be"),
        (set_in_permit(provision=[{"type": "deny"}]), f"{PERMIT}.provision", "cannot be"),
        (lambda c: permit(c).pop("period"), f"{PERMIT}.period", "is missing"),
        (set_in_permit(period={"start": PERIOD["start"]}), f"{PERMIT}.period.end", "is missing"),
        (
            set_in_permit(period={**PERIOD, "end": "2026-04-09"}),
            f"{PERMIT}.period.end",
            "no time to the second",
        ),
        (
            set_in_permit(period={**PERIOD, "end": "2026-04-09T11:59:59.5Z"}),
            f"{PERMIT}.period.end",
            "not in whole seconds",
        ),
        (
            set_in_permit(period={**PERIOD, "end": "9999-12-31T23:59:59Z"}),
            f"{PERMIT}.period.end",
            "the end of all time",
        ),
        (lambda c: permit(c).pop("actor"), f"{PERMIT}.actor", "is missing"),
        (
            lambda c: permit(c)["actor"].append(permit(c)["actor"][0]),
            f"{PERMIT}.actor[1]",
            "one more than",
        ),
        (
            lambda c: permit(c)["actor"][0]["role"]["coding"][0].update(code="PRCP"),
            f"{PERMIT}.actor[0].role.coding[0]",
            "another than IRCP",
        ),
        (lambda c: permit(c).pop("purpose"), f"{PERMIT}.purpose", "is missing"),
        (set_in_permit(purpose=[label("HMARKT")]), f"{PERMIT}.purpose[0]", "none of TREAT"),
        (set_in_permit(dataPeriod={}), f"{PERMIT}.dataPeriod", "open on both sides"),
        (
            set_in_permit(dataPeriod={"start": "2020"}),
            f"{PERMIT}.dataPeriod.start",
            "no day like",
        ),
        (
            set_in_permit(dataPeriod={"start": "2020-02-30"}),
            f"{PERMIT}.dataPeriod.start",
            "no day like",
        ),
        (
            set_in_permit(data=[{"meaning": "related", "reference": {"reference": "Encounter/1"}}]),
            f"{PERMIT}.data[0].meaning",
            "only instance can",
        ),
        (
            set_in_permit(
                data=[{"meaning": "instance", "reference": {"reference": "https://a.example/b"}}]
            ),
            f"{PERMIT}.data[0].reference.reference",
            "no record like",
        ),
        (
            set_in_permit(
                data=[
                    {"meaning": "instance", "reference": {"reference": "Binary/1", "type": "Media"}}
                ]
            ),
            f"{PERMIT}.data[0].reference.type",
            "is no Binary",
        ),
        (set_in_permit(extension=[{"url": SCOPE_EXTENSION}]), f"{PERMIT}.extension", "cannot be"),
        (
            set_in_permit(modifierExtension=[{"url": "urn:x", "valueBoolean": True}]),
            f"{PERMIT}.modifierExtension[0]",
            "cannot be",
        ),
        (
            set_in_permit(
                modifierExtension=[{"url": SCOPE_EXTENSION, "valueString": "patient/*.cruds"}]
            ),
            f"{PERMIT}.modifierExtension[0].valueString",
            "asks to write",
        ),
        (
            set_in_permit(
                modifierExtension=[
                    {"url": UNDATED_EXTENSION, "valueBoolean": True},
                    {"url": UNDATED_EXTENSION, "valueBoolean": False},
                ]
            ),
            f"{PERMIT}.modifierExtension[1]",
            "cannot be",
        ),
        (
            set_in_permit(modifierExtension=[{"url": UNDATED_EXTENSION, "valueBoolean": "no"}]),
            f"{PERMIT}.modifierExtension[0].valueBoolean",
            "neither true nor false",
        ),
        (
            second_permit(purpose=[{**label("HRESCH"), "system": "urn:x"}]),
            "Consent.provision.provision[1].purpose[0]",
            "none of TREAT",
        ),
        (
            second_permit(dataPeriod={"start": "2020-01-01"}),
            "Consent.provision.provision[1]",
            "differs from the first permit",
        ),
        (
            second_permit(data=[{"meaning": "instance", "reference": {"reference": "Binary/1"}}]),
            "Consent.provision.provision[1]",
            "names single records",
        ),
        (
            add_rule(type="deny"),
            "Consent.provision.provision[1].securityLabel",
            "deny by label alone",
        ),
        (
            add_rule(type="deny", securityLabel=[label("GDIS")]),
            "Consent.provision.provision[1].securityLabel[0]",
            "terms leave out N, R, V",
        ),
        (
            add_rule(type="deny", securityLabel=[label("PSY", CONFIDENTIALITY_SYSTEM)]),
            "Consent.provision.provision[1].securityLabel[0]",
            "terms leave out",
        ),
        (
            add_rule(type="deny", securityLabel=[label("R", CONFIDENTIALITY_SYSTEM)]),
            "Consent.provision.provision[1].securityLabel",
            "leaves out V as well",
        ),
        (
            add_rule(type="deny", securityLabel=[label("PSY")], purpose=[label("TREAT")]),
            "Consent.provision.provision[1].purpose",
            "cannot be",
        ),
    ],
)
def test_reading_refuses_what_cannot_be_expressed(change: Change, path: str, problem: str) -> None:
    consent = changed(change)
    if consent["meta"] == {"profile": [INTERMEDIATE]}:
        del consent["meta"]  # labels would be refused for it as well
    with pytest.raises(InvalidResource) as refused:
        read_consent(consent, salt=SALT)
    assert list(refused.value.faults) == [path]
    assert problem in refused.value.faults[path]


def test_reading_names_every_fault_in_one_error_when_there_are_several() -> None:
    consent = changed(set_in_permit(action=[{}]))
    consent["policyRule"] = {"text": "law"}
    consent["organization"] = []
    with pytest.raises(InvalidResource) as refused:
        read_consent(consent, salt=SALT)
    assert list(refused.value.faults) == [
        "Consent.organization",
        "Consent.policyRule",
        f"{PERMIT}.action",
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (set_in_permit(period={"start": PERIOD["end"], "end": PERIOD["start"]}), "per-1"),
        (
            lambda c: permit(c)["actor"][0]["reference"]["identifier"].update(
                value=str(account("b1", chain_id=1))
            ),
            "different chains",
        ),
    ],
)
def test_reading_refuses_what_no_consent_can_be(change: Change, problem: str) -> None:
    with pytest.raises(InvalidResource, match=problem):
        read_consent(changed(change), salt=SALT)


def test_reading_refuses_labels_when_the_profile_bars_them() -> None:
    consent = changed(
        lambda c: c["meta"].update(profile=[INTERMEDIATE, ADVANCED]),
        with_terms(excluded_labels=("PSY",)),
    )
    with pytest.raises(InvalidResource) as refused:
        read_consent(consent, salt=SALT)
    assert list(refused.value.faults) == ["Consent.meta.profile"]
