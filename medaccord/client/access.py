"""Asking a gatekeeper what is allowed: nothing is released, and nothing is logged.

What it says is its word, for planning and for showing: what it releases is decided anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from medaccord.client.access_answers import (
    AccessVerdict,
    WhatCanBeRead,
    WhoCanRead,
    objects_of,
    read_verdict,
    read_what_can,
    read_who_can,
    token_of,
)
from medaccord.client.gatekeeper_api import json_object, reading_answer
from medaccord.client.session import Session
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.errors import InvalidDocument
from medaccord.core.identifiers import Address
from medaccord.core.purposes import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessCheck:
    """One thing to check: a type of resource, or one record.

    Attributes:
        patient: Of whose records.
        purpose: What for.
        interaction: "r" for reading, "s" for searching.
        resource_type: The type; None where one record is named.
        record: One record, ``Type/id``; None for any of the type.
        requester: The organisation that would ask; whoever checks unless given.
    """

    patient: Address
    purpose: Purpose = Purpose.TREAT
    interaction: str = "r"
    resource_type: str | None = None
    record: str | None = None
    requester: Address | None = None

    def document(self) -> dict[str, str]:
        """It as it travels."""
        members = {
            "patient": self.patient,
            "purpose": self.purpose.value,
            "interaction": self.interaction,
            "resourceType": self.resource_type,
            "record": self.record,
            "requester": self.requester,
        }
        return {name: str(value) for name, value in members.items() if value is not None}


class AccessQuestions:
    """Asks one gatekeeper for one account.

    Every method takes `at_least`, the token of an earlier answer: it is decided at that block or
    later; and `latest`: the gatekeeper asks the chain this moment. Every method raises:

    - AccessRefused: MAY_NOT_ASK, it is not the account's to ask; LEDGER_BEHIND and its like, the
      gatekeeper cannot tell now, or not as fresh as wanted; NOT_SIGNED_IN.
    - InvalidRequest: There is no such type or record, or too much is asked.
    - TransportError: The gatekeeper does not answer, or badly.
    """

    def __init__(self, session: Session) -> None:
        """Use a session of the account's."""
        self._session = session

    def check(
        self, asked: AccessCheck, *, at_least: ConsistencyToken | None = None, latest: bool = False
    ) -> AccessVerdict:
        """Whether something may be read now, and why."""
        headers = _headers(at_least, latest)
        answer = self._session.post("/access/check", asked.document(), headers=headers)
        with reading_answer(self._session.api.url):
            return read_verdict(answer, token_of(answer))

    def check_all(
        self,
        asked: Iterable[AccessCheck],
        *,
        at_least: ConsistencyToken | None = None,
        latest: bool = False,
    ) -> tuple[AccessVerdict, ...]:
        """The same of up to fifty things, all decided at one state; in their order."""
        checks = [each.document() for each in asked]
        answer = self._session.post(
            "/access/check/batch", {"checks": checks}, headers=_headers(at_least, latest)
        )
        with reading_answer(self._session.api.url):
            token = token_of(answer)
            verdicts = tuple(read_verdict(each, token) for each in objects_of(answer, "answers"))
            if len(verdicts) != len(checks):
                raise InvalidDocument("there are not as many answers as checks")
            return verdicts

    def who_can(
        self,
        resource_type: str,
        *,
        interaction: str = "r",
        purpose: Purpose = Purpose.TREAT,
        at_least: ConsistencyToken | None = None,
        latest: bool = False,
    ) -> WhoCanRead:
        """Who may read a type of the account's own records now; for patients."""
        parameters = {
            "patient": self._session.account.address,
            "resourceType": resource_type,
            "interaction": interaction,
            "purpose": purpose.value,
        }
        answer = self._get("/access/who-can", parameters, _headers(at_least, latest))
        with reading_answer(self._session.api.url):
            return read_who_can(answer)

    def what_can(
        self,
        *,
        patient: Address | None = None,
        organisation: Address | None = None,
        at_least: ConsistencyToken | None = None,
        latest: bool = False,
    ) -> WhatCanBeRead:
        """What an organisation may read of a patient now.

        Args:
            patient: The account itself unless given.
            organisation: The account itself unless given.
            at_least: See the class.
            latest: See the class.
        """
        own = self._session.account.address
        parameters = {"patient": patient or own, "requester": organisation or own}
        answer = self._get("/access/what-can", parameters, _headers(at_least, latest))
        with reading_answer(self._session.api.url):
            return read_what_can(answer)

    def _get(
        self, path: str, parameters: Mapping[str, str], headers: Mapping[str, str]
    ) -> dict[str, Any]:
        return json_object(self._session.get(path, parameters=parameters, headers=headers))


def _headers(at_least: ConsistencyToken | None, latest: bool) -> dict[str, str]:
    headers = {"Medaccord-Freshness": "latest"} if latest else {}
    return headers if at_least is None else headers | {"Medaccord-At-Least": str(at_least)}
