"""Codes and rules of R4 that a library lets through do not pass our own check."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from medaccord.core.errors import InvalidResource
from medaccord.fhir.codes import REQUIRED, check_codes
from tests.unit.fhir.r4b import check_r4, check_structure

Resource = dict[str, Any]

CONSENT: Resource = {
    "resourceType": "Consent",
    "status": "active",
    "scope": {"coding": [{"code": "research"}]},
    "category": [{"coding": [{"code": "59284-0"}]}],
    "policy": [{"uri": "https://example.org/policy"}],
    "provision": {
        "type": "deny",
        "provision": [
            {
                "type": "permit",
                "data": [{"meaning": "instance", "reference": {"display": "this"}}],
                "period": {"start": "2026-01-01", "end": "2026-01-01"},
            }
        ],
    },
}
TASK: Resource = {
    "resourceType": "Task",
    "status": "requested",
    "intent": "proposal",
    "priority": "routine",
    "authoredOn": "2026-01-01T12:00:00Z",
    "lastModified": "2026-01-01T12:00:00Z",
    "contained": [{**CONSENT, "id": "one"}],
    "focus": {"reference": "#one"},
}
DOCUMENT: Resource = {
    "resourceType": "DocumentReference",
    "status": "current",
    "docStatus": "final",
    "relatesTo": [{"code": "replaces", "target": {"display": "that"}}],
    "content": [{"attachment": {"contentType": "text/plain", "data": "AA=="}}],
}
PROVENANCE: Resource = {
    "resourceType": "Provenance",
    "target": [{"display": "this"}],
    "recorded": "2026-01-01T12:00:00Z",
    "agent": [{"who": {"display": "somebody"}}],
    "entity": [{"role": "source", "what": {"identifier": {"use": "usual", "value": "1"}}}],
}
AUDIT_EVENT: Resource = {
    "resourceType": "AuditEvent",
    "type": {"code": "rest"},
    "action": "R",
    "outcome": "0",
    "recorded": "2026-01-01T12:00:00Z",
    "agent": [{"requestor": True, "network": {"address": "a.example", "type": "1"}}],
    "source": {"observer": {"display": "us"}},
    "entity": [{"name": "this"}],
    "text": {"status": "generated", "div": "<div xmlns='http://www.w3.org/1999/xhtml'>a</div>"},
}
SAMPLES = {
    each["resourceType"]: each for each in (AUDIT_EVENT, CONSENT, DOCUMENT, PROVENANCE, TASK)
}


def put(resource: Resource, path: str, value: object) -> None:
    """Set a member; `path` is as FHIR writes it, the lists' first elements where it is silent."""
    held: Any = resource
    *above, last = path.split(".")[1:]
    for name in above:
        held = held[name]
        held = held[0] if isinstance(held, list) else held
    held[last] = value


@pytest.mark.parametrize("kind", SAMPLES)
def test_check_passes_when_codes_and_rules_are_kept(kind: str) -> None:
    check_r4(SAMPLES[kind])


def where(path: str) -> str:
    """The path of an error: with the indices of the lists that the samples have."""
    lists = ("agent", "relatesTo", "entity", "data")
    parts = [f"{name}[0]" if name in lists else name for name in path.split(".")]
    return ".".join(parts)


@pytest.mark.parametrize("path", [path for path in REQUIRED if not path.endswith("data.meaning")])
def test_check_refuses_an_unknown_code_that_fhir_resources_lets_through(path: str) -> None:
    resource = deepcopy(SAMPLES[path.partition(".")[0]])
    put(resource, path, "unheard-of")
    check_structure(resource)
    with pytest.raises(InvalidResource) as refused:
        check_codes(resource)
    assert list(refused.value.faults) == [where(path)]
    assert "'unheard-of', none of" in refused.value.faults[where(path)]


def nested(**changes: object) -> Callable[[Resource], None]:
    return lambda consent: consent["provision"]["provision"][0].update(changes)


@pytest.mark.parametrize(
    ("kind", "change", "path", "problem"),
    [
        ("Consent", lambda consent: consent.pop("policy"), "Consent.policy", "ppc-1"),
        (
            "Consent",
            lambda consent: consent["scope"]["coding"].append(
                {
                    "system": "http://terminology.hl7.org/CodeSystem/consentscope",
                    "code": "patient-privacy",
                }
            ),
            "Consent.patient",
            "ppc-2",
        ),
        ("Consent", nested(type="allow"), "Consent.provision.provision[0].type", "none of"),
        (
            "Consent",
            nested(data=[{"meaning": "all", "reference": {"display": "this"}}]),
            "Consent.provision.provision[0].data[0].meaning",
            "none of",
        ),
        (
            "Consent",
            nested(period={"start": "2026-01-02", "end": "2026-01-01"}),
            "Consent.provision.provision[0].period",
            "per-1",
        ),
        (
            "Consent",
            nested(period={"start": "2026-01-01T12:00:01Z", "end": "2026-01-01T12:00:00Z"}),
            "Consent.provision.provision[0].period",
            "per-1",
        ),
        (
            "Task",
            lambda task: task.update(lastModified="2026-01-01T12:59:59+01:00"),
            "Task.lastModified",
            "inv-1",
        ),
        (
            "Task",
            lambda task: task.update(focus={"reference": "#two"}),
            "Task.focus.reference",
            "ref-1",
        ),
        (
            "Task",
            lambda task: task["contained"][0].update(status="unheard-of"),
            "Task.contained[0].status",
            "none of",
        ),
        (
            "DocumentReference",
            lambda document: document["content"][0]["attachment"].pop("contentType"),
            "DocumentReference.content[0].attachment",
            "att-1",
        ),
        (
            "Provenance",
            lambda record: record["entity"][0]["what"]["identifier"].update(use="daily"),
            "Provenance.entity[0].what.identifier.use",
            "none of",
        ),
        (
            "AuditEvent",
            lambda event: event["entity"][0].update(query="AA=="),
            "AuditEvent.entity[0]",
            "sev-1",
        ),
        (
            "AuditEvent",
            lambda event: event["text"].update(status="made"),
            "AuditEvent.text.status",
            "none of",
        ),
    ],
)
def test_check_refuses_a_broken_rule_that_fhir_resources_lets_through(
    kind: str, change: Callable[[Resource], None], path: str, problem: str
) -> None:
    resource = deepcopy(SAMPLES[kind])
    change(resource)
    check_structure(resource)
    with pytest.raises(InvalidResource) as refused:
        check_codes(resource)
    assert list(refused.value.faults) == [path]
    assert problem in refused.value.faults[path]


def test_check_names_every_fault_when_there_are_several() -> None:
    resource = deepcopy(CONSENT)
    resource["status"] = 1
    del resource["policy"]
    with pytest.raises(InvalidResource) as refused:
        check_codes(resource)
    assert list(refused.value.faults) == ["Consent.policy", "Consent.status"]
    assert "Consent.policy: is missing" in str(refused.value)


@pytest.mark.parametrize(
    "period",
    [
        {"start": "2026-01-02", "end": "2026-01"},
        {"start": "2026-01-02T00:00:00Z", "end": "2026-01-01"},
        {"start": "2026-01-02T00:00:00", "end": "2026-01-01T00:00:00Z"},
        {"start": "2026-01-02"},
    ],
)
def test_check_passes_a_period_when_its_ends_cannot_be_compared(period: dict[str, str]) -> None:
    resource = deepcopy(CONSENT)
    resource["provision"]["provision"][0]["period"] = period
    check_codes(resource)


@pytest.mark.parametrize("kind", ["Patient", None, 7])
def test_check_refuses_a_resource_when_its_codes_are_not_known_here(kind: object) -> None:
    with pytest.raises(InvalidResource) as refused:
        check_codes({"resourceType": kind})
    assert refused.value.faults == {"resourceType": f"is {kind!r}, whose codes are not known here"}


def listed(kind: str, path: list[str]) -> list[str] | None:
    """The codes that fhir.resources lists for an element, for information only."""
    model: Any = get_fhir_model_class(kind)
    for name in path[:-1]:
        annotation = model.model_fields[name].annotation
        model = next(each for each in _models(annotation) if each.__name__.startswith(kind))
    extra = model.model_fields[path[-1]].json_schema_extra or {}
    return extra.get("enum_values")


def _models(annotation: Any) -> list[Any]:
    inner = getattr(annotation, "__args__", ())
    found = [each for part in inner for each in _models(part)]
    get = getattr(annotation, "get_model_klass", None)
    return [*found, get()] if get is not None else found


LISTED_IN_FULL = [
    path for path in REQUIRED if not path.startswith("AuditEvent") and path != "Task.status"
]


@pytest.mark.parametrize("path", LISTED_IN_FULL)
def test_codes_are_those_that_fhir_resources_lists(path: str) -> None:
    kind, *names = path.split(".")
    assert sorted(listed(kind, names) or []) == sorted(REQUIRED[path])
