"""``medaccord inbox``: what organisations ask a patient for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from medaccord.cli.acting import Flags, acting_patient, acts, connected
from medaccord.cli.fhir_forms import Form, FormOption, say_bundle
from medaccord.cli.output import JsonOption, say
from medaccord.client import ReceivedRequest
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.documents import instant_text
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import hex_digest


@acts
def inbox(
    flags: Flags,
    status: Annotated[
        ConsentStatus | None,
        typer.Option("--status", help="Only those of this status; proposed unless given."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Those that were answered, too.")] = False,
    form: FormOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the requests that wait for an answer, each in words made from its structure.

    Every one is checked first: who signed it, that they may ask, and that it is made to you. With
    --form fhir they are Tasks in a Bundle.
    """
    if every and status is not None:
        raise InvalidInput("give --status or --all, not both")
    wanted = None if every else status or ConsentStatus.PROPOSED
    with acting_patient(flags) as patient:
        found = patient.inbox.list(wanted)
        if form is Form.FHIR:
            say_bundle(patient.inbox.as_fhir(*found), connected(flags), as_json=as_json)
            return
    say({"requests": [told(each) for each in found]}, _lines(found), as_json=as_json)


def told(received: ReceivedRequest) -> dict[str, Any]:
    """A request as JSON has it."""
    request = received.request
    return {
        "request": hex_digest(received.digest),
        "requestor": received.requestor,
        "resourceOwner": received.resource_owner,
        "sentence": received.sentence,
        "issued": instant_text(received.issued),
        "validFrom": instant_text(request.valid_from),
        "expires": instant_text(received.expires),
        "status": received.status.value,
        "terms": request.terms.document(),
    }


def _lines(found: tuple[ReceivedRequest, ...]) -> Iterator[str]:
    for each in found:
        yield f"{hex_digest(each.digest)}\t{each.status.value}"
        yield f"    {each.sentence}"
