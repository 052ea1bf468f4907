"""``medaccord request``: asking patients for access, by their inbox or by any other way."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from medaccord.cli.acting import Flags, acting_provider, acts, connected
from medaccord.cli.fhir_forms import ConsentFile, Form, FormOption, in_place_of, say_bundle
from medaccord.cli.output import JsonOption, say
from medaccord.cli.own_files import handed_in, written
from medaccord.cli.qr import drawn
from medaccord.cli.times import day, end_of, moment
from medaccord.client import Provider, SentRequest
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.documents import instant_text
from medaccord.core.errors import InvalidInput, InvalidRequest
from medaccord.core.identifiers import Address, Digest, address, digest, hex_digest
from medaccord.core.periods import DatePeriod
from medaccord.core.purposes import Purpose
from medaccord.core.terms import Terms
from medaccord.fhir import StatedConsent

app = typer.Typer(no_args_is_help=True, help="What an organisation asks patients for.")


@app.command("new")
@acts
def new(
    flags: Flags,
    patient: Annotated[str, typer.Argument(metavar="ADDRESS", help="The patient's account.")],
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="Such as patient/Observation.rs?category=laboratory; may be given again.",
        ),
    ] = None,
    consent: ConsentFile = None,
    purposes: Annotated[
        list[Purpose] | None,
        typer.Option("--purpose", help="What for; TREAT unless given; may be given again."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="End of the consent asked for, excluded."),
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, help="The same, from its start on.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Its start; now unless given.")
    ] = None,
    first_day: Annotated[
        str | None,
        typer.Option("--first-day", metavar="DAY", help="First day the records may be about."),
    ] = None,
    last_day: Annotated[
        str | None,
        typer.Option("--last-day", metavar="DAY", help="Last day the records may be about."),
    ] = None,
    undated: Annotated[
        bool, typer.Option("--undated", help="Ask for records that tell no day, too.")
    ] = False,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            "--leave-out", metavar="LABEL", help="Leave out records of a sensitivity, such as PSY."
        ),
    ] = None,
    records: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="TYPE/ID", help="Single records; may be given again."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Write it to a file, to hand over."),
    ] = None,
    link: Annotated[bool, typer.Option("--link", help="Print it as a link, to hand over.")] = False,
    qr: Annotated[bool, typer.Option("--qr", help="Draw it as a QR code, to be scanned.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask a patient for access: through the inbox, or as a file, a link or a QR code instead.

    With --file, --link or --qr nothing is sent: whoever holds it may show it to the patient.
    With --consent the Consent says what is asked for, and how long unless that is given.
    """
    whom, contracts = address(patient), connected(flags)
    handed_over = file is not None or link or qr
    begin = None if start is None else moment(start)
    if consent is not None:
        in_place_of(
            scope=scopes,
            purpose=purposes,
            first_day=first_day,
            last_day=last_day,
            undated=undated,
            leave_out=leave_out,
            only=records,
        )
    elif not scopes:
        raise InvalidInput("what is asked for? Give --scope or --consent")
    with acting_provider(flags) as provider:
        end: datetime | None = None
        if consent is not None:
            stated = _stated(provider, consent, whom)
            terms, begin = stated.terms, begin or stated.valid_from
            if until is None and days is None:
                end = stated.valid_until
        else:
            terms = provider.requests.terms(
                *(scopes or ()),
                purposes=purposes or (Purpose.TREAT,),
                period=_period(first_day, last_day),
                include_undated=undated,
                excluded_labels=leave_out or (),
                records=records or (),
            )
        end = end or end_of(until, days, begin or contracts.network.clock())
        drafted = provider.requests.draft(whom, terms, valid_until=end, valid_from=begin)
        if not handed_over:
            provider.requests.leave(drafted)
    name = drafted.request.digest(contracts.off_chain_domain)
    asked = SentRequest(request=drafted.request, digest=name)
    document = {**_told(asked), "inInbox": not handed_over}
    lines = [f"{document['request']} asks {whom} for {_words(terms)}, until {document['expires']}."]
    if not handed_over:
        lines.append("It lies in the patient's inbox.")
    if file is not None:
        with written(file) as out:
            out.write(drafted.to_file())
        document["file"] = str(file)
        lines.append(f"{file}: hand it to the patient.")
    if link:
        document["link"] = drafted.to_link()
        lines.append(document["link"])
    if qr:
        document["qr"] = drafted.to_qr()
        lines.append(drawn(document["qr"]))
    say(document, lines, as_json=as_json)


@app.command("list")
@acts
def list_(
    flags: Flags,
    status: Annotated[
        ConsentStatus | None, typer.Option("--status", help="Only those of one status.")
    ] = None,
    form: FormOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the requests that were left at this gatekeeper, and what became of them.

    With --form fhir they are Tasks in a Bundle.
    """
    with acting_provider(flags) as provider:
        found = provider.requests.list(status)
        if form is Form.FHIR:
            say_bundle(provider.requests.as_fhir(*found), connected(flags), as_json=as_json)
            return
    say({"requests": [_told(each) for each in found]}, map(_line, found), as_json=as_json)


@app.command("cancel")
@acts
def cancel(
    flags: Flags,
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="As `list` shows it.")],
    as_json: JsonOption = False,
) -> None:
    """Take a request back that was not answered yet."""
    wanted = digest(request)
    with acting_provider(flags) as provider:
        provider.requests.cancel(_found(provider, wanted))
    say(
        {"request": hex_digest(wanted), "status": ConsentStatus.INACTIVE.value},
        f"{hex_digest(wanted)} is taken back.",
        as_json=as_json,
    )


def _stated(provider: Provider, file: Path, patient: Address) -> StatedConsent:
    """What the Consent in a file says, of the patient who is asked."""
    stated = provider.requests.from_fhir(handed_in(file, what="the Consent"))
    if stated.patient.address != patient:
        raise InvalidInput(f"the Consent is of {stated.patient.address}, not of {patient}")
    return stated


def _found(provider: Provider, wanted: Digest) -> SentRequest:
    for each in provider.requests.list():
        if each.digest == wanted:
            if each.status is not ConsentStatus.PROPOSED:
                raise InvalidRequest(
                    f"{hex_digest(wanted)} cannot be taken back any more: it is {each.status.value}"
                )
            return each
    raise InvalidInput(
        f"no request {hex_digest(wanted)} was left here: `medaccord request list` shows those that"
        " were"
    )


def _period(first: str | None, last: str | None) -> DatePeriod | None:
    if first is None and last is None:
        return None
    return DatePeriod(
        start=None if first is None else day(first), end=None if last is None else day(last)
    )


def _told(sent: SentRequest) -> dict[str, Any]:
    request = sent.request
    return {
        "request": hex_digest(sent.digest),
        "resourceOwner": sent.resource_owner,
        "requestor": sent.requestor,
        "issued": instant_text(sent.issued),
        "validFrom": instant_text(request.valid_from),
        "expires": instant_text(sent.expires),
        "status": sent.status.value,
        "terms": request.terms.document(),
    }


def _line(sent: SentRequest) -> str:
    return "\t".join(
        (
            hex_digest(sent.digest),
            sent.status.value,
            sent.resource_owner,
            _words(sent.request.terms),
            f"until {sent.expires:%Y-%m-%d %H:%M}",
        )
    )


def _words(terms: Terms) -> str:
    return f"{', '.join(map(str, terms.scopes))} for {', '.join(terms.purposes)}"
