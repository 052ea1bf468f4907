"""Our contracts on a real node, and what a ledger of them says, to compare two ledgers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from sqlalchemy import Engine, select
from web3.types import Nonce, TxParams, Wei

from medaccord.chain import (
    Contracts,
    FounderAdmission,
    Network,
    Role,
    Sender,
    actions,
    connect,
    deploy,
)
from medaccord.chain.actions import SignedAction
from medaccord.chain.embedded import EmbeddedChain
from medaccord.keys import LocalSigner
from medaccord.ledger import Follower
from medaccord.store import reading, tables
from tests.integration.anvil import CHAIN_ID, Anvil
from tests.integration.conftest import KEY, PROFILE, Setting, admit
from tests.integration.ledger_setting import everything


class AnvilChain:
    """What the tests ask of a chain besides its node."""

    def __init__(self, node: Anvil, network: Network) -> None:
        self._node = node
        self.clock = network.clock

    def advance(self, span: timedelta) -> None:
        self._node.call("evm_increaseTime", int(span.total_seconds()))
        self._node.mine()

    def mine(self, blocks: int = 1) -> None:
        self._node.mine(blocks)


def deployed(node: Anvil) -> Setting:
    """A deployment with its founding hospital and one admitted clinic."""
    network = node.network()
    sender = Sender(network, node.funded_signer())
    hospital, clinician = LocalSigner.create(), LocalSigner.create()
    founder = FounderAdmission(signer=hospital, key=KEY, profile=PROFILE, roles=Role.STEWARD)
    deployment = deploy(network, sender, founder)
    contracts = connect(network, deployment)
    admit(contracts, sender, hospital, clinician, Role.STEWARD)
    return Setting(
        # Stories and histories use of a chain what both kinds have.
        chain=cast(EmbeddedChain, AnvilChain(node, network)),
        network=network,
        deployment=deployment,
        contracts=contracts,
        sender=sender,
        hospital=hospital,
        clinician=clinician,
    )


def through(setting: Setting, network: Network) -> Contracts:
    """The same contracts, asked over another line."""
    return connect(network, setting.deployment)


def revoke_all(setting: Setting, times: int = 1) -> None:
    """Report something, in a block each: a patient of its own revokes everything."""
    for _ in range(times):
        patient = LocalSigner.create()
        action = actions.revoke_all(setting.contracts, account=patient.address)
        actions.submit(setting.sender, actions.signed(action, patient))


def send_unlocked(node: Anvil, setting: Setting, signed: SignedAction) -> None:
    """Send an action from an account of the node's own, which counts its nonces itself.

    So it can be done while blocks are replaced, and nothing waits for what is no longer there.
    """
    call = signed.invocation.bind(setting.network.web3)
    fixed: TxParams = {
        "gas": 500_000,
        "nonce": Nonce(0),
        "chainId": CHAIN_ID,
        "maxFeePerGas": Wei(1),
        "maxPriorityFeePerGas": Wei(1),
    }
    built = call.build_transaction(fixed)
    payer = node.call("eth_accounts")[0]
    sent = {"from": payer, "to": built["to"], "data": built["data"], "gas": hex(500_000)}
    node.call("eth_sendTransaction", sent)


def in_one_block(node: Anvil, setting: Setting, times: int) -> None:
    """Report something several times in one block."""
    patients = [LocalSigner.create() for _ in range(times)]
    node.call("evm_setAutomine", False)
    try:
        for patient in patients:
            action = actions.revoke_all(setting.contracts, account=patient.address)
            actions.submit(setting.sender, actions.signed(action, patient), wait=False)
        node.mine()
    finally:
        node.call("evm_setAutomine", True)


def known(follower: Follower) -> list[dict[str, object]]:
    """Both states of a follower, to compare with another's."""
    with follower.views() as views:
        return [everything(views.newest), everything(views.final)]


def rows(engine: Engine) -> list[tuple[Any, ...]]:
    """Every event in the database, in the order of the chain."""
    table = tables.ledger_event
    query = select(table).order_by(table.c.block_number, table.c.log_index)
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(query).all()]
