"""A request for access as a FHIR Task: it asks the patient to make a proposed Consent active.

| Ours                             | Task                                                         |
|----------------------------------|--------------------------------------------------------------|
| digest of the request            | id, identifier                                               |
| how far it has come              | status: requested, completed, rejected, cancelled            |
| that it is asked for             | intent: proposal; code: approve                              |
| terms, window, grantee, stewards | focus: the contained Consent                                 |
| patient                          | for, owner                                                   |
| requester                        | requester                                                    |
| when it was made                 | authoredOn                                                   |
| the consent that answers it      | output                                                       |

The patient may have granted less than was asked for, so the contained Consent stays what was asked
for, and ``output`` names the one that was given. The nonce, the signature and the steward in whose
inbox the request lies are not in the Task: it tells of a request and is none.

Source: FHIR R4 Task; code system task-code for ``approve``, resource-types for the output's type.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from medaccord.core.consent_status import ConsentStatus
from medaccord.core.documents import instant_text
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import AccountId, ConsentId, hex_digest
from medaccord.core.requests import AccessRequest
from medaccord.core.typed_data import Domain
from medaccord.fhir.consent import StatedConsent, consent_resource
from medaccord.fhir.naming import (
    REQUEST_SYSTEM,
    URI_SYSTEM,
    Element,
    account,
    concept,
    consent_name,
    identified,
)

__all__ = ["request_task"]

_PROPOSED: Final = "proposal"
_TASK_CODE: Final = "http://hl7.org/fhir/CodeSystem/task-code"
_RESOURCE_TYPES: Final = "http://hl7.org/fhir/resource-types"
_STATUS: Final = {
    ConsentStatus.PROPOSED: "requested",
    ConsentStatus.REJECTED: "rejected",
    ConsentStatus.INACTIVE: "cancelled",
}


def request_task(
    request: AccessRequest,
    domain: Domain,
    *,
    status: ConsentStatus,
    consent_id: ConsentId | None = None,
    changed_at: datetime | None = None,
) -> Element:
    """The Task that a request stands for.

    Args:
        request: what is asked for.
        domain: the off-chain domain of the deployment, which the request is signed under.
        status: how far it has come: proposed, rejected, or inactive if it was withdrawn or nobody
            answered it in time. With `consent_id` it was granted, whatever became of that.
        consent_id: the consent that answers it; None if none does.
        changed_at: when that came about; timezone-aware, not before the request was made.

    Raises:
        InvalidInput: it is said to be active, and by no consent; or to have changed before it was
            made.
        InvalidRequest: the domain is of another chain than the request.
        InvalidDocument: `changed_at` has no time zone.
    """
    if consent_id is None and status is ConsentStatus.ACTIVE:
        raise InvalidInput("a request is active by a consent that answers it: name that")
    digest = request.digest(domain)
    proposed = StatedConsent(
        terms=request.terms,
        patient=request.patient,
        grantee=request.requester,
        valid_from=request.valid_from,
        valid_until=request.valid_until,
        issued_at=request.issued_at,
        status=ConsentStatus.PROPOSED if consent_id is not None else status,
        request=digest,
    )
    task: Element = {
        "resourceType": "Task",
        "id": digest.hex(),
        "contained": [{**consent_resource(proposed), "id": _PROPOSED}],
        "identifier": [{"system": REQUEST_SYSTEM, "value": hex_digest(digest)}],
        "status": "completed" if consent_id is not None else _STATUS[status],
        "intent": "proposal",
        "code": concept(_TASK_CODE, "approve"),
        "focus": {"reference": f"#{_PROPOSED}", "type": "Consent"},
        "for": account(request.patient, "Patient"),
        "authoredOn": instant_text(request.issued_at),
        "requester": account(request.requester, "Organization"),
        "owner": account(request.patient, "Patient"),
    }
    if changed_at is not None:
        task["lastModified"] = instant_text(changed_at)
        if changed_at < request.issued_at:
            raise InvalidInput(f"the request was made at {request.issued_at}, after {changed_at}")
    if consent_id is not None:
        contract = AccountId(chain_id=domain.chain_id, address=domain.contract)
        name = consent_name(contract, consent_id)
        task["output"] = [
            {
                "type": concept(_RESOURCE_TYPES, "Consent"),
                "valueReference": identified(URI_SYSTEM, name, "Consent"),
            }
        ]
    return task
