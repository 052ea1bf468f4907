"""Nobody who reads the whole chain can tell that two accounts are one patient's.

Two hundred patients live with an account at two or three hospitals each. Some who are careless live
among them, to show that the observer would have seen it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations

import pytest

from medaccord.chain import GuardianCircle, actions, events
from medaccord.core.identifiers import Address, digest
from medaccord.keys import LocalSigner
from tests.e2e.crowd import RECOVERY_DELAY, Held, Inhabitant, Town
from tests.e2e.observer import Observer, word

PATIENTS = 200
THOROUGH = 8
"""So many of them use everything that there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """What came of it.

    Attributes:
        town: where.
        patients: those who leave all to their wallets.
        careless: one for each thing that can be done wrong, with what gives them away.
        observer: read the chain afterwards.
    """

    town: Town
    patients: list[Inhabitant]
    careless: dict[str, tuple[Inhabitant, bytes]]
    observer: Observer


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    town = Town(tmp_path_factory.mktemp("wallets"))
    patients = [
        town.inhabitant(
            town.hospitals[at % 3] for at in range(number, number + (3 if number % 10 == 0 else 2))
        )
        for number in range(PATIENTS)
    ]
    town.enrol(patients)
    town.send(town.grant(each, held) for each in patients for held in each.accounts)
    thorough(town, patients[:THOROUGH])
    careless = be_careless(town)
    contracts, hospitals = town.contracts.addresses, (each.account for each in town.hospitals)
    return Lived(
        town=town,
        patients=patients,
        careless=careless,
        observer=Observer(town.network, [*contracts, *hospitals]),
    )


def thorough(town: Town, patients: list[Inhabitant]) -> None:
    """A carer, guardians, records, another key, a lost phone: with each account."""
    family, phones = [town.wallet() for _ in range(3)], [town.wallet() for _ in patients]
    for number, each in enumerate(patients):
        carer = family[number % 3]
        for held in each.accounts:
            key = carer.new_account().account
            town.send([town.delegate(each, held, key), town.append(held, f"patient {number}")])
            carer.used(key)
            town.protect(each, held, family)
            following = each.wallet.next_signer(held.account).address
            town.send([town.rotate(each, held, following)])
            each.wallet.rotated(held.account, following)
    lost = [
        (held, phone, family[number % 3])
        for number, (each, phone) in enumerate(zip(patients, phones, strict=True))
        for held in each.accounts
    ]
    town.send(town.start_recovery(*each) for each in lost)
    town.chain.advance(RECOVERY_DELAY)
    town.send(
        (held.steward, actions.complete_recovery(town.contracts, account=held.account))
        for held, _, _ in lost
    )


def be_careless(town: Town) -> dict[str, tuple[Inhabitant, bytes]]:
    """Two accounts each, which share one thing."""
    names = ("delegate", "controller", "terms", "payer", "guardian")
    people = {name: town.inhabitant(town.hospitals[:2]) for name in names}
    town.enrol(people.values())

    one, carer = people["delegate"], LocalSigner.create().address
    town.send(town.delegate(one, held, carer) for held in one.accounts)

    one, key = people["controller"], LocalSigner.create().address
    town.send(town.rotate(one, held, key) for held in one.accounts)

    one, terms = people["terms"], town.terms(people["terms"].accounts[0])
    town.send(town.grant(one, held, terms) for held in one.accounts)

    one, payer = people["payer"], town.payer()
    town.send((payer, town.grant(one, held)[1]) for held in one.accounts)

    one, guardian = people["guardian"], LocalSigner.create()
    for held in one.accounts:
        share_a_guardian(town, one, held, guardian)

    shared = {
        "delegate": word(carer),
        "controller": word(key),
        "terms": terms.commitment,
        "payer": word(payer.account),
        "guardian": word(guardian.address),
    }
    return {name: (people[name], shared[name]) for name in names}


def share_a_guardian(town: Town, one: Inhabitant, held: Held, guardian: LocalSigner) -> None:
    """Be recovered by somebody who guards another account; a wallet refuses to choose them."""
    contracts, new = town.contracts, LocalSigner.create().address
    circle = GuardianCircle(salts={guardian.address: digest(os.urandom(32))}, threshold=1)
    change = actions.set_guardians(contracts, account=held.account, commitment=circle.commitment)
    town.send([(held.steward, actions.signed(change, one.signer(held)))])
    deadline = town.network.clock() + timedelta(hours=1)
    approval = actions.recovery_approval(
        contracts,
        account=held.account,
        guardian=guardian.address,
        new_controller=new,
        deadline=deadline,
    )
    started = actions.start_recovery(
        contracts,
        account=held.account,
        new_controller=new,
        deadline=deadline,
        circle=circle,
        approvals=[circle.approval(guardian.address, guardian.sign(approval))],
    )
    town.send([(held.steward, started)])


# --- What the observer finds


def pairs(one: Inhabitant) -> list[tuple[Address, Address]]:
    return list(combinations([held.account for held in one.accounts], 2))


def test_no_two_accounts_of_one_patient_share_anything(lived: Lived) -> None:
    found = {pair: lived.observer.links(*pair) for each in lived.patients for pair in pairs(each)}
    assert len(found) >= PATIENTS
    assert {pair: links for pair, links in found.items() if links} == {}


def test_observer_read_what_every_account_did(lived: Lived) -> None:
    ordinary, thorough = lived.patients[-1].accounts, lived.patients[0].accounts
    for held in ordinary:
        seen = lived.observer.about(held.account)
        assert word(held.steward.account) in seen
        assert len(seen) > 15
    for held in thorough:
        assert len(lived.observer.about(held.account)) > 40


@pytest.mark.parametrize("what", ["delegate", "controller", "terms", "payer", "guardian"])
def test_observer_links_accounts_that_share_one_thing(lived: Lived, what: str) -> None:
    one, shared = lived.careless[what]
    (pair,) = pairs(one)
    assert lived.observer.links(*pair) == {shared}


def test_account_relays_through_its_own_steward_only(lived: Lived) -> None:
    hospitals = {word(each.account) for each in lived.town.hospitals}
    for each in lived.patients:
        for held in each.accounts:
            assert lived.observer.senders(held.account) == {word(held.steward.account)}
            assert word(held.steward.account) in hospitals


def test_no_account_or_guardian_ever_had_or_sent_money(lived: Lived) -> None:
    web3 = lived.town.network.web3
    for each in lived.patients:
        for held in each.accounts:
            assert web3.eth.get_balance(held.account) == 0
            assert web3.eth.get_transaction_count(held.account) == 0
            assert word(held.account) not in lived.observer.ends


def test_every_value_that_should_be_fresh_is_seen_once(lived: Lived) -> None:
    """Commitments, salts, topics and signatures: of all patients, not only of one."""
    read = events.fetch(
        lived.town.network, lived.town.contracts, 0, lived.town.network.head().number
    )
    careful = {held.account for each in lived.patients for held in each.accounts}
    granted = [
        each for each in read if isinstance(each, events.ConsentGranted) and each.patient in careful
    ]
    guarded = [
        each for each in read if isinstance(each, events.GuardiansSet) and each.account in careful
    ]
    anchored = [each for each in read if isinstance(each, events.Anchored)]
    delegated = [
        each for each in read if isinstance(each, events.DelegateSet) and each.account in careful
    ]
    for values in (
        [each.terms for each in granted],
        [each.request for each in granted],
        [each.commitment for each in guarded],
        [each.topic for each in anchored],
        [each.root for each in anchored],
        [each.delegate for each in delegated],
    ):
        assert len(values) >= THOROUGH
        assert len(set(values)) == len(values)
    assert not careful & {each.account for each in anchored}
