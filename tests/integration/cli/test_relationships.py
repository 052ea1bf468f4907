"""`medaccord relationship`, of both sides."""

from __future__ import annotations

from pathlib import Path

from medaccord.client import RelationshipState
from medaccord.client.relationships import relationship_of
from medaccord.keys import Passphrase, Wallet
from tests.e2e.commands import WORDS
from tests.integration.cli.conftest import LIGHT, Owner, Ward


def state(ward: Ward, who: Owner) -> RelationshipState:
    return relationship_of(ward.contracts, who.account, ward.stage.a.account).state


def test_patient_is_enrolled_with_a_fresh_account_and_accepts_when_given_a_code(
    newcomer: Owner, ward: Ward
) -> None:
    told = newcomer.person.done("relationship", "enrol", ward.code())
    (held,) = newcomer.wallet.accounts()
    assert (told["account"], told["steward"]) == (held.account, ward.stage.a.account)
    assert (held.used, held.steward, held.gatekeeper) == (True, ward.stage.a.account, ward.url)
    assert state(ward, newcomer) is RelationshipState.PROPOSED
    done = newcomer.person.done("relationship", "accept")
    assert [each["event"] for each in done["events"]] == ["RelationshipAccepted"]
    assert state(ward, newcomer) is RelationshipState.ACTIVE


def test_enrolling_is_refused_and_its_account_is_kept_for_the_next_time_when_the_code_is_wrong(
    newcomer: Owner, ward: Ward
) -> None:
    person = newcomer.person
    for _ in range(2):
        assert "code" in person.refused("relationship", "enrol", "AAAA-AAAA-AAAA-AAAA", code=2)
    assert [each.used for each in newcomer.wallet.accounts()] == [False]
    assert person.done("relationship", "enrol", ward.code())["account"] == newcomer.account


def test_account_that_is_enrolled_is_meant_when_enrolling_again_was_refused(
    newcomer: Owner, ward: Ward
) -> None:
    person, code = newcomer.person, ward.code()
    enrolled = person.done("relationship", "enrol", code)["account"]
    assert "code" in person.refused("relationship", "enrol", code, code=2)
    assert [each.used for each in newcomer.wallet.accounts()] == [True, False]
    person.done("relationship", "accept")
    (listed,) = person.done("relationship", "list")["relationships"]
    assert (listed["patient"], listed["state"]) == (enrolled, "active")


def test_enrolling_is_refused_when_no_gatekeeper_is_named(newcomer: Owner) -> None:
    line = newcomer.person.refused("relationship", "enrol", "X", code=2, MEDACCORD_GATEKEEPER="")
    assert line.startswith("at which hospital? ")
    assert newcomer.wallet.accounts() == ()


def test_enrolling_is_refused_until_the_wallet_knows_what_another_device_did(
    newcomer: Owner, ward: Ward, tmp_path: Path
) -> None:
    other = Wallet.restore(
        newcomer.wallet.unsafe_words(), tmp_path / "other", Passphrase(WORDS.encode()), cost=LIGHT
    )
    other.settle((), next_index=0)
    taken = other.new_account().account
    elsewhere = ward.stage.b
    with ward.provider(elsewhere) as steward:
        steward.relationships.propose(taken)
    person, code = newcomer.person, ward.code()
    line = person.refused("relationship", "enrol", code, code=2)
    assert line.startswith(f"{taken} is used at {elsewhere.account} already")
    person.done("account", "restore", "--in-wallet")
    assert person.done("relationship", "enrol", code)["account"] != taken


def test_patient_declines_what_was_proposed(newcomer: Owner, ward: Ward) -> None:
    newcomer.person.done("relationship", "enrol", ward.code())
    newcomer.person.done("relationship", "decline")
    assert state(ward, newcomer) is RelationshipState.ENDED


def test_patient_ends_a_relationship_and_sees_it_in_the_list(patient: Owner, ward: Ward) -> None:
    listed = patient.person.done("relationship", "list")["relationships"]
    assert [each["state"] for each in listed] == ["active"]
    patient.person.done("relationship", "end")
    (told,) = patient.person.done("relationship", "list", "--state", "ended")["relationships"]
    assert (told["patient"], told["steward"]) == (patient.account, ward.stage.a.account)
    assert patient.person.done("relationship", "list", "--state", "active") == {"relationships": []}


def test_accepting_is_refused_in_one_line_when_nothing_is_proposed(resident: Owner) -> None:
    line = resident.person.refused("relationship", "accept")
    assert line.startswith("that does not go with how it stands: ")
    assert line.endswith("(WrongState(state=2))")


def test_proposal_of_a_patient_is_paid_by_the_payer_who_is_named(
    newcomer: Owner, ward: Ward
) -> None:
    newcomer.wallet.new_account()
    newcomer.person.done("relationship", "propose", *newcomer.pays_with())
    assert state(ward, newcomer) is RelationshipState.PROPOSED
    with ward.provider(ward.stage.a) as steward:
        steward.relationships.accept(newcomer.account)
    assert state(ward, newcomer) is RelationshipState.ACTIVE


def test_patient_accepts_with_a_payer_what_the_gatekeeper_relays_for_no_stranger(
    newcomer: Owner, ward: Ward
) -> None:
    account = newcomer.wallet.new_account().account
    with ward.provider(ward.stage.a) as steward:
        steward.relationships.propose(account)
    line = newcomer.person.refused("relationship", "accept")
    assert line.startswith("unknown-patient: ")
    newcomer.person.done("relationship", "accept", *newcomer.pays_with())
    assert state(ward, newcomer) is RelationshipState.ACTIVE


def test_proposal_of_a_patient_is_refused_when_nobody_pays(newcomer: Owner) -> None:
    assert newcomer.person.refused("relationship", "propose", code=2).startswith("who pays? ")


def test_hospital_proposes_ends_and_lists_with_its_own_key(patient: Owner, ward: Ward) -> None:
    person, account, hospital = patient.person, patient.account, patient.as_hospital()
    person.done("relationship", "end", "--patient", account, *hospital)
    told = person.done("relationship", "propose", "--patient", account, *hospital)
    assert (told["account"], told["steward"]) == (account, ward.stage.a.account)
    assert state(ward, patient) is RelationshipState.PROPOSED
    person.done("relationship", "accept")
    listed = person.done("relationship", "list", "--patients", "--state", "active", *hospital)
    assert account in [each["patient"] for each in listed["relationships"]]


def test_hospital_is_refused_in_one_line_when_the_patient_is_no_address(resident: Owner) -> None:
    assert "0x12" in resident.person.refused("relationship", "propose", "--patient", "0x12", code=2)
