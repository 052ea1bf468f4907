"""The actors, the contracts on a chain of this process, and every test in a state of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.consortium_actions import (
    ConsortiumActions,
    encryption_key,
    profile_hash,
)
from tests.contracts.deployed import Deployed, address_of_next
from tests.contracts.evm import Evm, Receipt
from tests.contracts.guardian_circle import GuardianCircle
from tests.contracts.keys import Key, Wallet, key_of, sorted_keys
from tests.contracts.masks import MEMBER, STEWARD
from tests.contracts.member_actions import Make, maker
from tests.contracts.periods import (
    EMERGENCY_DELAY,
    FOREVER,
    MAX_EMERGENCY,
    MAX_SPAN,
    RECOVERY_DELAY,
)
from tests.contracts.registry_actions import RegistryActions


@pytest.fixture(scope="session")
def patient() -> LocalAccount:
    """Has no money and never gets any but to send something itself."""
    return key_of("patient")


@pytest.fixture(scope="session")
def hospital() -> LocalAccount:
    """The founding member, a steward."""
    return key_of("hospital")


@pytest.fixture(scope="session")
def clinician() -> LocalAccount:
    """A practice that belongs, with no role: it may be given consents."""
    return key_of("clinician")


@pytest.fixture(scope="session")
def stranger() -> LocalAccount:
    """Known to no contract."""
    return key_of("stranger")


@pytest.fixture(scope="session")
def thief() -> LocalAccount:
    """Will steal a key and bring one of its own."""
    return key_of("thief")


@pytest.fixture(scope="session")
def guardians() -> list[LocalAccount]:
    """Three guardians, in the order in which they approve."""
    return sorted_keys("sister", "neighbour", "family doctor")


@pytest.fixture(scope="session")
def relayer() -> LocalAccount:
    """Has the money and sends what others signed."""
    return key_of("relayer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """All five, deployed, with the hospital as the founder and the clinician admitted."""

    registry: Deployed
    consortium: Deployed
    relationships: Deployed
    consents: Deployed
    anchors: Deployed


@pytest.fixture(scope="session")
def evm(relayer: LocalAccount) -> Evm:
    return Evm(relayer)


@pytest.fixture(scope="session")
def contracts(
    evm: Evm, relayer: LocalAccount, hospital: LocalAccount, clinician: LocalAccount
) -> Contracts:
    expected = address_of_next(evm, relayer, skip=1)
    registry = Deployed.deploy(evm, relayer, "Registry", expected, RECOVERY_DELAY, EMERGENCY_DELAY)
    key, profile = encryption_key(hospital), profile_hash(hospital)
    actions = RegistryActions(registry, relayer)
    consortium = Deployed.deploy(
        evm,
        relayer,
        "Consortium",
        registry.address,
        hospital.address,
        hospital.address,
        MEMBER | STEWARD,
        key,
        profile,
        FOREVER,
        actions.publication(hospital, key, profile, nonce=0).signature(),
    )
    ConsortiumActions(consortium, actions, relayer).admit(clinician, 0, members=[hospital])
    return Contracts(
        registry=registry,
        consortium=consortium,
        relationships=Deployed.deploy(evm, relayer, "Relationships", registry.address),
        consents=Deployed.deploy(
            evm, relayer, "Consents", registry.address, MAX_SPAN, MAX_EMERGENCY
        ),
        anchors=Deployed.deploy(evm, relayer, "Anchors", registry.address),
    )


@pytest.fixture(autouse=True)
def own_state(evm: Evm, contracts: Contracts) -> Iterator[None]:
    """Takes the chain back to the deployment after every test."""
    snapshot = evm.snapshot()
    yield
    evm.revert(snapshot)


@pytest.fixture(scope="session")
def registry(contracts: Contracts) -> Deployed:
    return contracts.registry


@pytest.fixture(scope="session")
def consortium(contracts: Contracts) -> Deployed:
    return contracts.consortium


@pytest.fixture(scope="session")
def relationships(contracts: Contracts) -> Deployed:
    return contracts.relationships


@pytest.fixture(scope="session")
def consents(contracts: Contracts) -> Deployed:
    return contracts.consents


@pytest.fixture(scope="session")
def anchors(contracts: Contracts) -> Deployed:
    return contracts.anchors


@pytest.fixture(scope="session")
def accounts(registry: Deployed, relayer: LocalAccount) -> RegistryActions:
    """What accounts do at the Registry."""
    return RegistryActions(registry, relayer)


@pytest.fixture(scope="session")
def motions(
    consortium: Deployed, accounts: RegistryActions, relayer: LocalAccount
) -> ConsortiumActions:
    """What members do at the consortium."""
    return ConsortiumActions(consortium, accounts, relayer)


@pytest.fixture
def admit(motions: ConsortiumActions, hospital: LocalAccount) -> Callable[[Key, int], Receipt]:
    """Admits an organisation with roles, as long as the hospital is the only member."""
    return lambda account, roles: motions.admit(account, roles, members=[hospital])


@pytest.fixture
def suspend(motions: ConsortiumActions, hospital: LocalAccount) -> Callable[[Key], Receipt]:
    """Suspends an organisation, as long as the hospital is the only member."""
    return lambda account: motions.suspend(account, members=[hospital])


@pytest.fixture
def reinstate(motions: ConsortiumActions, hospital: LocalAccount) -> Callable[[Key], Receipt]:
    """Reinstates an organisation, as long as the hospital is the only member."""
    return lambda account: motions.reinstate(account, members=[hospital])


@pytest.fixture
def wallet_of(evm: Evm, relayer: LocalAccount) -> Callable[[LocalAccount], Wallet]:
    """Makes a new ERC-1271 wallet for an owner, who is given money to use it."""

    def make(owner: LocalAccount) -> Wallet:
        if not evm.balance_of(owner.address):
            evm.fund(owner.address)
        return Wallet(Deployed.deploy(evm, relayer, "OwnedWallet", owner.address), owner)

    return make


@pytest.fixture
def circle(registry: Deployed, guardians: list[LocalAccount]) -> GuardianCircle:
    """The three guardians, two of whom it takes."""
    return GuardianCircle(registry, tuple(guardian.address for guardian in guardians), 2)


@pytest.fixture(scope="session")
def new_device() -> LocalAccount:
    """The key that guardians hand an account to."""
    return key_of("new device")


@pytest.fixture
def start_recovery(
    accounts: RegistryActions,
    circle: GuardianCircle,
    guardians: list[LocalAccount],
    relayer: LocalAccount,
    new_device: LocalAccount,
) -> Callable[[Key], None]:
    """Gives an account its guardians and has two of them start its recovery to `new_device`."""

    def start(account: Key) -> None:
        accounts.guardians_change(account, circle.commitment).relay()
        circle.start(relayer, account.address, new_device.address, guardians[:2])

    return start


@pytest.fixture
def guarded(accounts: RegistryActions, circle: GuardianCircle, patient: LocalAccount) -> None:
    """The patient has its three guardians."""
    accounts.guardians_change(patient, circle.commitment).relay()


@pytest.fixture
def start(
    guarded: None,
    circle: GuardianCircle,
    relayer: LocalAccount,
    patient: LocalAccount,
    new_device: LocalAccount,
) -> Callable[..., Receipt]:
    """Has these guardians start the patient's recovery to the new device."""

    def go(*by: Key, **details: int) -> Receipt:
        return circle.start(relayer, patient.address, new_device.address, by, **details)

    return go


@pytest.fixture
def governor(evm: Evm) -> LocalAccount:
    """Stands where the consortium's contract stands."""
    governor = key_of("governor")
    evm.fund(governor.address)
    return governor


@pytest.fixture
def register(evm: Evm, relayer: LocalAccount, governor: LocalAccount) -> Deployed:
    """A Registry that the governor alone governs."""
    return Deployed.deploy(
        evm, relayer, "Registry", governor.address, RECOVERY_DELAY, EMERGENCY_DELAY
    )


@pytest.fixture
def organisations(register: Deployed, relayer: LocalAccount) -> RegistryActions:
    """What accounts do at the governor's Registry."""
    return RegistryActions(register, relayer)


@pytest.fixture
def enter(
    register: Deployed, organisations: RegistryActions, governor: LocalAccount
) -> Callable[..., Receipt]:
    """Has the governor admit an organisation."""

    def go(
        account: Key,
        roles: int,
        *,
        by: Key | None = None,
        deadline: int = FOREVER,
        key: bytes | None = None,
        at: int | None = None,
    ) -> Receipt:
        key = encryption_key(account) if key is None else key
        publication = organisations.publication(
            account, key, profile_hash(account), by=by, nonce=0, deadline=deadline
        )
        return register.send(
            governor,
            "admit",
            account.address,
            (by or account).address,
            roles,
            key,
            profile_hash(account),
            deadline,
            publication.signature(),
            at=at,
        )

    return go


@pytest.fixture
def govern(register: Deployed, governor: LocalAccount) -> Callable[..., Receipt]:
    """Has the governor suspend, reinstate or set roles."""

    def go(function: str, *arguments: object) -> Receipt:
        return register.send(governor, function, *arguments)

    return go


@pytest.fixture
def make(accounts: RegistryActions, motions: ConsortiumActions, new_device: LocalAccount) -> Make:
    """Makes any action of a member of the consortium."""
    return maker(accounts, motions, new_device.address)
