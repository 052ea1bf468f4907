"""``medaccord grant`` and ``medaccord deny``: a patient's answer to a request."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from medaccord.cli.acting import Flags, acting_patient, acts
from medaccord.cli.asking import confirm
from medaccord.cli.done import NoWaitOption, say_done, waiting
from medaccord.cli.fhir_forms import ConsentFile, in_place_of
from medaccord.cli.output import JsonOption, say
from medaccord.cli.own_files import handed_in
from medaccord.cli.times import day, moment
from medaccord.client import ActionReceipt, Patient, ReceivedRequest
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.errors import InvalidInput, InvalidRequest
from medaccord.core.identifiers import Address, Digest, digest, hex_digest
from medaccord.core.periods import DatePeriod
from medaccord.core.purposes import Purpose
from medaccord.core.sentences import clean_name
from medaccord.core.terms import Terms


@acts
def grant(
    flags: Flags,
    request: Annotated[
        str | None,
        typer.Argument(metavar="REQUEST", help="A request of the inbox, as `inbox` names it."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="A request that came as a file, instead."),
    ] = None,
    link: Annotated[
        str | None,
        typer.Option(
            "--link", metavar="LINK", help="A request that came as a link or a QR code, instead."
        ),
    ] = None,
    consent: ConsentFile = None,
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope", metavar="SCOPE", help="Allow this only, such as patient/Observation.rs."
        ),
    ] = None,
    purposes: Annotated[
        list[Purpose] | None, typer.Option("--purpose", help="Allow it for this only.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="End it earlier, excluded.")
    ] = None,
    first_day: Annotated[
        str | None,
        typer.Option("--first-day", metavar="DAY", help="Records of this day and later only."),
    ] = None,
    last_day: Annotated[
        str | None,
        typer.Option("--last-day", metavar="DAY", help="Records of this day and earlier only."),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            "--leave-out", "--without", metavar="LABEL", help="A sensitivity to leave out, as PSY."
        ),
    ] = None,
    records: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="TYPE/ID", help="Allow single records only."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before signing.")] = False,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Allow what an organisation asks for, or less; never more.

    What you are about to allow is shown in words first, and you are asked. Where there is no
    terminal to ask on, --yes must say so. With --consent you allow what nobody asked for: what a
    FHIR Consent of yours says.
    """
    if consent is not None:
        if (request, file, link) != (None, None, None):
            raise InvalidInput("a Consent answers no request: name the request, or give --consent")
        in_place_of(
            scope=scopes,
            purpose=purposes,
            until=until,
            first_day=first_day,
            last_day=last_day,
            leave_out=leave_out,
            only=records,
        )
        _offer(flags, consent, yes=yes, wait=not no_wait, as_json=as_json)
        return
    end = None if until is None else moment(until)
    with acting_patient(flags) as patient:
        received = _meant(patient, request, file, link)
        narrower: dict[str, Any] = {
            "scopes": scopes or None,
            "purposes": purposes or None,
            "period": _period(received.request.terms, first_day, last_day),
            "excluded_labels": leave_out or None,
            "records": records or None,
        }
        sentence = _sentence(patient, received, narrower, end)
        confirm(sentence, "Allow this?", yes=yes)
        with waiting():
            receipt = patient.consents.grant(
                received, valid_until=end, wait=not no_wait, **narrower
            )
    _say_allowed(receipt, sentence, received.digest, as_json=as_json)


def _offer(flags: Flags, file: Path, *, yes: bool, wait: bool, as_json: bool) -> None:
    """Allow what a FHIR Consent says."""
    with acting_patient(flags) as patient:
        stated = patient.consents.from_fhir(handed_in(file, what="the Consent"))
        grantee, start, end = stated.grantee.address, stated.valid_from, stated.valid_until
        sentence = _allowed(patient, grantee, stated.terms, start, end)
        confirm(sentence, "Allow this?", yes=yes)
        with waiting():
            receipt = patient.consents.offer(
                grantee, stated.terms, valid_from=start, valid_until=end, wait=wait
            )
    _say_allowed(receipt, sentence, None, as_json=as_json)


def _say_allowed(
    receipt: ActionReceipt, sentence: str, request: Digest | None, *, as_json: bool
) -> None:
    say_done(
        receipt,
        f"{sentence} That is consent {hex_digest(receipt.id)}.",
        as_json=as_json,
        consent=hex_digest(receipt.id),
        request=None if request is None else hex_digest(request),
        sentence=sentence,
    )


@acts
def deny(
    flags: Flags,
    request: Annotated[
        str, typer.Argument(metavar="REQUEST", help="A request, as `inbox` names it.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Deny a request for good; whoever asked sees that."""
    with acting_patient(flags) as patient:
        received = _meant(patient, request, None, None)
        patient.inbox.deny(received)
    say(
        {"request": hex_digest(received.digest), "status": ConsentStatus.REJECTED.value},
        f"{hex_digest(received.digest)} is denied.",
        as_json=as_json,
    )


def _meant(
    patient: Patient, request: str | None, file: Path | None, link: str | None
) -> ReceivedRequest:
    """The one request that is meant, checked."""
    if sum(each is not None for each in (request, file, link)) != 1:
        raise InvalidInput("which request? Name one of the inbox, or give --file or --link")
    if file is not None:
        found = patient.inbox.receive(handed_in(file, what="the request"))
    elif link is not None:
        found = patient.inbox.receive(link)
    else:
        assert request is not None
        found = _in_inbox(patient, digest(request))
    if found.status is not ConsentStatus.PROPOSED:
        raise InvalidRequest(
            f"{hex_digest(found.digest)} waits for no answer any more: it is {found.status.value}"
        )
    return found


def _in_inbox(patient: Patient, wanted: Digest) -> ReceivedRequest:
    for each in patient.inbox.list(None):
        if each.digest == wanted:
            return each
    raise InvalidInput(
        f"no request {hex_digest(wanted)} is in the inbox: `medaccord inbox` shows those that are"
    )


def _period(asked: Terms, first: str | None, last: str | None) -> DatePeriod | None:
    """The days that are left of those asked for; None where none was named."""
    if first is None and last is None:
        return None
    start = None if first is None else day(first)
    end = None if last is None else day(last)
    if asked.period is not None:
        start, end = start or asked.period.start, end or asked.period.end
    return DatePeriod(start=start, end=end)


def _sentence(
    patient: Patient, received: ReceivedRequest, narrower: dict[str, Any], end: Any
) -> str:
    """What is about to be allowed, in words."""
    asked, terms = received.request, received.narrowed(**narrower)
    allowed = replace(asked, terms=terms, valid_until=end or asked.valid_until)
    return _allowed(patient, received.requestor, terms, allowed.valid_from, allowed.valid_until)


def _allowed(
    patient: Patient, grantee: Address, terms: Terms, start: datetime, end: datetime
) -> str:
    who, stewards = patient.directory.name(grantee), patient.directory.names(terms.stewards)
    return f"{clean_name(who)} may read {terms.phrase(stewards, start, end)}."
