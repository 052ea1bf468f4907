"""Wallets that are contracts, and say themselves what they signed.

Source: ERC-1271.
"""

from __future__ import annotations

from typing import Any, Final

from medaccord.chain.network import Network
from medaccord.chain.reverts import translated
from medaccord.core.errors import ContractReverted
from medaccord.core.identifiers import Address, Digest

_MAGIC: Final = bytes.fromhex("1626ba7e")
_WALLET_ABI: Final[list[dict[str, Any]]] = [
    {
        "type": "function",
        "name": "isValidSignature",
        "stateMutability": "view",
        "inputs": [{"name": "hash", "type": "bytes32"}, {"name": "signature", "type": "bytes"}],
        "outputs": [{"name": "magic", "type": "bytes4"}],
    }
]


def wallet_agrees(network: Network, wallet: Address, signed: Digest, signature: bytes) -> bool:
    """Whether an address is a contract that takes a signature for its own.

    Args:
        network: Where the contract would stand.
        wallet: Its address; a key has no contract and never agrees.
        signed: The 32 bytes that were signed.
        signature: As the wallet wants it.

    Raises:
        TransportError: The node does not answer.
    """
    with translated():
        if not network.web3.eth.get_code(wallet):
            return False
    contract = network.web3.eth.contract(wallet, abi=_WALLET_ABI)
    try:
        answer = network.call(contract.functions.isValidSignature(signed, signature))
    except ContractReverted:
        return False
    return bytes(answer) == _MAGIC
