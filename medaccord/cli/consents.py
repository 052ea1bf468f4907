"""``medaccord consents`` and ``medaccord revoke``: what a patient allowed, and taking it back."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import typer

from medaccord.cli.acting import Flags, acting_patient, acts, acts_and_pays, connected
from medaccord.cli.done import NoWaitOption, say_done, waiting
from medaccord.cli.fhir_forms import Form, FormOption, say_bundle, say_resource
from medaccord.cli.output import JsonOption, say
from medaccord.client import GivenConsent
from medaccord.core.consent_status import ConsentStatus
from medaccord.core.documents import instant_text
from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import ConsentId, address, digest, hex_digest
from medaccord.core.sentences import clean_name
from medaccord.core.terms import Terms


@acts
def consents(
    flags: Flags,
    consent: Annotated[
        str | None,
        typer.Argument(metavar="CONSENT", help="One of them, with what it covers."),
    ] = None,
    status: Annotated[
        ConsentStatus | None,
        typer.Option("--status", help="Only active ones, or only inactive ones."),
    ] = None,
    grantee: Annotated[
        str | None,
        typer.Option("--grantee", metavar="ADDRESS", help="Only those for this organisation."),
    ] = None,
    newest_first: Annotated[
        bool, typer.Option("--newest-first", help="The last one first.")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="So many at most.")] = None,
    form: FormOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the consents that were given, ended ones included, as the chain has them.

    With --form fhir they are Consents after IHE's Privacy Consent on FHIR: one of them alone, or
    several in a Bundle.
    """
    whom = None if grantee is None else address(grantee)
    if status in (ConsentStatus.PROPOSED, ConsentStatus.REJECTED):
        raise InvalidInput(f"no consent is {status}, but requests are: see `medaccord inbox`")
    if consent is not None:
        _one(flags, ConsentId(digest(consent)), form, as_json)
        return
    with acting_patient(flags) as patient:
        history = patient.consents.history(status=status, grantee=whom, newest_first=newest_first)
        found = list(islice(history, limit))
        if form is Form.FHIR:
            say_bundle(patient.consents.as_fhir(*found), connected(flags), as_json=as_json)
            return
    say({"consents": [_told(each) for each in found]}, map(_line, found), as_json=as_json)


@acts_and_pays
def revoke(
    flags: Flags,
    consent: Annotated[
        str | None, typer.Argument(metavar="CONSENT", help="As `consents` names it.")
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Every consent, emergency access and delegation, at once."),
    ] = False,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a consent back for good, or all of them; the gatekeeper obeys at once."""
    if (consent is None) != every:
        raise InvalidInput("name one consent, or say --all, not both")
    wanted = None if consent is None else ConsentId(digest(consent))
    with acting_patient(flags) as patient, waiting():
        if wanted is None:
            receipt = patient.consents.revoke_all(wait=not no_wait)
        else:
            patient.consents.get(wanted)  # or a mistyped one would be revoked, and nothing ended
            receipt = patient.consents.revoke(wanted, wait=not no_wait)
    what = "Every consent, emergency access and delegation" if wanted is None else "The consent"
    say_done(receipt, f"{what} is over.", as_json=as_json)


def _one(flags: Flags, wanted: ConsentId, form: Form | None, as_json: bool) -> None:
    with acting_patient(flags) as patient:
        found = patient.consents.get(wanted)
        if form is Form.FHIR:
            (resource,) = patient.consents.as_fhir(found)
            say_resource(resource, as_json=as_json)
            return
        terms = patient.consents.terms_of(found)
        name = patient.directory.name(found.grantee)
        phrase = terms.phrase(
            patient.directory.names(terms.stewards), found.valid_from, found.expires
        )
    say(
        {**_told(found, terms), "granteeName": name},
        [_line(found), f"    {clean_name(name)} may read {phrase}."],
        as_json=as_json,
    )


def _told(each: GivenConsent, terms: Terms | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "consent": hex_digest(each.consent_id),
        "resourceOwner": each.resource_owner,
        "grantee": each.grantee,
        "issued": instant_text(each.issued),
        "validFrom": instant_text(each.valid_from),
        "expires": instant_text(each.expires),
        "status": each.status.value,
        "revoked": each.revoked,
        "request": each.request and hex_digest(each.request),
        "by": each.by,
        "transaction": hex_digest(each.transaction),
    }
    return told if terms is None else {**told, "terms": terms.document()}


def _line(each: GivenConsent) -> str:
    return "\t".join(
        (
            hex_digest(each.consent_id),
            each.status.value,
            each.grantee,
            f"{each.valid_from:%Y-%m-%d %H:%M} to {each.expires:%Y-%m-%d %H:%M}",
        )
    )
