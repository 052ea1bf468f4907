"""The words of nodes, each understood for what it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from web3 import Web3
from web3.exceptions import RequestTimedOut, Web3RPCError
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

from medaccord.chain.pool import Answer, Verdict, offer
from medaccord.core.identifiers import digest
from medaccord.core.outgoing import Attempt

HASH = digest(b"\x01" * 32)
ATTEMPT = Attempt(
    hash=HASH,
    raw=b"\x02",
    max_fee=2,
    max_priority_fee=1,
    sent_at=datetime(2026, 3, 1, tzinfo=UTC),
)


class Node(BaseProvider):
    """Refuses every transaction in words of its own; it may have it all the same."""

    def __init__(self, words: str, *, has_it: bool = False) -> None:
        super().__init__()
        self.words = words
        self.has_it = has_it

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        if method == "eth_sendRawTransaction":
            return {"jsonrpc": "2.0", "id": 0, "error": {"code": -32000, "message": self.words}}
        assert method == "eth_getTransactionByHash"
        return {"jsonrpc": "2.0", "id": 0, "result": {"hash": params[0]} if self.has_it else None}


def answer(words: str, *, has_it: bool = False) -> Answer:
    return offer(Web3(Node(words, has_it=has_it), middleware=()), ATTEMPT)


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        # geth
        ("already known", Verdict.TAKEN),
        ("transaction underpriced", Verdict.UNDERPRICED),
        ("transaction underpriced: gas tip cap 1, minimum needed 1000000", Verdict.UNDERPRICED),
        ("replacement transaction underpriced", Verdict.OCCUPIED),
        ("nonce too low: next nonce 5, tx nonce 4", Verdict.NONCE_USED),
        ("insufficient funds for gas * price + value: balance 0", Verdict.REFUSED),
        ("intrinsic gas too low: gas 20000, minimum needed 21000", Verdict.REFUSED),
        ("exceeds block gas limit", Verdict.REFUSED),
        ("txpool is full", Verdict.REFUSED),
        # anvil
        ("transaction already imported", Verdict.TAKEN),
        ("max fee per gas less than block base fee", Verdict.UNDERPRICED),
        ("nonce too low", Verdict.NONCE_USED),
        ("Insufficient funds for gas * price + value", Verdict.REFUSED),
        ("intrinsic gas too high -- tx.gas_limit > env.block.gas_limit", Verdict.REFUSED),
        # Besu
        ("Known transaction", Verdict.TAKEN),
        ("Gas price below configured minimum gas price", Verdict.UNDERPRICED),
        ("Replacement transaction underpriced", Verdict.OCCUPIED),
        ("Nonce too low", Verdict.NONCE_USED),
        # Nethermind
        ("AlreadyKnown", Verdict.TAKEN),
        ("FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1", Verdict.UNDERPRICED),
        ("ReplacementNotAllowed", Verdict.OCCUPIED),
        ("OldNonce, Current nonce: 5, nonce of rejected tx: 4", Verdict.NONCE_USED),
        ("InsufficientFunds, Account balance: 0", Verdict.REFUSED),
        # the embedded chain
        ("nonce too low: nonce 4 where 5 is next", Verdict.NONCE_USED),
        ("nonce too high: nonce 6 where 5 is next", Verdict.REFUSED),
    ],
)
def test_words_are_understood(words: str, verdict: Verdict) -> None:
    assert answer(words).verdict is verdict


def test_refusal_carries_the_words_of_the_node() -> None:
    assert answer("txpool is full") == Answer(verdict=Verdict.REFUSED, words="txpool is full")


@pytest.mark.parametrize("words", ["nonce too low", "replacement transaction underpriced", "no"])
def test_transaction_is_taken_when_the_node_has_it_whatever_it_says(words: str) -> None:
    assert answer(words, has_it=True) == Answer(verdict=Verdict.TAKEN)


def test_time_out_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    web3 = Web3(Node("no"), middleware=())

    def time_out(_: object) -> None:
        raise RequestTimedOut("too slow")

    monkeypatch.setattr(web3.eth, "send_raw_transaction", time_out)
    assert issubclass(RequestTimedOut, Web3RPCError)  # which is what makes it look like one
    with pytest.raises(RequestTimedOut):
        offer(web3, ATTEMPT)
