"""Who signed something: a key, or a wallet that is a contract and says so itself."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from medaccord.chain.network import Network
from medaccord.chain.reverts import translated
from medaccord.core.errors import ContractReverted, SignatureMismatch
from medaccord.core.identifiers import Address
from medaccord.core.typed_data import TypedData, recover

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


def check_signed(network: Network, by: Address, message: TypedData, signature: bytes) -> None:
    """Check that `by` signed typed data.

    Args:
        network: Where `by` may be a contract.
        by: A key, or an ERC-1271 wallet.
        message: What was signed.
        signature: Of a key, or as the wallet wants it.

    Raises:
        SignatureMismatch: It did not.
        TransportError: The node does not answer.

    Source: EIP-712, ERC-1271.
    """
    with suppress(SignatureMismatch):
        if recover(message, signature) == by:
            return
    if not _wallet_agrees(network, by, message, signature):
        raise SignatureMismatch(f"{by} did not sign this")


def _wallet_agrees(network: Network, wallet: Address, message: TypedData, signature: bytes) -> bool:
    with translated():
        if not network.web3.eth.get_code(wallet):
            return False
    contract = network.web3.eth.contract(wallet, abi=_WALLET_ABI)
    try:
        answer = network.call(contract.functions.isValidSignature(message.digest(), signature))
    except ContractReverted:
        return False
    return bytes(answer) == _MAGIC
