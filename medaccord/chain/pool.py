"""What a node's pool says to a transaction: it takes it, or it does not, and why.

JSON-RPC has no codes for that, so nodes are known by their words. A transaction that a node says no
to may be there all the same, as when the line broke before its first answer; so the node is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import RequestTimedOut, TransactionNotFound, Web3RPCError

from medaccord.core.outgoing import Attempt


class Verdict(Enum):
    """What became of a transaction that was handed to a node."""

    TAKEN = "taken"
    """It waits to be mined, or was mined."""
    UNDERPRICED = "underpriced"
    """It would be taken for more."""
    OCCUPIED = "occupied"
    """Another with its nonce waits there; for more, it would be taken in the place of that one."""
    NONCE_USED = "nonce used"
    """A transaction with its nonce is mined already, and it is another one."""
    REFUSED = "refused"
    """It is refused for something else, such as an empty purse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A verdict, and the node's words where it refused."""

    verdict: Verdict
    words: str = ""


# geth, anvil, Besu, Nethermind, in lower case.
_KNOWN: Final = ("already known", "already imported", "known transaction", "alreadyknown")
_OCCUPIED: Final = ("replacement transaction", "replacementnotallowed")
_UNDERPRICED: Final = (
    *("underpriced", "fee per gas less than block base fee", "gas price below"),
    *("gas price too low", "fee too low", "feetoolow"),
)
_NONCE_USED: Final = ("nonce too low", "oldnonce", "nonce is too low")
_REFUSALS: Final = {
    Verdict.OCCUPIED: _OCCUPIED,
    Verdict.UNDERPRICED: _UNDERPRICED,
    Verdict.NONCE_USED: _NONCE_USED,
}
"""In the order they are looked for: what is occupied is called underpriced as well."""


def offer(web3: Web3, attempt: Attempt) -> Answer:
    """Hand a signed transaction to the node. Doing it twice does no harm.

    Raises:
        Web3Exception: the node gave no answer, or none that makes sense: it may have the
            transaction or not.
        OSError: it is out of reach; the same.
    """
    try:
        web3.eth.send_raw_transaction(HexBytes(attempt.raw))
    except RequestTimedOut:
        raise
    except Web3RPCError as error:
        words = str((error.rpc_response or {}).get("error", {}).get("message") or error)
        told = words.lower()
        if _says(told, _KNOWN) or _has(web3, attempt):
            return Answer(verdict=Verdict.TAKEN)
        verdicts = (each for each, said in _REFUSALS.items() if _says(told, said))
        return Answer(verdict=next(verdicts, Verdict.REFUSED), words=words)
    return Answer(verdict=Verdict.TAKEN)


def _says(told: str, words: tuple[str, ...]) -> bool:
    return any(each in told for each in words)


def _has(web3: Web3, attempt: Attempt) -> bool:
    try:
        web3.eth.get_transaction(HexBytes(attempt.hash))
    except TransactionNotFound:
        return False
    return True
