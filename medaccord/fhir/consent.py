"""A consent as a FHIR Consent, after IHE's Privacy Consent on FHIR.

| Ours                                   | Consent                                                |
|----------------------------------------|--------------------------------------------------------|
| consent id; digest of a request        | identifier                                             |
| status                                 | status                                                 |
| patient                                | patient, performer                                     |
| the terms' stewards                    | organization                                           |
| when it was given, or asked for        | dateTime                                               |
| commitment to the terms                | sourceReference.identifier                             |
| what is not permitted is denied        | policy.uri, provision.type: deny                       |
| grantee                                | a nested permit's actor, role IRCP                     |
| from when, until when                  | its period; a FHIR period includes its last second     |
| the terms' purposes                    | its purpose                                            |
| the terms' period                      | its dataPeriod                                         |
| the terms' single records              | its data, meaning instance: a permit each              |
| the terms' scopes, undated records     | its modifierExtension, where a plain permit says else  |
| the terms' labels left out             | a nested deny each, with what says more of the same    |

Scopes narrow a permit, so they stand in a *modifier* extension: who does not know it must not act
on the permit. A plain permit covers every record, dated or not, or all that its dataPeriod holds.

The terms' salt is not in the Consent, which so does not open their commitment.

Source: IHE ITI Privacy Consent on FHIR (PCF) 1.1, profiles Intermediate and Advanced (the first
bars securityLabel, both bar class, code, action and rules within nested rules; the first allows one
instance a nested rule); FHIR R4 Consent; BackboneElement.modifierExtension.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from medaccord.core.consent_status import ConsentStatus
from medaccord.core.documents import instant_text
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import AccountId, ConsentId, Digest, digest, hex_digest
from medaccord.core.labels import (
    CONFIDENTIALITY_CODES,
    CONFIDENTIALITY_SYSTEM,
    SENSITIVITY_SYSTEM,
    excluded_with,
)
from medaccord.core.purposes import PURPOSE_SYSTEM
from medaccord.core.scopes import ANY_TYPE, INTERACTIONS, Scope
from medaccord.core.terms import Terms
from medaccord.fhir.naming import (
    BASE,
    CONSENT_SYSTEM,
    REQUEST_SYSTEM,
    TERMINOLOGY,
    TERMS_SYSTEM,
    URI_SYSTEM,
    Element,
    account,
    coding,
    concept,
    consent_name,
    identified,
)

__all__ = [
    "ADVANCED",
    "CATEGORY",
    "EVERYTHING",
    "INTERMEDIATE",
    "POLICY",
    "RECIPIENT",
    "SCOPE",
    "SCOPE_EXTENSION",
    "UNDATED_EXTENSION",
    "StatedConsent",
    "consent_resource",
    "label_coding",
]

_PCF: Final = "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF."
INTERMEDIATE: Final = f"{_PCF}consentIntermediate"
"""The profile of a Consent that leaves no label out."""

ADVANCED: Final = f"{_PCF}consentAdvanced"
"""The profile of a Consent that leaves labels out."""

POLICY: Final = f"{BASE}policy/terms/1"
"""The policy that our Consents are under; docs/fhir.md says what it demands."""

SCOPE_EXTENSION: Final = f"{BASE}StructureDefinition/smart-scope"
"""A SMART scope of a permit, as valueString: it covers what one of its scopes covers."""

UNDATED_EXTENSION: Final = f"{BASE}StructureDefinition/undated-records"
"""Whether a permit covers records that tell no day, as valueBoolean."""

SCOPE: Final = (f"{TERMINOLOGY}consentscope", "patient-privacy")
CATEGORY: Final = ("http://loinc.org", "59284-0")
RECIPIENT: Final = (f"{TERMINOLOGY}v3-ParticipationType", "IRCP")

EVERYTHING: Final = Scope(resource_type=ANY_TYPE, interactions=frozenset(INTERACTIONS))
"""What a permit covers that names no scope."""

_SECOND: Final = timedelta(seconds=1)
_LATEST_YEAR: Final = 9998


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedConsent:
    """A consent, or one that is asked for, with all that a Consent says of it.

    Attributes:
        terms: what it covers.
        patient: who gives it.
        grantee: the organisation that may read.
        valid_from: the first second, included.
        valid_until: the end, excluded.
        issued_at: when it was given; asked for, if it was not given.
        status: how far it has come.
        contract: the Consents contract that it stands in.
        consent_id: its id there; None if it was not given.
        request: digest of the request, for one that was not given; None if nobody asked.

    Raises:
        InvalidInput: its accounts are not all of one chain; its window is empty, or not in whole
            seconds; a time has no time zone, or is not in the years 1970 to 9998; or it has both an
            id and a request.
    """

    terms: Terms
    patient: AccountId
    grantee: AccountId
    valid_from: datetime
    valid_until: datetime
    issued_at: datetime
    status: ConsentStatus
    contract: AccountId | None = None
    consent_id: ConsentId | None = None
    request: Digest | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be one consent."""
        accounts = [self.patient, self.grantee, *self.terms.stewards]
        accounts += [] if self.contract is None else [self.contract]
        if len({each.chain_id for each in accounts}) != 1:
            raise InvalidInput("patient, grantee, stewards and contract are on different chains")
        for name in ("valid_from", "valid_until", "issued_at"):
            at: datetime = getattr(self, name)
            if at.tzinfo is None:
                raise InvalidInput(f"{name} has no time zone")
            if at.timestamp() < 0 or at.year > _LATEST_YEAR:
                raise InvalidInput(f"{name} is not in 1970 to {_LATEST_YEAR}: {at.isoformat()}")
        if self.valid_from.microsecond or self.valid_until.microsecond:
            raise InvalidInput("a consent starts and ends with a whole second")
        if self.valid_until <= self.valid_from:
            raise InvalidInput(
                f"the consent ends at {self.valid_until} but starts at {self.valid_from}"
            )
        if (self.contract is None) != (self.consent_id is None):
            raise InvalidInput("a consent is named by its id and the contract it stands in")
        if self.consent_id is not None and self.request is not None:
            raise InvalidInput("a consent that was given is named by its id, not by a request")
        for known in (self.consent_id, self.request):
            if known is not None:
                digest(known)


def consent_resource(stated: StatedConsent) -> Element:
    """The Consent; `consent_reading.read_consent` reads it back."""
    terms = stated.terms
    consent: Element = {
        "resourceType": "Consent",
        "meta": {"profile": [ADVANCED if terms.excluded_labels else INTERMEDIATE]},
        "status": stated.status.value,
        "scope": concept(*SCOPE),
        "category": [concept(*CATEGORY)],
        "patient": account(stated.patient, "Patient"),
        "dateTime": instant_text(stated.issued_at),
        "performer": [account(stated.patient, "Patient")],
        "organization": [account(each, "Organization") for each in terms.stewards],
        "sourceReference": identified(
            TERMS_SYSTEM, hex_digest(terms.commitment), "DocumentReference"
        ),
        "policy": [{"uri": POLICY}],
        "provision": {"type": "deny", "provision": [*_permits(stated), *_denials(terms)]},
    }
    if stated.contract is not None and stated.consent_id is not None:
        consent["id"] = stated.consent_id.hex()
        consent["identifier"] = [
            {"system": URI_SYSTEM, "value": consent_name(stated.contract, stated.consent_id)},
            # the bare id, which AuditEvents name it by
            {"system": CONSENT_SYSTEM, "value": hex_digest(stated.consent_id)},
        ]
    elif stated.request is not None:
        consent["id"] = stated.request.hex()
        consent["identifier"] = [{"system": REQUEST_SYSTEM, "value": hex_digest(stated.request)}]
    return consent


def label_coding(label: str) -> Element:
    """A label of `core.labels.LABELS` as a Coding."""
    is_confidentiality = label in CONFIDENTIALITY_CODES
    return coding(CONFIDENTIALITY_SYSTEM if is_confidentiality else SENSITIVITY_SYSTEM, label)


def _permits(stated: StatedConsent) -> list[Element]:
    """One permit, or one for each single record: PCF Intermediate allows a rule no more."""
    records: tuple[str | None, ...] = stated.terms.records or (None,)
    return [_permit(stated, record) for record in records]


def _permit(stated: StatedConsent, record: str | None) -> Element:
    terms = stated.terms
    permit: Element = {
        "type": "permit",
        "period": {
            "start": _whole_seconds(stated.valid_from),
            "end": _whole_seconds(stated.valid_until - _SECOND),
        },
        "actor": [
            {"role": concept(*RECIPIENT), "reference": account(stated.grantee, "Organization")}
        ],
        "purpose": [coding(PURPOSE_SYSTEM, each.value) for each in terms.purposes],
    }
    if extensions := _extensions(terms):
        permit["modifierExtension"] = extensions
    if terms.period is not None:
        days = {"start": terms.period.start, "end": terms.period.end}
        permit["dataPeriod"] = {name: str(day) for name, day in days.items() if day is not None}
    if record is not None:
        permit["data"] = [{"meaning": "instance", "reference": {"reference": record}}]
    return permit


def _extensions(terms: Terms) -> list[Element]:
    """What the terms say otherwise than a plain permit would."""
    extensions: list[Element] = []
    if terms.scopes != (EVERYTHING,):
        extensions += [{"url": SCOPE_EXTENSION, "valueString": str(each)} for each in terms.scopes]
    if terms.include_undated != (terms.period is None):
        extensions.append({"url": UNDATED_EXTENSION, "valueBoolean": terms.include_undated})
    return extensions


def _denials(terms: Terms) -> list[Element]:
    """A deny for each label left out, with the labels that say more of the same."""
    return [
        {
            "type": "deny",
            "securityLabel": [
                label_coding(each) for each in [label, *sorted(excluded_with([label]) - {label})]
            ],
        }
        for label in terms.excluded_labels
    ]


def _whole_seconds(at: datetime) -> str:
    """A time in UTC, to the second: FHIR has it include all of that second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
