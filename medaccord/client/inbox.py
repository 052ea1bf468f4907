"""A patient's inbox: requests, each checked before a person sees it, whichever way it came."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from medaccord.chain import events
from medaccord.client.acting import Acting
from medaccord.client.gatekeeper_api import json_object, reading_answer
from medaccord.client.history import events_about
from medaccord.client.received import ReceivedRequest, check_request, may_ask, received
from medaccord.client.request_states import status_of
from medaccord.client.request_tasks import request_tasks
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import InvalidDocument, InvalidRequest, VerificationFailed
from medaccord.core.identifiers import hex_digest
from medaccord.core.request_carriers import MEMBERS, SignedRequest
from medaccord.fhir.naming import Element


class PatientInbox:
    """Requests to a patient: what lies at the gatekeeper, and what came another way."""

    def __init__(self, acting: Acting) -> None:
        """Read for the patient."""
        self._acting = acting

    def list(
        self, status: ConsentStatus | None = ConsentStatus.PROPOSED
    ) -> tuple[ReceivedRequest, ...]:
        """Requests in the inbox, in the order they came, each checked and put in words.

        Of those that await an answer, those are left out whose organisation is not, or no longer,
        admitted, or is suspended, or whose key may no longer ask: that can come about after a
        request was left honestly.

        Args:
            status: Only those of this status: unless given, those that await an answer. None for
                all of them.

        Raises:
            SignatureMismatch: The gatekeeper shows a request that its requestor did not sign.
            VerificationFailed: It shows a request made to somebody else.
            AccessRefused: The key may not read for the account.
            TransportError: The gatekeeper or the node does not answer, or badly.
        """
        acting = self._acting
        asked = {"state": "open"} if status is ConsentStatus.PROPOSED else {}
        answer = json_object(acting.session.get("/requests", parameters=asked))
        with reading_answer(acting.api.url):
            shown = _read(answer)
        for signed, _ in shown:
            check_request(signed, acting)
        return tuple(
            received(signed, acting, stands)
            for signed, stands in shown
            if status in (None, stands)
            and (stands is not ConsentStatus.PROPOSED or may_ask(signed, acting.contracts))
        )

    def receive(self, carried: bytes | str) -> ReceivedRequest:
        """Take a request that came another way: in a file, by a link or as a QR code.

        It is checked like one of the inbox, and can be granted like one. It does not lie there for
        that: to deny it, do nothing. One that a consent answers which is in force is ACTIVE, so
        that nobody allows the same twice, and takes back one of the two.

        Args:
            carried: Content of the file, the link, or the text of the code.

        Raises:
            InvalidRequest: It is no request, is for records of another steward than this one, or
                the time asked for is over.
            SignatureMismatch: Its requestor did not sign it.
            VerificationFailed: It was made to somebody else, or its requestor may not ask now.
            TransportError: The gatekeeper or the node does not answer, or badly.
        """
        acting = self._acting
        signed = SignedRequest.read(carried)
        check_request(signed, acting)
        request, steward = signed.request, acting.contracts.account_id(acting.steward)
        if request.steward != steward:
            raise InvalidRequest(
                f"this asks for records of {request.steward}: answer it at the gatekeeper of that "
                "steward"
            )
        if request.valid_until <= acting.network.clock():
            raise InvalidRequest(f"the time asked for was over at {request.valid_until}")
        if not may_ask(signed, acting.contracts):
            raise VerificationFailed(
                f"{request.requester} is no active organisation, or {signed.by} may not ask for it"
            )
        found = received(signed, acting, ConsentStatus.PROPOSED)
        return replace(found, status=ConsentStatus.ACTIVE) if self._is_granted(found) else found

    def _is_granted(self, found: ReceivedRequest) -> bool:
        contracts, account = self._acting.contracts, self._acting.account
        given = events_about(
            contracts, account, events.ConsentGranted, organisation=found.requestor
        )
        return any(
            contracts.call("Consents", "isActive", account, each.consent_id)
            for each in given
            if each.request == found.digest
        )

    def deny(self, request: ReceivedRequest) -> None:
        """Deny a request for good: its organisation sees that, and it awaits no answer any more.

        One that was denied already stays so.

        Args:
            request: From `list`.

        Raises:
            InvalidRequest: It does not lie in the inbox, was granted or cancelled before, or is
                over.
            AccessRefused: The key may not answer for the account.
            TransportError: The gatekeeper does not answer, or badly.
        """
        self._acting.session.post(f"/requests/{hex_digest(request.digest)}/deny", {})

    def as_fhir(self, *requests: ReceivedRequest) -> tuple[Element, ...]:
        """Requests as FHIR Tasks, each with the Consent that is asked for; docs/fhir.md has them.

        Args:
            *requests: From `list` or `receive`.

        Returns:
            A resource each; `medaccord.fhir.collection` puts them in one Bundle.

        Raises:
            VerificationFailed: A request is said to be granted, and no consent answers it.
            TransportError: The node does not answer.

        Source: FHIR R4 Task.
        """
        return request_tasks(self._acting.contracts, requests)


def _read(answer: dict[str, Any]) -> list[tuple[SignedRequest, ConsentStatus]]:
    items = answer.get("requests")
    if not isinstance(items, list):
        raise InvalidDocument("there is no list of requests")
    return [_signed(item) for item in items]


def _signed(item: Any) -> tuple[SignedRequest, ConsentStatus]:
    reader = DocumentReader(
        item,
        what="the request",
        required=(*MEMBERS, "state"),
        optional=item if isinstance(item, dict) else (),
    )
    return SignedRequest.of(reader), status_of(reader.text("state"))
