"""Finding a patient's account in an emergency: ``Patient/$match`` at a steward's gatekeeper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medaccord.client.believing import Belief
from medaccord.client.gatekeeper_api import reading_answer
from medaccord.client.session import Session
from medaccord.core.canonical import document_bytes
from medaccord.core.errors import InvalidDocument, ReceiptMismatch
from medaccord.core.identifiers import AccountId, Address
from medaccord.core.purposes import Purpose
from medaccord.core.receipts import SignedReceipt
from medaccord.fhir.answers import AnswerEntry, parse_searchset
from medaccord.fhir.search import ACCOUNT_SYSTEM


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedPatient:
    """Whom the steward takes somebody for.

    Attributes:
        account: The account to open emergency access for.
        grade: How sure it is: ``certain``, ``probable`` or ``possible``.
        receipt: The steward's signature that the patient's log has a line of it.
    """

    account: Address
    grade: str
    receipt: SignedReceipt


def match(
    session: Session,
    belief: Belief,
    described: Mapping[str, Any],
    *,
    purpose: Purpose,
    certain_only: bool,
) -> tuple[MatchedPatient, ...]:
    """Ask, and check the receipts; see `ProviderEmergency.match`."""
    resource = {**described, "resourceType": "Patient"}
    parameters: list[dict[str, Any]] = [{"name": "resource", "resource": resource}]
    if certain_only:
        parameters.append({"name": "onlyCertainMatches", "valueBoolean": True})
    body = {"resourceType": "Parameters", "parameter": parameters}
    answer = session.post("/fhir/Patient/$match", body, purpose=purpose)
    with reading_answer(session.api.url):
        page = parse_searchset(document_bytes(answer))
        found = [(_account(each, session.account.chain_id), each) for each in page.entries]
    matched = []
    for account, entry in found:
        if entry.receipt is None:
            raise ReceiptMismatch(f"{account} was named without a receipt for its log")
        with reading_answer(session.api.url):
            receipt = SignedReceipt.parse(entry.receipt)
        belief.take(receipt, account)
        matched.append(
            MatchedPatient(account=account, grade=entry.grade or "possible", receipt=receipt)
        )
    return tuple(matched)


def _account(entry: AnswerEntry, chain_id: int) -> Address:
    identifiers = entry.resource.get("identifier")
    for each in identifiers if isinstance(identifiers, list) else ():
        if isinstance(each, dict) and each.get("system") == ACCOUNT_SYSTEM:
            account = AccountId.parse(str(each.get("value")))
            if account.chain_id != chain_id:
                raise InvalidDocument(f"{account} is of another chain than {chain_id}")
            return account.address
    raise InvalidDocument("a patient was matched without an account")
