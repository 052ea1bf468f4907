"""Guardians: chosen, handed their places, and not to be seen by each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medaccord.chain import Contracts, Sender, actions
from medaccord.client.guardian_documents import GuardianCard, Handout
from medaccord.client.guardians import ChosenGuardians, Guardian
from medaccord.core.canonical import document_bytes
from medaccord.core.errors import CommitmentMismatch, InvalidInput, InvalidRequest, KeyMissing
from medaccord.core.identifiers import Address
from medaccord.keys import Wallet
from tests.integration.guarding.conftest import CHEAP, PASSPHRASE, Person

# --- Choosing


def test_guardians_are_in_force_once_they_are_named(
    chosen: ChosenGuardians, patient: Person, account: Address, contracts: Contracts
) -> None:
    current, *_ = contracts.call("Registry", "guardiansOf", account)
    assert bytes(current) == chosen.circle.commitment
    assert patient.guardians.circle(account) == chosen.circle


def test_account_has_no_guardians_when_none_were_named(patient: Person, account: Address) -> None:
    assert patient.guardians.circle(account) is None


def test_guardians_are_kept_in_the_wallet_before_they_are_named(
    patient: Person, account: Address, family: list[Person]
) -> None:
    made = patient.guardians.choose(account, [family[0].guardian.card()], threshold=1)
    (kept,) = patient.wallet.circles(account)
    assert (dict(kept.salts), kept.threshold) == (dict(made.circle.salts), 1)


def test_guardians_are_missing_when_another_wallet_chose_them(
    chosen: ChosenGuardians, account: Address, device: Person
) -> None:
    with pytest.raises(KeyMissing, match="choose them anew"):
        device.guardians.circle(account)


def test_every_guardian_has_a_fresh_key_for_every_account(family: list[Person]) -> None:
    cards = [family[0].guardian.card() for _ in range(3)]
    assert len({card.guardian for card in cards}) == len({card.key for card in cards}) == 3


def test_choice_is_refused_when_a_card_comes_twice(
    patient: Person, account: Address, family: list[Person]
) -> None:
    card = family[0].guardian.card()
    with pytest.raises(InvalidInput, match="a card came twice"):
        patient.guardians.choose(account, [card, card], threshold=1)


def test_choice_is_refused_when_a_guardian_guards_another_of_ones_accounts(
    chosen: ChosenGuardians, patient: Person
) -> None:
    (handout, *_) = chosen.handouts.values()
    card = GuardianCard(
        guardian=handout.place.guardian, index=handout.index, key=chosen.circle.root
    )
    other = patient.wallet.new_account().account
    with pytest.raises(InvalidInput, match="would show that both are one person's"):
        patient.guardians.choose(other, [card], threshold=1)


def test_choice_is_refused_when_a_guardian_is_oneself(patient: Person, account: Address) -> None:
    card = patient.guardian.card()
    following = patient.wallet.next_signer(account).address
    for own in (card, replace(card, guardian=account), replace(card, guardian=following)):
        with pytest.raises(InvalidInput, match="is a key of your own"):
            patient.guardians.choose(account, [own], threshold=1)


@pytest.mark.parametrize("threshold", [0, 2])
def test_choice_is_refused_when_the_threshold_cannot_be(
    patient: Person, account: Address, family: list[Person], threshold: int
) -> None:
    with pytest.raises(InvalidInput, match=f"{threshold} of 1 guardians"):
        patient.guardians.choose(account, [family[0].guardian.card()], threshold=threshold)
    assert patient.wallet.circles(account) == ()


# --- Handing out


def test_guardian_keeps_the_place_that_was_handed_out(
    chosen: ChosenGuardians, family: list[Person]
) -> None:
    kept = [each.guardian.handouts() for each in family]
    assert kept == [(handout,) for handout in chosen.handouts.values()]


def test_handout_is_refused_before_the_guardians_are_named(
    patient: Person, account: Address, family: list[Person]
) -> None:
    card = family[0].guardian.card()
    made = patient.guardians.choose(account, [card], threshold=1)
    with pytest.raises(CommitmentMismatch, match="were not named yet"):
        family[0].guardian.take(made.handouts[card.guardian].document())
    assert family[0].guardian.handouts() == ()


def test_handout_is_taken_when_its_guardians_are_scheduled(
    chosen: ChosenGuardians,
    patient: Person,
    account: Address,
    stranger: Person,
    sender: Sender,
) -> None:
    card = stranger.guardian.card()
    made = patient.guardians.choose(account, [card], threshold=1)
    actions.submit(sender, actions.signed(made.action, patient.wallet.signer(account)))
    stranger.guardian.take(made.handouts[card.guardian].document())
    assert patient.guardians.circle(account) == chosen.circle


def test_handout_is_refused_when_it_is_for_another_guardian(
    chosen: ChosenGuardians, family: list[Person], stranger: Person
) -> None:
    (handout, *_) = chosen.handouts.values()
    with pytest.raises(KeyMissing, match="no guardian's key of this wallet"):
        stranger.guardian.take(handout.document())


def test_handout_is_refused_when_it_is_of_another_chain(
    chosen: ChosenGuardians, family: list[Person]
) -> None:
    (handout, *_) = chosen.handouts.values()
    moved = replace(handout, account=replace(handout.account, chain_id=1))
    with pytest.raises(InvalidRequest, match="is of another chain"):
        family[0].guardian.take(moved.document())


def test_handout_is_taken_again_when_the_guardian_lost_everything_but_the_phrase(
    chosen: ChosenGuardians, family: list[Person], contracts: Contracts, tmp_path: Path
) -> None:
    words = family[0].wallet.unsafe_words()
    wallet = Wallet.restore(words, tmp_path / "again.json", PASSPHRASE, cost=CHEAP)
    (sealed, *_) = chosen.sealed.values()
    guardian = Guardian(wallet, contracts)
    guardian.take(document_bytes(sealed.document()))
    assert guardian.handouts() == family[0].guardian.handouts()


def test_handout_stays_as_it_was_when_it_is_read_from_the_wallet(
    chosen: ChosenGuardians, family: list[Person]
) -> None:
    (handout,) = family[0].guardian.handouts()
    assert Handout.parse(document_bytes(handout.document())) == handout
