"""`medaccord emergency` of a patient, and `medaccord delegate`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from medaccord.core.emergency import EmergencyCode
from medaccord.keys import Keystore, LocalSigner, Passphrase
from tests.e2e.commands import WORDS
from tests.integration.cli.conftest import LIGHT, Owner, Ward

NOBODY = "0x000000000000000000000000000000000000dEaD"
UNTIL = "2027-01-31"


def opened_by_c(patient: Owner, ward: Ward) -> None:
    """Emergency department C breaks the glass."""
    with ward.provider(ward.stage.c) as c:
        c.emergency.open(patient.account, next(iter(EmergencyCode)), timedelta(hours=1))


def test_emergency_access_is_closed_and_barred_until_it_is_allowed(
    patient: Owner, ward: Ward
) -> None:
    person, c = patient.person, ward.stage.c.account
    opened_by_c(patient, ward)
    done = person.done("emergency", "close", c)
    assert [each["event"] for each in done["events"]] == ["EmergencyClosed"]
    done = person.done("emergency", "allow", c)
    assert [each["event"] for each in done["events"]] == ["EmergencyAllowed"]
    opened_by_c(patient, ward)


def test_all_emergency_access_is_forbidden_until_it_is_allowed(patient: Owner, ward: Ward) -> None:
    person = patient.person
    opened_by_c(patient, ward)
    done = person.done("emergency", "forbid")
    assert [each["event"] for each in done["events"]] == ["EmergencyForbidden"]
    person.done("emergency", "allow")
    opened_by_c(patient, ward)


@pytest.mark.parametrize(
    "arguments",
    [
        ("emergency", "close"),
        ("emergency", "close", "0x12"),
        ("emergency", "allow", "0x12"),
        ("emergency", "forbid", NOBODY),
        ("delegate", "add", NOBODY, "--until", UNTIL),
        ("delegate", "add", NOBODY, "--power", "govern", "--until", UNTIL),
        ("delegate", "add", NOBODY, "--power", "read", "--until", "soon"),
        ("delegate", "add", "0x12", "--power", "read", "--until", UNTIL),
        ("delegate", "remove", "0x12"),
        ("delegate", "remove"),
    ],
    ids=" ".join,
)
def test_command_is_refused_in_one_line_when_it_is_called_wrongly(
    resident: Owner, arguments: tuple[str, ...]
) -> None:
    assert resident.person.refused(*arguments, code=2)


def test_allowing_is_refused_when_nothing_was_forbidden(resident: Owner) -> None:
    line = resident.person.refused("emergency", "allow", NOBODY)
    assert line.startswith("nothing is forbidden to them: ")


def test_delegate_acts_for_the_account_until_its_powers_are_taken_away(
    patient: Owner, ward: Ward
) -> None:
    person, carer = patient.person, LocalSigner.create()
    store = Keystore(person.program_folder / "keystore", cost=LIGHT)
    store.add(carer, Passphrase(WORDS.encode()))
    acting = ("--account", carer.address, "--for", patient.account)
    added = person.done(
        *("delegate", "add", carer.address, "--power", "grant", "--power", "read"),
        *("--until", UNTIL),
    )
    assert (added["key"], added["powers"]) == (carer.address, ["grant", "read"])
    (listed,) = person.done("delegate", "list")["delegates"]
    assert listed == {name: added[name] for name in ("key", "powers", "until")}

    asked = patient.asked_by_b()
    assert [each["request"] for each in person.done("inbox", *acting)["requests"]] == [asked]
    granted = person.done("grant", asked, "--yes", *acting)
    (consent,) = person.done("consents")["consents"]
    assert (consent["consent"], consent["by"]) == (granted["consent"], carer.address)
    line = person.refused("relationship", "end", *acting)
    assert line.startswith("this key may not do that for the account: ")

    person.done("delegate", "remove", carer.address)
    assert person.done("delegate", "list") == {"delegates": []}
    person.refused("inbox", *acting)


def test_delegating_is_refused_when_the_end_is_over(resident: Owner) -> None:
    line = resident.person.refused(
        *("delegate", "add", NOBODY, "--power", "read", "--until", "2020-01-01")
    )
    assert line.startswith("the powers would have ended already: ")
