"""A wallet that is a contract, on the chain of a test."""

from __future__ import annotations

import json
from pathlib import Path

from medaccord.chain import Sender
from medaccord.keys import LocalSigner

_ARTIFACT = Path(__file__).parents[1] / "contracts" / "artifacts" / "OwnedWallet.json"


class OwnedWallet:
    """An ERC-1271 wallet, for which its owner signs. It sends nothing of its own."""

    def __init__(self, sender: Sender, owner: LocalSigner) -> None:
        artifact = json.loads(_ARTIFACT.read_bytes())
        contract = sender.network.web3.eth.contract(
            abi=artifact["abi"], bytecode=artifact["bytecode"]
        )
        created = sender.send(contract.constructor(owner.address)).created
        assert created is not None
        self.address = created
        self.sign = owner.sign
        self.sign_text = owner.sign_text
        self.sign_transaction = owner.sign_transaction
