"""`medaccord inbox`, `grant`, `deny`, `consents` and `revoke`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from medaccord.core.identifiers import hex_digest
from medaccord.core.request_carriers import SignedRequest
from tests.integration.cli.conftest import LABORATORY, MEDICATION, MakeOwner, Owner, Ward

NONE = "0x" + 32 * "ab"


def carried_by_b(patient: Owner, ward: Ward) -> SignedRequest:
    """A request of hospital B that lies in no inbox."""
    with ward.provider(ward.stage.b) as b:
        return b.requests.draft(
            patient.account,
            b.requests.terms(LABORATORY),
            valid_until=ward.stage.network.clock() + timedelta(days=3),
        )


def test_inbox_shows_a_request_in_words_and_as_json(patient: Owner, ward: Ward) -> None:
    assert patient.person.done("inbox") == {"requests": []}
    asked = patient.asked_by_b()
    (told,) = patient.person.done("inbox")["requests"]
    assert (told["request"], told["requestor"]) == (asked, ward.stage.b.account)
    assert told["sentence"].startswith("“Hospital B” asks to read ")
    assert told["terms"]["scopes"] == sorted((LABORATORY, MEDICATION))
    shown = patient.person.run("inbox").output
    assert told["sentence"] in shown
    assert patient.person.done("inbox", "--status", "rejected") == {"requests": []}


def test_inbox_is_refused_when_two_filters_are_given(resident: Owner) -> None:
    line = resident.person.refused("inbox", "--all", "--status", "active", code=2)
    assert line == "give --status or --all, not both"


def test_request_is_granted_as_asked_and_the_consent_is_listed_with_its_terms(
    patient: Owner, ward: Ward
) -> None:
    asked = patient.asked_by_b()
    done = patient.person.done("grant", asked, "--yes")
    assert done["request"] == asked
    assert done["sentence"].startswith("“Hospital B” may read ")
    assert [each["event"] for each in done["events"]] == ["ConsentGranted"]
    (listed,) = patient.person.done("consents")["consents"]
    assert (listed["consent"], listed["status"]) == (done["consent"], "active")
    assert (listed["grantee"], listed["request"]) == (ward.stage.b.account, asked)
    shown = patient.person.done("consents", done["consent"])
    assert shown["granteeName"] == "Hospital B"
    assert shown["terms"]["scopes"] == sorted((LABORATORY, MEDICATION))
    answered = patient.person.done("inbox", "--all")["requests"]
    assert [each["status"] for each in answered] == ["active"]


def test_less_is_granted_than_was_asked_for_when_it_is_narrowed(patient: Owner) -> None:
    asked = patient.asked_by_b()
    until = (patient.ward.stage.network.clock() + timedelta(days=2)).replace(microsecond=0)
    done = patient.person.done(
        *("grant", asked, "--yes", "--scope", LABORATORY, "--purpose", "TREAT"),
        *("--until", until.isoformat(), "--leave-out", "PSY", "--last-day", "2026-01-31"),
        *("--only", "Observation/one"),
    )
    shown = patient.person.done("consents", done["consent"])
    terms = shown["terms"]
    assert terms["scopes"] == [LABORATORY]
    assert terms["excludedLabels"] == ["PSY"]
    assert terms["records"] == ["Observation/one"]
    assert terms["period"] == {"end": "2026-01-31"}
    assert shown["expires"].startswith(until.isoformat().removesuffix("+00:00"))


def test_granting_is_refused_and_nothing_signed_when_nobody_is_there_to_be_asked(
    patient: Owner,
) -> None:
    asked = patient.asked_by_b()
    line = patient.person.refused("grant", asked, code=2)
    assert "--yes" in line
    assert "“Hospital B” may read " in line
    assert patient.person.done("consents") == {"consents": []}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--scope", "patient/*.rs"), "more than was asked for"),
        (("--scope", "everything"), "scope"),
        (("--until", "2099-01-01"), "longer than was asked for"),
        (("--until", "tomorrow"), "is no time"),
        (("--purpose", "HRESCH"), "more than was asked for"),
        (("--leave-out", "nothing"), "nothing"),
    ],
)
def test_granting_is_refused_in_one_line_when_it_cannot_be_meant(
    patient: Owner, more: tuple[str, ...], told: str
) -> None:
    asked = patient.asked_by_b(LABORATORY)
    assert told in patient.person.refused("grant", asked, "--yes", *more, code=2)


def test_request_is_granted_when_it_came_as_a_file_or_as_a_link(patient: Owner, ward: Ward) -> None:
    one, two = carried_by_b(patient, ward), carried_by_b(patient, ward)
    (patient.person.home / "request.json").write_bytes(one.to_file())
    domain = ward.contracts.off_chain_domain
    by_file = patient.person.done("grant", "--file", "request.json", "--yes")
    assert by_file["request"] == hex_digest(one.request.digest(domain))
    again = patient.person.refused("grant", "--link", one.to_link(), "--yes", code=2)
    assert again.endswith("waits for no answer any more: it is active")
    by_link = patient.person.done("grant", "--link", two.to_link(), "--yes")
    assert by_link["request"] == hex_digest(two.request.digest(domain))


def test_carried_request_is_refused_in_one_line_when_it_was_made_to_somebody_else(
    resident: Owner, ward: Ward, owner: MakeOwner, tmp_path: Path
) -> None:
    other = owner("other")
    other.wallet.new_account()
    (resident.person.home / "request.json").write_bytes(carried_by_b(other, ward).to_file())
    assert other.account in resident.person.refused("grant", "--file", "request.json", "--yes")


@pytest.mark.parametrize(
    "arguments",
    [
        ("grant", "--yes"),
        ("grant", NONE, "--link", "medaccord:request/x", "--yes"),
        ("grant", "--link", "medaccord:request/x", "--yes"),
        ("grant", "--file", "no-such-file", "--yes"),
        ("grant", NONE, "--yes"),
        ("grant", "0x12", "--yes"),
        ("deny", NONE),
        ("deny", "0x12"),
        ("deny",),
        ("consents", NONE),
        ("consents", "--grantee", "0x12"),
        ("consents", "--status", "proposed"),
        ("revoke",),
        ("revoke", NONE),
        ("revoke", NONE, "--all"),
        ("revoke", "0x12"),
    ],
    ids=" ".join,
)
def test_command_is_refused_in_one_line_when_what_it_names_is_not_there(
    resident: Owner, arguments: tuple[str, ...]
) -> None:
    assert resident.person.refused(*arguments, code=2)


def test_request_is_denied_for_good(patient: Owner) -> None:
    asked = patient.asked_by_b()
    assert patient.person.done("deny", asked) == {"request": asked, "status": "rejected"}
    assert patient.person.done("inbox") == {"requests": []}
    line = patient.person.refused("grant", asked, "--yes", code=2)
    assert line.endswith("waits for no answer any more: it is rejected")


def test_consents_are_filtered_and_counted(patient: Owner, ward: Ward) -> None:
    person = patient.person
    first, second = (
        person.done("grant", patient.asked_by_b(), "--yes")["consent"] for _ in range(2)
    )
    person.done("revoke", first)

    def listed(*more: str) -> list[str]:
        return [each["consent"] for each in person.done("consents", *more)["consents"]]

    assert listed() == [first, second]
    assert listed("--newest-first", "--limit", "1") == [second]
    assert (listed("--status", "active"), listed("--status", "inactive")) == ([second], [first])
    assert listed("--grantee", ward.stage.b.account) == [first, second]
    assert listed("--grantee", ward.stage.c.account) == []


def test_consent_ends_when_it_is_revoked_and_all_do_at_once(patient: Owner) -> None:
    person = patient.person
    consents = [person.done("grant", patient.asked_by_b(), "--yes")["consent"] for _ in range(3)]
    done = person.done("revoke", consents[0])
    assert [each["event"] for each in done["events"]] == ["ConsentRevoked"]
    assert [each["event"] for each in person.done("revoke", "--all")["events"]] == ["AllRevoked"]
    found = person.done("consents")["consents"]
    assert [(each["status"], each["revoked"]) for each in found] == [
        ("inactive", True),
        ("inactive", False),
        ("inactive", False),
    ]


def test_command_says_which_account_is_meant_when_the_wallet_has_several(
    patient: Owner, ward: Ward
) -> None:
    second = patient.wallet.new_account(gatekeeper=ward.url).account
    patient.wallet.used(second, steward=ward.stage.a.account)
    line = patient.person.refused("inbox", code=2)
    assert line.startswith("which account? There are 2 in the wallet, at ")
    first = patient.wallet.accounts()[0].account
    assert patient.person.done("inbox", "--account", first) == {"requests": []}


def test_command_finds_the_gatekeeper_in_the_wallet_when_none_is_named(resident: Owner) -> None:
    assert resident.person.done("inbox", MEDACCORD_GATEKEEPER="") == {"requests": []}


@pytest.mark.parametrize(
    ("settings", "code", "told"),
    [
        ({"MEDACCORD_GATEKEEPER": "ftp://hospital"}, 2, "it should be an address that begins"),
        ({"MEDACCORD_GATEKEEPER": "http://127.0.0.1:1"}, 1, "http://127.0.0.1:1"),
        ({"MEDACCORD_RPC_URL": "http://127.0.0.1:1"}, 1, "127.0.0.1:1"),
        ({"MEDACCORD_RECORD": "no-such-file"}, 2, "no-such-file"),
        ({"MEDACCORD_WALLET": "no-such-file"}, 2, "which key signs?"),
        ({"MEDACCORD_CHAIN_ID": "1"}, 2, "MEDACCORD_CHAIN_ID says 1"),
        ({"MEDACCORD_ACCOUNT": "0x" + 40 * "1"}, 1, "holds no key of"),
    ],
)
def test_command_is_refused_in_one_line_when_a_setting_leads_nowhere(
    resident: Owner, settings: dict[str, str], code: int, told: str
) -> None:
    named = {"MEDACCORD_ACCOUNT": resident.account} | settings
    if "MEDACCORD_WALLET" in settings:
        named["MEDACCORD_ACCOUNT"] = ""
    assert told in resident.person.refused("inbox", code=code, **named)


def test_passphrase_is_refused_when_it_does_not_open_the_wallet(resident: Owner) -> None:
    wrong = resident.person.secret_file("wrong", "some other words")
    resident.person.refused("inbox", "--passphrase-file", wrong, code=2)
