"""What BALP's profiles of AuditEvent demand, written down from the guide, and a check of it.

Source: IHE ITI Basic Audit Log Patterns 1.1, profiles PatientRead, PatientQuery, AuthZconsent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.unit.fhir.r4b import check_r4

BALP = "https://profiles.ihe.net/ITI/BALP/"
PROFILES = f"{BALP}StructureDefinition/IHE.BasicAudit."
DCM = "http://dicom.nema.org/resources/ontology/DCM"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
INTERACTION = "http://hl7.org/fhir/restful-interaction"
ENTITY = f"{TERMINOLOGY}audit-entity-type"
ROLE = f"{TERMINOLOGY}object-role"


def profile(event: dict[str, Any]) -> str | None:
    named = event.get("meta", {}).get("profile", [None])[0]
    return None if named is None else named.removeprefix(PROFILES)


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One agent or entity: its type, and what it must and must not have."""

    type: tuple[str, str]
    needs: tuple[str, ...]
    bars: tuple[str, ...] = ()
    requestor: bool | None = None
    role: str | None = None


@dataclass(frozen=True, kw_only=True)
class Profile:
    type: tuple[str, str]
    subtypes: set[tuple[str, str]]
    action: str
    outcomes: set[str]
    agents: tuple[Slice, ...]
    entities: tuple[Slice, ...]
    closed: bool = False


USER = Slice(
    type=(f"{TERMINOLOGY}v3-ParticipationType", "IRCP"),
    needs=("who",),
    bars=("media", "network"),
    requestor=True,
)
PERSON = Slice(type=(ENTITY, "1"), needs=("what",), role="1")
REST = (f"{TERMINOLOGY}audit-event-type", "rest")
DEMANDS = {
    "PatientRead": Profile(
        type=REST,
        subtypes={(INTERACTION, "read"), (INTERACTION, "vread")},
        action="R",
        outcomes={"0"},
        agents=(
            Slice(type=(DCM, "110152"), needs=("who", "network"), bars=("media",)),
            Slice(type=(DCM, "110153"), needs=("who", "network"), bars=("media",)),
            USER,
        ),
        entities=(Slice(type=(ENTITY, "2"), needs=("what",), role="4"), PERSON),
    ),
    "PatientQuery": Profile(
        type=REST,
        subtypes={(INTERACTION, code) for code in ("search", "search-type", "search-system")},
        action="E",
        outcomes={"0"},
        agents=(
            Slice(type=(DCM, "110152"), needs=("who", "network"), bars=("media",)),
            Slice(type=(DCM, "110153"), needs=("who", "network"), bars=("media",)),
            USER,
        ),
        entities=(
            Slice(
                type=(ENTITY, "2"),
                needs=("query",),
                bars=("what", "lifecycle", "detail", "name"),
                role="24",
            ),
            PERSON,
        ),
    ),
    "AuthZconsent": Profile(
        type=(DCM, "110113"),
        subtypes={(f"{BALP}CodeSystem/AuthZsubType", "AuthZ-Consent")},
        action="E",
        outcomes={"0", "8"},
        agents=(
            Slice(
                type=(DCM, "110150"),
                needs=("who", "network"),
                bars=("role", "altId", "name", "location", "media", "purposeOfUse"),
            ),
            replace(USER, bars=("altId", "location", "media", "network")),
            Slice(
                type=(f"{TERMINOLOGY}v3-RoleClass", "PROV"),
                needs=("who",),
                bars=("role", "altId", "name", "location", "policy", "media", "network"),
                requestor=False,
            ),
            Slice(
                type=(f"{TERMINOLOGY}extra-security-role-type", "authserver"),
                needs=("who",),
                bars=("role", "altId", "name", "location", "policy", "media", "network"),
                requestor=False,
            ),
        ),
        entities=(
            PERSON,
            Slice(type=("http://hl7.org/fhir/resource-types", "Consent"), needs=("what",)),
        ),
        closed=True,
    ),
}


def coded(coding: dict[str, Any]) -> tuple[str, str]:
    return coding["system"], coding["code"]


def check_slices(found: list[dict[str, Any]], slices: tuple[Slice, ...], *, closed: bool) -> None:
    types = [
        coded(each["type"]["coding"][0] if "coding" in each["type"] else each["type"])
        for each in found
    ]
    for wanted in slices:
        assert types.count(wanted.type) == 1, wanted.type
        each = found[types.index(wanted.type)]
        assert [name for name in wanted.needs if not each.get(name)] == []
        assert [name for name in wanted.bars if name in each] == []
        if wanted.requestor is not None:
            assert each["requestor"] is wanted.requestor
        if wanted.role is not None:
            assert coded(each["role"]) == (ROLE, wanted.role)
    if closed:
        assert set(types) == {each.type for each in slices}


def check(event: dict[str, Any]) -> None:
    """What R4 demands of every AuditEvent, and of those of a profile its profile."""
    assert event["resourceType"] == "AuditEvent"
    check_r4(event)
    assert event["recorded"].endswith("Z")
    for agent in event["agent"]:
        assert isinstance(agent["requestor"], bool)
    named = profile(event)
    if named is None:
        return
    demands = DEMANDS[named]
    assert coded(event["type"]) == demands.type
    assert len({coded(each) for each in event["subtype"]} & demands.subtypes) == 1
    assert event["action"] == demands.action
    assert event["outcome"] in demands.outcomes
    check_slices(event["agent"], demands.agents, closed=False)
    check_slices(event["entity"], demands.entities, closed=demands.closed)
    if named != "AuthZconsent":
        request = (f"{BALP}CodeSystem/BasicAuditEntityType", "XrequestId")
        (entity,) = (each for each in event["entity"] if coded(each["type"]) == request)
        assert entity["what"]["identifier"]["value"]
    else:
        (authorizer,) = (each for each in event["agent"] if "authserver" in str(each["type"]))
        assert authorizer["who"] == event["source"]["observer"]  # val-audit-source
