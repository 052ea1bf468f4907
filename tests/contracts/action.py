"""An action of an account, which the key acting can send itself or sign for anybody to send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from eth_account.signers.local import LocalAccount

from tests.contracts.deployed import Deployed
from tests.contracts.evm import Receipt
from tests.contracts.keys import Key, Wallet


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action, fully described.

    Attributes:
        contract: where it happens.
        function: its function, whose last argument is the signature.
        arguments: all arguments but the signature.
        struct: name of the struct that is signed.
        message: its fields.
        by: the key acting.
        relayer: who sends what others signed.
    """

    contract: Deployed
    function: str
    arguments: tuple[Any, ...]
    struct: str
    message: Mapping[str, Any]
    by: Key
    relayer: LocalAccount

    def send(self, sender: Key | None = None, *, at: int | None = None) -> Receipt:
        """Send it with an empty signature, as `by` or as another; who pays is given the money."""
        sender = sender or self.by
        payer = sender.owner if isinstance(sender, Wallet) else sender
        assert isinstance(payer, LocalAccount)
        evm = self.contract.evm
        if not evm.balance_of(payer.address):
            evm.fund(payer.address)
        if isinstance(sender, Wallet):
            data = self.contract.data(self.function, *self.arguments, b"")
            return sender.send(self.contract.address, data, at=at)
        return self.contract.send(payer, self.function, *self.arguments, b"", at=at)

    def relay(self, signature: bytes | None = None, *, at: int | None = None) -> Receipt:
        """Have the relayer send it, with the signature of `by` or another."""
        signature = self.signature() if signature is None else signature
        return self.contract.send(self.relayer, self.function, *self.arguments, signature, at=at)

    def signature(self, signer: Key | None = None, **domain: Any) -> bytes:
        """The signature of `by`, or of another, in the contract's domain or a changed one."""
        return self.contract.sign(signer or self.by, self.struct, self.message, **domain)

    def digest(self) -> bytes:
        """What `by` signs."""
        return self.contract.digest(self.struct, self.message)

    def signing(self, **fields: Any) -> Action:
        """The same call, but with other fields signed."""
        return replace(self, message={**self.message, **fields})
