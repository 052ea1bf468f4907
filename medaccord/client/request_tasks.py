"""Requests as FHIR Tasks, each with the consent that answers it, as the chain has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from medaccord.chain import events
from medaccord.chain.deployment import Contracts
from medaccord.client.history import events_about
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.errors import VerificationFailed
from medaccord.core.identifiers import Address, Digest, hex_digest
from medaccord.core.requests import AccessRequest
from medaccord.fhir.naming import Element
from medaccord.fhir.task import request_task


class Asked(Protocol):
    """A request and how far it has come, on either side."""

    @property
    def request(self) -> AccessRequest:
        """What it asks for."""

    @property
    def digest(self) -> Digest:
        """Its digest."""

    @property
    def status(self) -> ConsentStatus:
        """How far it has come."""


def request_tasks(contracts: Contracts, asked: Sequence[Asked]) -> tuple[Element, ...]:
    """The Task that each request stands for.

    Which were granted is a gatekeeper's word: the chain is asked for the consent. When one was
    denied or taken back nobody keeps, so only an answer that was given tells its time.

    Raises:
        VerificationFailed: A request is said to be granted, and no consent answers it.
        TransportError: The node does not answer.
    """
    answers = _answers(contracts, [each for each in asked if each.status is ConsentStatus.ACTIVE])
    return tuple(_task(contracts, each, answers.get(each.digest)) for each in asked)


def _task(contracts: Contracts, asked: Asked, answer: events.ConsentGranted | None) -> Element:
    given_at = None if answer is None else answer.block.timestamp
    if given_at is not None and given_at < asked.request.issued_at:  # by the requester's own clock
        given_at = None
    return request_task(
        asked.request,
        contracts.off_chain_domain,
        status=asked.status,
        consent_id=None if answer is None else answer.consent_id,
        changed_at=given_at,
    )


def _answers(
    contracts: Contracts, granted: Sequence[Asked]
) -> Mapping[Digest, events.ConsentGranted]:
    """The consent that answers each request, by the request's digest."""
    wanted = {
        each.digest: (each.request.patient.address, each.request.requester.address)
        for each in granted
    }
    found: dict[Digest, events.ConsentGranted] = {}
    if wanted:
        for event in events_about(
            contracts,
            _only(patient for patient, _ in wanted.values()),
            events.ConsentGranted,
            organisation=_only(requester for _, requester in wanted.values()),
            newest_first=True,
        ):
            if wanted.get(event.request) == (event.patient, event.grantee):
                found[event.request] = event
            if len(found) == len(wanted):
                break
    for digest in wanted.keys() - found.keys():
        raise VerificationFailed(
            f"the gatekeeper says that request {hex_digest(digest)} was granted, but no consent on"
            " the chain answers it: it may not be mined yet"
        )
    return found


def _only(accounts: Iterable[Address]) -> Address | None:
    """The one account that there is; None where there are several."""
    several = set(accounts)
    return several.pop() if len(several) == 1 else None
