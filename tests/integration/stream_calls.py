"""Calls that the chain takes once: the first append to a stream of its own, one a number."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from web3.contract.contract import ContractFunction

from medaccord.chain import Contracts, FounderAdmission, Network, Role, Sender, connect, deploy
from medaccord.chain.actions import append
from medaccord.core.identifiers import Address, digest
from medaccord.keys import LocalSigner

ROOT = digest(b"\x77" * 32)
_BYTES = digest(b"\x11" * 32)


def deployed(network: Network, payer: LocalSigner) -> Contracts:
    """Our contracts, with nobody in them but the founder."""
    founder = FounderAdmission(
        signer=LocalSigner.create(), key=_BYTES, profile=_BYTES, roles=Role.STEWARD
    )
    sender = Sender(network, payer, timeout=timedelta(seconds=30))
    return connect(network, deploy(network, sender, founder))


def first_append(contracts: Contracts, account: Address, number: int) -> ContractFunction:
    """The chain takes it once, and refuses it afterwards; `account` itself sends it."""
    action = append(contracts, account=account, topic=digest(number.to_bytes(32, "big")), root=ROOT)
    return action.invocation().bind(contracts.network.web3)


def appended(contracts: Contracts, account: Address) -> Counter[int]:
    """How often each number was appended by an account, as the chain's events tell."""
    anchored = contracts.network.web3.eth.contract(
        contracts.address("Anchors"), abi=first_append(contracts, account, 0).contract_abi
    ).events.Anchored
    logs = anchored.get_logs(from_block=0, argument_filters={"account": account})
    return Counter(int.from_bytes(log["args"]["topic"], "big") for log in logs)
