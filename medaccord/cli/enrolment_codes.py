"""``medaccord relationship code``: what a hospital hands a patient, so that they can enrol."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

import typer

from medaccord.cli.options import (
    AccountOption,
    DatabaseOption,
    KeysOption,
    RecordOption,
    RpcOption,
    StewardOption,
)
from medaccord.cli.output import JsonOption, say
from medaccord.cli.steward import open_gatekeeper
from medaccord.cli.times import end_of
from medaccord.core.documents import instant_text
from medaccord.core.errors import InvalidInput
from medaccord.core.resource_types import is_record

_DAYS: Final = 7


def code(
    patient_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="`Patient.id` of the patient in your own records."),
    ],
    days: Annotated[int, typer.Option("--days", min=1, help="How long the code is good.")] = _DAYS,
    rpc_url: RpcOption = None,
    record: RecordOption = None,
    database_url: DatabaseOption = None,
    keys_folder: KeysOption = None,
    steward: StewardOption = None,
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """As a hospital: make a one-time code for a patient, who enrols with it.

    It is shown once and kept nowhere: whoever has it can enrol as this patient. The gatekeeper may
    be serving meanwhile.
    """
    if not is_record(f"Patient/{patient_id}"):
        raise InvalidInput(f"{patient_id!r} is no id of a FHIR resource")
    flags = {
        "rpc_url": rpc_url,
        "record": record,
        "database_url": database_url,
        "keys_folder": keys_folder,
        "steward": steward,
        "account": account,
    }
    with open_gatekeeper(flags) as gatekeeper:
        until = end_of(None, days, gatekeeper.network.clock())
        made = gatekeeper.enrolment.issue_code(patient_id, timedelta(days=days))
    say(
        {"patientId": patient_id, "code": made, "expires": instant_text(until)},
        [made, f"Hand it to the patient alone: it enrols them until {until:%Y-%m-%d %H:%M} UTC."],
        as_json=as_json,
    )
