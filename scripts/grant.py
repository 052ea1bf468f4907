"""Consents to a request, as asked or to less.

Usage: ape run grant --network … --account PAYER --patient PATIENT --request FILE --out FILE
    [--scope 'patient/Observation.rs?category=laboratory'] [--days 7]
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click
from ape.api import AccountAPI

from medaccord.chain import actions
from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Power
from medaccord.core.canonical import parse_object
from medaccord.core.documents import DocumentReader
from medaccord.core.errors import InvalidRequest, SignatureMismatch
from medaccord.core.identifiers import digest, hex_digest
from medaccord.core.requests import AccessRequest
from medaccord.core.scopes import Scope
from medaccord.core.typed_data import recover
from scripts._ape import (
    ApeSigner,
    ScriptCommand,
    contracts_of,
    key_option,
    record_option,
    report,
    sender_of,
)


def read_request(path: Path, contracts: Contracts) -> AccessRequest:
    """Read a signed request.

    Raises:
        InvalidRequest: The file holds something else.
        SignatureMismatch: It is not signed for the organisation that asks.
    """
    members = ("request", "by", "signature")
    reader = DocumentReader(parse_object(path.read_bytes()), what=str(path), required=members)
    request = AccessRequest.parse(reader.mapping("request"))
    by, requester = reader.address("by"), request.requester.address
    signer = recover(request.typed(contracts.off_chain_domain), reader.octets("signature"))
    allowed = contracts.call("Registry", "isAuthorised", requester, by, Power.REQUEST)
    if signer != by or not allowed:
        raise SignatureMismatch(f"{path} is not signed for {requester}")
    return request


def narrowed(request: AccessRequest, scopes: tuple[str, ...], days: int | None) -> AccessRequest:
    """What the patient consents to: what was asked for, or less under a salt of its own.

    Raises:
        InvalidRequest: It is more than was asked for.
    """
    terms, until = request.terms, request.valid_until
    if scopes:
        parsed = tuple(Scope.parse(scope) for scope in scopes)
        terms = replace(terms, scopes=parsed, salt=digest(os.urandom(32)))
    if days is not None:
        until = request.valid_from + timedelta(days=days)
    if not terms.narrows(request.terms) or until > request.valid_until:
        raise InvalidRequest("this is more than was asked for")
    return replace(request, terms=terms, valid_until=until)


@click.command(cls=ScriptCommand, short_help="Consent to a request")
@key_option("--account", "whoever pays")
@key_option("--patient", "the patient")
@click.option(
    "--request",
    "asked",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The signed request.",
)
@click.option("--scope", "scopes", multiple=True, help="A narrower SMART scope; may come again.")
@click.option("--days", type=click.IntRange(min=1), help="Fewer days than asked for.")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the consent's id and terms, for the steward's gatekeeper.",
)
@record_option()
def cli(
    account: AccountAPI,
    patient: AccountAPI,
    asked: Path,
    scopes: tuple[str, ...],
    days: int | None,
    out: Path,
    record: Path | None,
) -> None:
    """Consent to a request: the patient signs, whoever pays sends it."""
    contracts = contracts_of(record)
    signer = ApeSigner(patient)
    request = read_request(asked, contracts)
    given = narrowed(request, scopes, days)
    click.echo(given.sentence(str(request.requester), {}))
    action = actions.grant(
        contracts,
        patient=signer.address,
        grantee=request.requester.address,
        terms=given.terms.commitment,
        valid_from=given.valid_from,
        valid_until=given.valid_until,
        request=request.digest(contracts.off_chain_domain),
    )
    sender = sender_of(account, contracts.network)
    report("granted", actions.submit(sender, actions.signed(action, signer)))
    opening = {
        "consent": hex_digest(action.digest),
        "patient": signer.address,
        "terms": given.terms.document(),
    }
    out.write_text(json.dumps(opening, indent=2) + "\n", encoding="utf-8")
    click.echo(f"Consent {hex_digest(action.digest)}: {out}")
