"""A key that an Ethereum node, or a signer beside it, keeps: asked by JSON-RPC, never believed.

Source: EIP-712 (eth_signTypedData_v4), EIP-191 (personal_sign), Ethereum's execution API
(eth_signTransaction), EIP-2 (low s).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from itertools import count
from typing import Any, Final

import httpx
from eth_account import Account
from eth_account.messages import SignableMessage, encode_defunct
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from medaccord.core.errors import InvalidInput, SignatureMismatch, TransportError
from medaccord.core.identifiers import Address
from medaccord.core.signatures import SECP256K1_ORDER, SIGNATURE_BYTES, recover_signer
from medaccord.core.typed_data import TypedData

_FEE_MARKET: Final = 2
_LONGEST: Final = 200


class RpcSigner:
    """A key at a node, as of an account it has unlocked. Any number of threads may share it.

    Every answer is checked: it is signed by the address, over what was asked and nothing else.

    Warning: whoever reaches the node may sign with its unlocked accounts too. Use one that answers
    this machine alone, or a signer that knows its clients.
    """

    __slots__ = ("_address", "_client", "_numbers", "_url", "_where")

    def __init__(
        self, url: str, address: Address, *, timeout: timedelta = timedelta(seconds=30)
    ) -> None:
        """Use the key of an address at a node; nothing is asked yet.

        Args:
            url: the node's JSON-RPC address, `http://…` or `https://…`.
            address: the account.
            timeout: how long an answer may take; a person may have to press a button.

        Raises:
            InvalidInput: the URL is none.
        """
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise InvalidInput(f"the address of the node is no URL: {error}") from None
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise InvalidInput("the address of the node is no URL that begins with http(s)://")
        self._address = address
        # Paths and user names of URLs are where providers put secrets.
        self._where = f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"
        self._url = parsed
        self._client = httpx.Client(timeout=timeout.total_seconds())
        self._numbers = count(1)

    @property
    def address(self) -> Address:
        """The address of the key."""
        return self._address

    def sign(self, message: TypedData) -> bytes:
        """Sign typed data: 65 bytes, r ‖ s ‖ v, s in the lower half. Source: EIP-712, EIP-2.

        Raises:
            TransportError: the node does not answer, or does not sign.
            SignatureMismatch: what it answers is no signature of the address over the message.
        """
        answer = self._ask("eth_signTypedData_v4", self._address, message.full())
        return self._checked(answer, message.signable(), message.primary_type)

    def sign_text(self, text: str) -> bytes:
        """Sign text that a person has read: 65 bytes. Source: EIP-191, version 0x45.

        Raises:
            TransportError, SignatureMismatch: as `sign`.
        """
        answer = self._ask("personal_sign", "0x" + text.encode().hex(), self._address)
        return self._checked(answer, encode_defunct(text=text), "the text")

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Sign a transaction, all of whose fields are filled in, ready for the wire.

        Args:
            transaction: one with `maxFeePerGas` and `maxPriorityFeePerGas` (EIP-1559).

        Raises:
            InvalidInput: it is of another kind.
            TransportError: the node does not answer, or does not sign.
            SignatureMismatch: what it answers is another transaction, or by another key.
        """
        if "maxFeePerGas" not in transaction:
            raise InvalidInput("a node signs transactions with maxFeePerGas here, and no others")
        fields = {name: value for name, value in transaction.items() if name != "to" or value}
        asked = {name: _quantity(value) for name, value in fields.items()}
        answer = self._ask("eth_signTransaction", {**asked, "from": self._address})
        # Geth answers with the transaction beside, others with its bytes alone.
        raw = self._bytes(answer.get("raw") if isinstance(answer, dict) else answer)
        self._check_transaction(raw, fields)
        return raw

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __repr__(self) -> str:
        """Name the address and the node, nothing secret of its URL."""
        return f"RpcSigner({self._address} at {self._where})"

    def _ask(self, method: str, *parameters: object) -> object:
        number = next(self._numbers)
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
        try:
            response = self._client.post(self._url, json=body)
        except httpx.HTTPError as error:
            raise TransportError(f"no node answers at {self._where}: {_short(error)}") from error
        try:
            answer = response.json()
        except ValueError:  # no JSON, or not even text
            answer = None
        if not isinstance(answer, dict) or answer.get("id") not in (number, None):
            raise TransportError(
                f"the node at {self._where} answers {method} with HTTP status"
                f" {response.status_code} and no JSON-RPC"
            )
        if answer.get("error") is not None or answer.get("result") is None:
            told = answer.get("error")
            why = told.get("message") if isinstance(told, dict) else told
            raise TransportError(
                f"the node at {self._where} does not sign for {self._address} ({method}:"
                f" {_short(why)}): unlock the account there, or use a key of the keystore"
            )
        return answer["result"]

    def _checked(self, answer: object, message: SignableMessage, of: str) -> bytes:
        signature = _normal(self._bytes(answer))
        signer = recover_signer(message, signature, of=of)
        if signer != self._address:
            raise SignatureMismatch(
                f"the node at {self._where} signed {of} as {signer}, not as {self._address}"
            )
        return signature

    def _check_transaction(self, raw: bytes, fields: Mapping[str, Any]) -> None:
        wrong = f"the node at {self._where} signed another transaction than the one asked for"
        try:
            v, r, s = TypedTransaction.from_bytes(HexBytes(raw)).vrs()
            wanted = {**fields, "type": _FEE_MARKET, "v": v, "r": r, "s": s}
            same = TypedTransaction.from_dict(wanted).encode() == raw
            signer = Account.recover_transaction(raw)
        except Exception as error:  # decoders of several packages, over a stranger's bytes
            raise SignatureMismatch(wrong) from error
        if not same:
            raise SignatureMismatch(wrong)
        if s > SECP256K1_ORDER // 2:
            raise SignatureMismatch(f"{wrong}: its s is in the upper half")
        if signer != self._address:
            raise SignatureMismatch(
                f"the node at {self._where} signed the transaction as {signer},"
                f" not as {self._address}"
            )

    def _bytes(self, answer: object) -> bytes:
        try:
            if isinstance(answer, str) and answer.startswith("0x"):
                return bytes.fromhex(answer[2:])
        except ValueError:
            pass
        raise TransportError(f"the node at {self._where} answers with no bytes in hexadecimal")


def _normal(signature: bytes) -> bytes:
    """The same signature as contracts take it: s in the lower half, v 27 or 28.

    Some hardware draws either s, and some signers count v from 0.
    """
    if len(signature) != SIGNATURE_BYTES:
        return signature
    v = signature[64] + 27 if signature[64] in (0, 1) else signature[64]
    s = int.from_bytes(signature[32:64], "big")
    if v in (27, 28) and SECP256K1_ORDER // 2 < s < SECP256K1_ORDER:
        s, v = SECP256K1_ORDER - s, 55 - v
    return signature[:32] + s.to_bytes(32, "big") + bytes([v])


def _quantity(value: object) -> object:
    if isinstance(value, bytes | bytearray):
        return "0x" + bytes(value).hex()
    return hex(value) if isinstance(value, int) else value


def _short(told: object) -> str:
    text = " ".join(str(told).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
