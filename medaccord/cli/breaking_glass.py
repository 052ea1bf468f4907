"""An organisation's side of ``medaccord emergency``: find the patient, open access, say why."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from medaccord import settings as program
from medaccord.chain import events
from medaccord.chain.deployment import Contracts
from medaccord.chain.values import moment
from medaccord.cli.acting import (
    Flags,
    acting_patient,
    acting_provider,
    acts,
    connected,
)
from medaccord.cli.disclosures import keep, kept
from medaccord.cli.done import say_done, waiting
from medaccord.cli.output import JsonOption, say
from medaccord.cli.own_files import handed_in
from medaccord.client import OpenedEmergency, Patient, Provider, SeenEmergency
from medaccord.client.directory import organisation_of
from medaccord.client.history import events_about
from medaccord.core.documents import instant_text, members_of
from medaccord.core.emergency import EmergencyCode
from medaccord.core.errors import ContractReverted, InvalidDocument, InvalidRequest, TransportError
from medaccord.core.identifiers import Address, address, hex_digest
from medaccord.core.purposes import Purpose

_PAUSES: Final = (1, 2, 4)
"""Seconds before the gatekeeper is told the reason again."""

_MOST_MINUTES: Final = 2**32 // 60
"""What any deployment could allow."""


@acts
def match(
    flags: Flags,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A FHIR Patient (JSON) with identifiers, or with name and day of birth.",
        ),
    ],
    certain: Annotated[
        bool, typer.Option("--certain", help="Go by identifiers alone, not by name and birth.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find the account of a patient in an emergency; it is logged, and the patient is told."""
    described = _described(file)
    with acting_provider(flags) as provider:
        found = provider.emergency.match(described, purpose=Purpose.ETREAT, certain_only=certain)
    say(
        {"patients": [{"account": each.account, "grade": each.grade} for each in found]},
        [f"{each.account}\t{each.grade}" for each in found] or "Nobody here fits.",
        as_json=as_json,
    )


@acts
def open_(
    flags: Flags,
    patient: Annotated[str, typer.Argument(metavar="ADDRESS", help="The patient's account.")],
    reason: Annotated[EmergencyCode, typer.Option("--reason", help="Why; the patient reads it.")],
    minutes: Annotated[
        int,
        typer.Option(
            "--minutes", min=1, max=_MOST_MINUTES, help="How long; the deployment bounds it."
        ),
    ] = 60,
    as_json: JsonOption = False,
) -> None:
    """Open emergency access to a patient's records; the patient is told, and may close it."""
    whom = address(patient)
    folder = program.HOME / "undisclosed"
    with acting_provider(flags) as provider, waiting():
        sent = provider.emergency.open(whom, reason, timedelta(minutes=minutes), wait=False)
        file = keep(sent, folder)
        try:
            opened = replace(sent, receipt=sent.receipt.wait())
        except ContractReverted:
            file.unlink()
            raise
        is_told = _told_why(provider, opened)
    if is_told:
        file.unlink()
    until = moment(opened.receipt.event(events.EmergencyOpened).valid_until)
    what = f"Open for {whom} until {until:%Y-%m-%d %H:%M} UTC: {reason.display}."
    if not is_told:
        what += (
            " The gatekeeper was not told why, and releases nothing before:"
            f" `medaccord emergency disclose {file}` tells it."
        )
    say_done(
        opened.receipt,
        what,
        as_json=as_json,
        emergency=hex_digest(opened.emergency_id),
        patient=whom,
        reason=reason.value,
        expires=instant_text(until),
        undisclosed=None if is_told else str(file),
    )


@acts
def disclose(
    flags: Flags,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `open` left, the gatekeeper being away.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Tell the gatekeeper the reason of an emergency access that it was not told when it opened."""
    opened = kept(handed_in(file, what="the reason"), connected(flags))
    with acting_provider(flags) as provider:
        provider.emergency.disclose(opened)
    file.unlink()
    say(
        {"emergency": hex_digest(opened.emergency_id), "patient": opened.patient},
        f"The gatekeeper knows why {opened.patient} is open, and releases records.",
        as_json=as_json,
    )


@acts
def list_(
    flags: Flags,
    is_open: Annotated[bool, typer.Option("--open", help="Only what is open now.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List emergency access: what an organisation opened, or what was opened on one's own records.

    Which of the two, the account says. Both come from the chain, ended ones included; why it was
    opened, the gatekeeper tells the patient.
    """
    with acting_patient(flags) as acting, waiting():
        contracts = connected(flags)
        if organisation_of(contracts, acting.account)["admitted"]:
            found = _opened_by(contracts, acting.account)
        else:
            found = _opened_on(acting)
    shown = [each for each in found if each["open"] or not is_open]
    say({"emergencies": shown}, map(_line, shown), as_json=as_json)


def _told_why(provider: Provider, opened: OpenedEmergency) -> bool:
    """Tell the gatekeeper the reason; False where it does not answer, however often it is asked."""
    for pause in (*_PAUSES, None):
        try:
            provider.emergency.disclose(opened)
        except TransportError:
            if pause is not None:
                time.sleep(pause)
        else:
            return True
    return False


def _opened_by(contracts: Contracts, organisation: Address) -> list[dict[str, Any]]:
    opened = tuple(events_about(contracts, None, events.EmergencyOpened, organisation=organisation))
    latest = {event.patient: event.emergency_id for event in opened}
    return [
        {
            "emergency": hex_digest(event.emergency_id),
            "patient": event.patient,
            "grantee": event.grantee,
            "openedAt": instant_text(event.block.timestamp),
            "expires": instant_text(moment(event.valid_until)),
            "open": latest[event.patient] == event.emergency_id
            and bool(contracts.call("Consents", "isEmergencyActive", event.patient, event.grantee)),
        }
        for event in opened
    ]


def _opened_on(patient: Patient) -> list[dict[str, Any]]:
    return [
        {
            "emergency": hex_digest(each.emergency_id),
            "patient": patient.account,
            "grantee": each.grantee,
            "granteeName": patient.directory.name(each.grantee),
            "openedAt": instant_text(each.opened_at),
            "expires": instant_text(each.expires),
            "open": each.open,
            "reason": _reason(patient, each),
        }
        for each in patient.emergency.list()
    ]


def _reason(patient: Patient, seen: SeenEmergency) -> str | None:
    """Why it was opened; None where the gatekeeper was not told, so that nothing was released."""
    try:
        return patient.emergency.reason_of(seen).code.value
    except InvalidRequest:
        return None


def _described(file: Path) -> dict[str, Any]:
    try:
        members = members_of(handed_in(file, what="the patient"))
    except InvalidDocument as error:
        raise InvalidDocument(f"the patient {file}: {error.problem}") from error
    if members.get("resourceType") != "Patient":
        raise InvalidDocument(f"the patient {file} is no FHIR Patient")
    return dict(members)


def _line(told: dict[str, Any]) -> str:
    state = "open" if told["open"] else "over"
    who = told.get("granteeName", told["patient"])
    why = told.get("reason")
    words = f"\t{EmergencyCode(why).display}" if why else ""
    return f"{told['openedAt'][:16]}Z\t{state}\t{who}{words}"
