"""Many patients at three hospitals, who do on the chain what wallets and gatekeepers do.

Each action is signed by its account and sent by the account's own steward, many in a block.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from eth_utils.currency import to_wei
from hexbytes import HexBytes
from web3.types import Nonce, Wei

from medaccord.chain import (
    Contracts,
    FounderAdmission,
    Network,
    Power,
    Role,
    Sender,
    actions,
    connect,
    deploy,
)
from medaccord.chain.actions import Action, Invocation, SignedAction
from medaccord.chain.embedded import EmbeddedChain
from medaccord.client.guardians import Guardian, Guardians
from medaccord.client.recovering import AccountRecovery
from medaccord.core.identifiers import Address, Digest, digest
from medaccord.core.pseudonyms import topic
from medaccord.core.purposes import Purpose
from medaccord.core.requests import AccessRequest
from medaccord.core.scopes import Scope
from medaccord.core.terms import Terms
from medaccord.keys import LocalSigner, Passphrase, Wallet
from tests.integration.conftest import KEY, PROFILE, admit

PASSPHRASE: Final = Passphrase(b"of everybody here")
CHEAP: Final = 2**4
RECOVERY_DELAY: Final = timedelta(days=7)
_IN_A_BLOCK: Final = 5
_GAS: Final = 400_000


@dataclass(slots=True, kw_only=True)
class Payer:
    """Whoever sends transactions: a hospital, as a rule."""

    signer: LocalSigner
    secret: bytes
    nonce: int

    @property
    def account(self) -> Address:
        return self.signer.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One account of a patient, at one hospital."""

    account: Address
    steward: Payer


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhabitant:
    """A patient with a wallet, and an account at each of some hospitals."""

    wallet: Wallet
    accounts: tuple[Held, ...]

    def signer(self, held: Held) -> LocalSigner:
        return self.wallet.signer(held.account)


Sent = tuple[Payer, Action | SignedAction | Invocation]


class Town:
    """A chain with three hospitals, and the wallets of those who live there."""

    def __init__(self, folder: Path) -> None:
        self.chain = EmbeddedChain()
        self.network: Network = self.chain.network()
        self.hospitals = [self.payer() for _ in range(3)]
        self.contracts = self._deploy()
        self._folder = folder
        self._wallets = 0

    def payer(self) -> Payer:
        """Somebody with money."""
        return Payer(signer=self.chain.funded_signer(), secret=os.urandom(32), nonce=0)

    def wallet(self) -> Wallet:
        """A wallet of somebody's own."""
        self._wallets += 1
        return Wallet.create(self._folder / f"{self._wallets}.json", PASSPHRASE, cost=CHEAP)

    def inhabitant(self, hospitals: Iterable[Payer]) -> Inhabitant:
        """Somebody with a fresh account for each hospital."""
        wallet = self.wallet()
        accounts = tuple(
            Held(account=wallet.new_account(steward=each.account).account, steward=each)
            for each in hospitals
        )
        return Inhabitant(wallet=wallet, accounts=accounts)

    def send(self, sent: Iterable[Sent]) -> None:
        """Have everything mined, and done."""
        waiting = list(sent)
        for first in range(0, len(waiting), _IN_A_BLOCK):
            with self.chain.mining_paused():
                hashes = [self._send(*each) for each in waiting[first : first + _IN_A_BLOCK]]
            for each in hashes:
                assert self.network.web3.eth.get_transaction_receipt(each)["status"] == 1

    def _send(self, payer: Payer, what: Action | SignedAction | Invocation) -> HexBytes:
        match what:
            case Action():
                call = what.invocation()
            case SignedAction():
                call = what.invocation
            case Invocation():
                call = what
        web3 = self.network.web3
        transaction = call.bind(web3).build_transaction(
            {
                "from": payer.account,
                "nonce": Nonce(payer.nonce),
                "chainId": self.network.chain_id,
                "gas": _GAS,
                "maxFeePerGas": Wei(to_wei(100, "gwei")),
                "maxPriorityFeePerGas": Wei(to_wei(1, "gwei")),
            }
        )
        payer.nonce += 1
        return web3.eth.send_raw_transaction(payer.signer.sign_transaction(transaction))

    def _deploy(self) -> Contracts:
        first, *others = self.hospitals
        sender = Sender(self.network, self.chain.funded_signer())
        founder = FounderAdmission(
            signer=first.signer, key=KEY, profile=PROFILE, roles=Role.STEWARD
        )
        contracts = connect(self.network, deploy(self.network, sender, founder))
        for each in others:
            admit(contracts, sender, first.signer, each.signer, Role.STEWARD)
        return contracts

    # --- What people do

    def enrol(self, people: Iterable[Inhabitant]) -> None:
        """Every account gets its relationship: the steward proposes, the patient accepts."""
        living = list(people)
        self.send(
            (held.steward, self._step(actions.propose, held, held.steward.account))
            for each in living
            for held in each.accounts
        )
        self.send(
            (
                held.steward,
                actions.signed(self._step(actions.accept, held, held.account), each.signer(held)),
            )
            for each in living
            for held in each.accounts
        )
        for each in living:
            for held in each.accounts:
                each.wallet.used(held.account)

    def _step(self, step: actions.Step, held: Held, account: Address) -> Action:
        return step(
            self.contracts,
            patient=held.account,
            steward=held.steward.account,
            account=account,
            round=1,
        )

    def grant(self, each: Inhabitant, held: Held, terms: Terms | None = None) -> Sent:
        """Consent to what another hospital asked for."""
        contracts, now = self.contracts, self.network.clock().replace(microsecond=0)
        after = self.hospitals.index(held.steward) + 1
        grantee = self.hospitals[after % len(self.hospitals)]
        request = AccessRequest(
            requester=contracts.account_id(grantee.account),
            patient=contracts.account_id(held.account),
            steward=contracts.account_id(held.steward.account),
            terms=self.terms(held),
            valid_from=now,
            valid_until=now + timedelta(days=30),
            issued_at=now,
            nonce=digest(os.urandom(32)),
        )
        action = actions.grant(
            contracts,
            patient=held.account,
            grantee=grantee.account,
            terms=(terms or self.terms(held)).commitment,
            valid_from=request.valid_from,
            valid_until=request.valid_until,
            request=request.digest(contracts.off_chain_domain),
            epoch=0,
        )
        return held.steward, actions.signed(action, each.signer(held))

    def terms(self, held: Held) -> Terms:
        """The same for everybody, but for the salt."""
        return Terms(
            stewards=(self.contracts.account_id(held.steward.account),),
            scopes=(Scope.parse("patient/Observation.rs?category=laboratory"),),
            purposes=(Purpose.TREAT,),
            salt=digest(os.urandom(32)),
        )

    def delegate(self, each: Inhabitant, held: Held, carer: Address) -> Sent:
        action = actions.delegate(
            self.contracts,
            account=held.account,
            delegate=carer,
            powers=Power.READ | Power.RESTRICT,
            until=self.network.clock() + timedelta(days=365),
            epoch=0,
            serial=1,
        )
        return held.steward, actions.signed(action, each.signer(held))

    def protect(self, each: Inhabitant, held: Held, guardians: Iterable[Wallet]) -> None:
        """Name guardians, and hand each its place."""
        cards = {each: each.card() for each in (Guardian(who, self.contracts) for who in guardians)}
        own = Guardians(each.wallet, self.contracts)
        chosen = own.choose(held.account, cards.values(), threshold=1)
        self.send([(held.steward, actions.signed(chosen.action, each.signer(held)))])
        for guardian, card in cards.items():
            guardian.take(chosen.sealed[card.guardian].document())

    def rotate(self, each: Inhabitant, held: Held, new: Address) -> Sent:
        action = actions.rotate(self.contracts, account=held.account, new_controller=new, nonce=0)
        return held.steward, actions.signed(action, each.signer(held))

    def append(self, held: Held, patient: str, root: Digest | None = None) -> Sent:
        """The steward anchors a record of the patient's."""
        action = actions.append(
            self.contracts,
            account=held.steward.account,
            topic=topic(held.steward.secret, "records", patient),
            previous=digest(bytes(32)),
            root=root or digest(os.urandom(32)),
        )
        return held.steward, action

    def start_recovery(self, held: Held, device: Wallet, guardian: Wallet) -> Sent:
        """A guardian hands the account to a new device."""
        recovery = AccountRecovery(device, self.contracts)
        request = recovery.request(held.account)
        approval = Guardian(guardian, self.contracts).approve(request)
        return held.steward, recovery.start(request, [approval])
