"""People with wallets: a patient, three whom the patient trusts, a new phone, a stranger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from medaccord.chain import Contracts, Sender, actions
from medaccord.client.guardians import ChosenGuardians, Guardian, Guardians
from medaccord.client.recovering import AccountRecovery
from medaccord.core.identifiers import Address
from medaccord.keys import Passphrase, Wallet

PASSPHRASE = Passphrase(b"a passphrase")
CHEAP = 2**4


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a wallet, as guarded and as guardian."""

    wallet: Wallet
    guardians: Guardians
    guardian: Guardian
    recovery: AccountRecovery


MakePerson = Callable[[str], Person]


@pytest.fixture
def person(contracts: Contracts, tmp_path: Path) -> MakePerson:
    def make(name: str) -> Person:
        wallet = Wallet.create(tmp_path / f"{name}.json", PASSPHRASE, cost=CHEAP)
        return Person(
            wallet=wallet,
            guardians=Guardians(wallet, contracts),
            guardian=Guardian(wallet, contracts),
            recovery=AccountRecovery(wallet, contracts),
        )

    return make


@pytest.fixture
def patient(person: MakePerson) -> Person:
    return person("patient")


@pytest.fixture
def account(patient: Person) -> Address:
    return patient.wallet.new_account().account


@pytest.fixture
def family(person: MakePerson) -> list[Person]:
    """Three people whom the patient trusts."""
    return [person(name) for name in ("sister", "brother", "friend")]


@pytest.fixture
def device(person: MakePerson) -> Person:
    """The patient's new phone: a wallet of its own, with another phrase."""
    return person("device")


@pytest.fixture
def stranger(person: MakePerson) -> Person:
    return person("stranger")


@pytest.fixture
def chosen(
    patient: Person, account: Address, family: list[Person], contracts: Contracts, sender: Sender
) -> ChosenGuardians:
    """Two of the three are enough; named on the chain, and each was given its handout."""
    cards = [each.guardian.card() for each in family]
    made = patient.guardians.choose(account, cards, threshold=2)
    actions.submit(sender, actions.signed(made.action, patient.wallet.signer(account)))
    for each, card in zip(family, cards, strict=True):
        each.guardian.take(made.sealed[card.guardian].document())
    return made
