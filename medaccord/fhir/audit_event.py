"""Lines of an audit log as FHIR AuditEvents, after IHE's Basic Audit Log Patterns.

| Line                                   | AuditEvents                                            |
|----------------------------------------|--------------------------------------------------------|
| one record released                    | PatientRead                                            |
| a search, or several records, released | PatientQuery                                           |
| released under a consent               | AuthZconsent, outcome 0, before the one above          |
| released in an emergency               | AuthZ-Role, outcome 0, before it: it rests on the role |
| refused under a consent                | AuthZconsent, outcome 8                                |
| refused with no consent                | AuthZ-Role, outcome 8                                  |
| refusals that were counted             | AuthZ-Role, outcome 8, which says how many             |
| what the steward itself did            | DICOM's type and ISO 21089's event of the lifecycle    |

AuthZ-Role is a subtype of the same guide, which has no profile for it: AuthZconsent demands a
consent. In the steward's own log, which is about no patient, the profiles are Read and Query, and
every decision is AuthZ-Role. A log says nothing of networks, which the profiles demand: their
addresses are absent, and said to be unknown.

Source: IHE ITI Basic Audit Log Patterns (BALP) 1.1, profiles PatientRead, PatientQuery and
AuthZconsent; FHIR R4 AuditEvent; ISO 21089:2017 for the lifecycle of records.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from medaccord.core.audit import AuditEntry
from medaccord.core.documents import instant_text
from medaccord.core.identifiers import AccountId, Address, hex_digest
from medaccord.core.purposes import PURPOSE_SYSTEM, Purpose
from medaccord.core.refusal_count import COUNTED
from medaccord.fhir.naming import (
    CONSENT_SYSTEM,
    TERMINOLOGY,
    Element,
    account,
    coding,
    concept,
    identified,
    record_version,
)

__all__ = ["Keeper", "audit_events"]

_BALP: Final = "https://profiles.ihe.net/ITI/BALP/"
_PROFILE: Final = f"{_BALP}StructureDefinition/IHE.BasicAudit."
_DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_ABSENT: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

_SUCCESS: Final = "0"
_FAILURE: Final = "8"

# What was asked for, as R4's restful-interaction names it; an operation says so besides.
_READS: Final = {"read": ("read",), "vread": ("vread",), "proof": ("read", "operation")}
_QUERIES: Final = {
    "search": ("search-type",),
    "everything": ("search", "operation"),
    "match": ("search", "operation"),
}

# What a steward does itself: DICOM's type, ISO 21089's event, and what was done to the record.
_OWN: Final = {
    "export": ("110106", "Export", "extract", "R"),
    "export-log": ("110106", "Export", "extract", "R"),
    "erase-record": ("110110", "Patient Record", "destroy", "D"),
    "erase-patient": ("110110", "Patient Record", "destroy", "D"),
    "apply-erasures": ("110110", "Patient Record", "destroy", "D"),
    "place-hold": ("110110", "Patient Record", "hold", "U"),
    "lift-hold": ("110110", "Patient Record", "unhold", "U"),
    "rotate-key": ("110110", "Patient Record", "encrypt", "U"),
    "rotate-key-and-destroy-old": ("110110", "Patient Record", "encrypt", "U"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """Whose log it is, and who keeps it.

    Attributes:
        patient: account of the patient; of the steward where it is the steward's own log.
        steward: account of the steward.
        url: where the steward's gatekeeper is reached; None where that is not known.
    """

    patient: AccountId
    steward: AccountId
    url: str | None = None


def audit_events(entry: AuditEntry, keeper: Keeper) -> tuple[Element, ...]:
    """The AuditEvents that a line stands for: one, or two where it was decided on and released."""
    event = _Line(entry, keeper)
    if entry.action in _OWN:
        return (event.own(),)
    if entry.outcome == "refused":
        return (event.decision(),)
    released = event.read() if event.is_read else event.query()
    return (event.decision(), released) if entry.consent is not None else (released,)


class _Line:
    """One line on its way to FHIR."""

    def __init__(self, entry: AuditEntry, keeper: Keeper) -> None:
        self._entry = entry
        self._keeper = keeper
        self._of_patient = keeper.patient != keeper.steward
        self._asked, purpose = _purpose_in(entry)
        self._purposes = [] if purpose is None else [concept(PURPOSE_SYSTEM, purpose.value)]

    @property
    def is_read(self) -> bool:
        return self._entry.action in _READS and len(self._entry.records) == 1

    # --- The events ---

    def read(self) -> Element:
        """PatientRead: data flows from us, the source, to the client, the destination."""
        entry = self._entry
        return self._event(
            "rest",
            profile="PatientRead" if self._of_patient else "Read",
            subtypes=_restful(_READS[entry.action]),
            action="R",
            agents=[
                self._server("110153", "Source Role ID"),
                self._client("110152", "Destination Role ID"),
                self._user(),
            ],
            entities=[
                {
                    "what": record_version(entry.records[0]),
                    "type": coding(f"{TERMINOLOGY}audit-entity-type", "2", "System Object"),
                    "role": coding(f"{TERMINOLOGY}object-role", "4", "Domain Resource"),
                },
                *self._patient(),
                *self._request(),
            ],
        )

    def query(self) -> Element:
        """PatientQuery: the question flows from the client, the source, to us."""
        entry = self._entry
        subtypes = _QUERIES.get(entry.action) or _READS.get(entry.action) or ("operation",)
        profile = "PatientQuery" if self._of_patient else "Query"
        return self._event(
            "rest",
            profile=profile if entry.action in _QUERIES else None,
            subtypes=_restful(subtypes),
            action="E",
            agents=[
                self._server("110152", "Destination Role ID"),
                self._client("110153", "Source Role ID"),
                self._user(),
            ],
            entities=[
                {
                    "type": coding(f"{TERMINOLOGY}audit-entity-type", "2", "System Object"),
                    "role": coding(f"{TERMINOLOGY}object-role", "24", "Query"),
                    "query": base64.b64encode(self._asked.encode()).decode(),
                },
                *self._patient(),
                *self._request(),
                *(_released(each) for each in entry.records),
            ],
        )

    def decision(self) -> Element:
        """AuthZconsent, or the same without a consent, outside that profile."""
        entry = self._entry
        on_consent = entry.consent is not None and entry.basis != "emergency" and self._of_patient
        kind = "AuthZ-Consent" if on_consent else "AuthZ-Role"
        event = self._event(
            "110113",
            name="Security Alert",
            profile="AuthZconsent" if on_consent else None,
            subtypes=[coding(f"{_BALP}CodeSystem/AuthZsubType", kind)],
            action="E",
            agents=[self._application(), self._user(), self._organisation(), self._authorizer()],
            entities=[*self._patient(), *([self._consent()] if on_consent else ())],
        )
        event["id"] += "-decision" if entry.outcome == "released" else ""
        return event

    def own(self) -> Element:
        """What the steward did with the patient's data."""
        entry = self._entry
        code, name, event, action = _OWN[entry.action]
        what = {"reference": entry.query} if "/" in entry.query else {"display": entry.action}
        return self._event(
            code,
            name=name,
            profile=None,
            subtypes=[coding(f"{TERMINOLOGY}iso-21089-lifecycle", event)],
            action=action,
            agents=[{**self._authorizer(), "requestor": True}],
            entities=[
                *self._patient(),
                {
                    "what": what,
                    "type": coding(f"{TERMINOLOGY}audit-entity-type", "2", "System Object"),
                    "description": entry.action,
                },
            ],
        )

    def _event(
        self,
        code: str,
        *,
        profile: str | None,
        subtypes: list[Element],
        action: str,
        agents: list[Element],
        entities: list[Element],
        name: str = "RESTful Operation",
    ) -> Element:
        entry = self._entry
        is_rest = code == "rest"
        event: Element = {
            "resourceType": "AuditEvent",
            "id": f"line-{entry.number}",
            "type": coding(f"{TERMINOLOGY}audit-event-type" if is_rest else _DCM, code, name),
            "subtype": subtypes,
            "action": action,
            "recorded": instant_text(entry.at),
            "outcome": _FAILURE if entry.outcome == "refused" else _SUCCESS,
            "agent": agents,
            "source": {
                "observer": self._steward(),
                "type": [coding(f"{TERMINOLOGY}security-source-type", "4", "Application Server")],
            },
            "entity": entities,
        }
        if profile is not None:
            event["meta"] = {"profile": [_PROFILE + profile]}
        if entry.outcome == "refused":
            event["outcomeDesc"] = entry.query if entry.action == COUNTED else entry.reason
        if self._purposes:
            event["purposeOfEvent"] = self._purposes
        if self._keeper.url is not None:
            event["source"]["site"] = self._keeper.url
        return event

    # --- Who took part ---

    def _server(self, code: str, name: str) -> Element:
        address = self._keeper.url
        return {
            "type": concept(_DCM, code, name),
            "who": self._steward(),
            "requestor": False,
            "network": _unknown() if address is None else {"address": address, "type": "5"},
        }

    def _client(self, code: str, name: str) -> Element:
        return {
            "type": concept(_DCM, code, name),
            "who": self._account(self._entry.by or self._entry.requester),
            "requestor": False,
            "network": _unknown(),
        }

    def _application(self) -> Element:
        return self._client("110150", "Application")

    def _user(self) -> Element:
        user: Element = {
            "type": concept(f"{TERMINOLOGY}v3-ParticipationType", "IRCP", "information recipient"),
            "who": self._account(self._entry.requester),
            "requestor": True,
        }
        if self._purposes:
            user["purposeOfUse"] = self._purposes
        return user

    def _organisation(self) -> Element:
        return {
            "type": concept(f"{TERMINOLOGY}v3-RoleClass", "PROV", "healthcare provider"),
            "who": self._account(self._entry.requester),
            "requestor": False,
        }

    def _authorizer(self) -> Element:
        return {
            "type": concept(
                f"{TERMINOLOGY}extra-security-role-type", "authserver", "authorization server"
            ),
            "who": self._steward(),
            "requestor": False,
        }

    def _steward(self) -> Element:
        return account(self._keeper.steward)

    def _account(self, of: Address | None) -> Element:
        if of is None:
            return {"display": "nobody who could show who it is"}
        return account(AccountId(chain_id=self._keeper.steward.chain_id, address=of))

    # --- What it was about ---

    def _patient(self) -> list[Element]:
        """The patient; none in the steward's own log."""
        if not self._of_patient:
            return []
        return [
            {
                "what": account(self._keeper.patient, "Patient"),
                "type": coding(f"{TERMINOLOGY}audit-entity-type", "1", "Person"),
                "role": coding(f"{TERMINOLOGY}object-role", "1", "Patient"),
            }
        ]

    def _consent(self) -> Element:
        consent = "" if self._entry.consent is None else hex_digest(self._entry.consent)
        return {
            "what": identified(CONSENT_SYSTEM, consent, "Consent"),
            "type": coding("http://hl7.org/fhir/resource-types", "Consent", "Consent"),
        }

    def _request(self) -> list[Element]:
        """The id of the request, which its answer named as well."""
        if self._entry.request is None:
            return []
        return [
            {
                "what": {"identifier": {"value": self._entry.request}},
                "type": coding(f"{_BALP}CodeSystem/BasicAuditEntityType", "XrequestId"),
            }
        ]


def _purpose_in(entry: AuditEntry) -> tuple[str, Purpose | None]:
    """What was asked for, and what for: a query says so at its end."""
    asked, _, code = entry.query.rpartition(" for ")
    try:
        return asked, Purpose(code)
    except ValueError:
        return entry.query, None


def _released(version: str) -> Element:
    """A record in the answer to a query, of a type of entity that the profile leaves free."""
    kind = version.partition("/")[0]
    return {
        "what": record_version(version),
        "type": coding("http://hl7.org/fhir/resource-types", kind),
        "role": coding(f"{TERMINOLOGY}object-role", "4", "Domain Resource"),
    }


def _restful(codes: tuple[str, ...]) -> list[Element]:
    return [coding("http://hl7.org/fhir/restful-interaction", code, code) for code in codes]


def _unknown() -> Element:
    return {"_address": {"extension": [{"url": _ABSENT, "valueCode": "unknown"}]}}
