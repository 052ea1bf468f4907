"""What R4 demands of a resource beside its structure: codes of closed lists, rules of elements.

A library that knows the structure of R4, such as fhir.resources, lets these through: an unknown
status, a Consent under no policy, a period that ends before it starts. The types looked at are
those that this package writes or takes.

Source: FHIR R4 (4.0.1): the value sets bound as *required*, each named where it stands below; the
invariants ppc-1 and ppc-2 of Consent, inv-1 of Task, sev-1 of AuditEvent, att-1 of Attachment,
per-1 of Period and ref-1 of Reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from medaccord.core.errors import InvalidResource

__all__ = ["REQUIRED", "check_codes", "faults_of"]

REQUIRED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        path: frozenset(codes.split())
        for path, codes in {
            # ValueSet/audit-event-action, audit-event-outcome, network-type
            "AuditEvent.action": "C R U D E",
            "AuditEvent.outcome": "0 4 8 12",
            "AuditEvent.agent.network.type": "1 2 3 4 5",
            # ValueSet/consent-state-codes, consent-provision-type, consent-data-meaning
            "Consent.status": "draft proposed active rejected inactive entered-in-error",
            "Consent.provision.type": "deny permit",
            "Consent.provision.data.meaning": "instance related dependents authoredby",
            # ValueSet/document-reference-status, composition-status, document-relationship-type
            "DocumentReference.status": "current superseded entered-in-error",
            "DocumentReference.docStatus": "preliminary final amended entered-in-error",
            "DocumentReference.relatesTo.code": "replaces transforms signs appends",
            # ValueSet/provenance-entity-role
            "Provenance.entity.role": "derivation revision quotation source removal",
            # ValueSet/task-status, task-intent, request-priority
            "Task.status": (
                "draft requested received accepted rejected ready cancelled in-progress on-hold"
                " failed completed entered-in-error"
            ),
            "Task.intent": (
                "unknown proposal plan order original-order reflex-order filler-order"
                " instance-order option"
            ),
            "Task.priority": "routine urgent asap stat",
        }.items()
    }
)
"""The codes that an element may have, by its path; a rule within a rule has the path of a rule."""

# ValueSet/identifier-use, narrative-status: by the members of any object of these names.
_IN_DATATYPES: Final = {
    ("identifier", "use"): frozenset(["usual", "official", "temp", "secondary", "old"]),
    ("text", "status"): frozenset(["generated", "extensions", "additional", "empty"]),
}

_Faults: TypeAlias = Iterator[tuple[str, str]]
_Object: TypeAlias = Mapping[str, Any]

_SCOPES: Final = "http://terminology.hl7.org/CodeSystem/consentscope"


def check_codes(resource: _Object) -> None:
    """Hold a resource to R4's codes and rules. Its structure is not looked at.

    Raises:
        InvalidResource: it breaks some; or it is of a type that is not looked at here.
    """
    if faults := faults_of(resource):
        raise InvalidResource(faults)


def faults_of(resource: _Object) -> dict[str, str]:
    """Every code and rule that is broken, by the element's path; empty where none is."""
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in _KINDS:
        return {"resourceType": f"is {kind!r}, whose codes are not known here"}
    ids = [each.get("id") for each in _objects(resource.get("contained"))]
    return dict(_walk(resource, kind, kind, "", {f"#{each}" for each in ids}))


def _walk(held: _Object, path: str, plain: str, name: str, local: set[str]) -> _Faults:
    """The faults of an object and of all in it.

    Args:
        held: the object.
        path: where it is, as errors name it.
        plain: the same without indices, a rule within a rule as the rule itself.
        name: the member that holds it.
        local: what a reference within the resource may name.
    """
    yield from _broken(held, path, plain, local)
    for member, value in held.items():
        inner = plain if plain.endswith(f".{member}") else f"{plain}.{member}"
        codes = REQUIRED.get(inner) or _IN_DATATYPES.get((name, member))
        if codes is not None and not (isinstance(value, str) and value in codes):
            yield f"{path}.{member}", f"is {value!r}, none of {', '.join(sorted(codes))}"
        if isinstance(value, Mapping):
            yield from _walk(value, f"{path}.{member}", inner, member, local)
        elif isinstance(value, list):
            for number, each in enumerate(value):
                where = f"{path}.{member}[{number}]"
                if isinstance(each, Mapping) and member == "contained":
                    for at, why in faults_of(each).items():
                        yield f"{where}.{at.partition('.')[2] or at}", why
                elif isinstance(each, Mapping):
                    yield from _walk(each, where, inner, member, local)


def _broken(held: _Object, path: str, plain: str, local: set[str]) -> _Faults:
    """The rules between elements that an object breaks."""
    if plain in _RULES:
        yield from ((f"{path}{at}", why) for at, why in _RULES[plain](held))
    bare = isinstance(held.get("data"), str) and "contentType" not in held
    if bare and not plain.endswith(".signature"):
        yield path, "has data without a contentType (att-1)"
    if _is_after(held.get("start"), held.get("end")):
        yield path, "ends before it starts (per-1)"
    reference = held.get("reference")
    inward = isinstance(reference, str) and reference.startswith("#") and reference != "#"
    if inward and reference not in local:
        yield f"{path}.reference", f"names {reference}, which the resource does not hold (ref-1)"


def _consent(consent: _Object) -> _Faults:
    if not consent.get("policy") and not consent.get("policyRule"):
        yield ".policy", "is missing, and so is policyRule: one of them must be there (ppc-1)"
    scope = consent.get("scope")
    codings = _objects(scope.get("coding")) if isinstance(scope, Mapping) else []
    scopes = [(each.get("system"), each.get("code")) for each in codings]
    if (_SCOPES, "patient-privacy") in scopes and not consent.get("patient"):
        yield ".patient", "is missing, in a consent about the privacy of a patient (ppc-2)"


def _task(task: _Object) -> _Faults:
    if _is_after(task.get("authoredOn"), task.get("lastModified")):
        yield ".lastModified", "is before authoredOn (inv-1)"


def _entity(entity: _Object) -> _Faults:
    if "name" in entity and "query" in entity:
        yield "", "has both a name and a query (sev-1)"


_KINDS: Final = frozenset(path.partition(".")[0] for path in REQUIRED)
_RULES: Final[Mapping[str, Callable[[_Object], _Faults]]] = {
    "Consent": _consent,
    "Task": _task,
    "AuditEvent.entity": _entity,
}


def _is_after(first: object, second: object) -> bool:
    """Whether the first time is surely after the second: days and instants are not compared."""
    if not isinstance(first, str) or not isinstance(second, str):
        return False
    try:
        if "T" in first and "T" in second:
            return datetime.fromisoformat(first) > datetime.fromisoformat(second)
        return date.fromisoformat(first) > date.fromisoformat(second)
    except (ValueError, TypeError):  # of another precision, or without a time zone
        return False


def _objects(value: object) -> list[_Object]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
