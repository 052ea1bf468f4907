"""EIP-712 typed data: every structure that anybody signs, and who signed it.

Each action of the contracts has one structure here, in the field order of the contract; the
off-chain documents (request, enrolment, receipt) have theirs under the off-chain domain. A
structure can be made only under the domain it belongs to, so that a signature for one contract is
never asked for under the name of another.

Source: EIP-712.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from eth_abi.abi import encode
from eth_account.messages import SignableMessage
from eth_utils.crypto import keccak

from medaccord.core.errors import InvalidInput
from medaccord.core.identifiers import Address, Digest, address, digest, hex_digest
from medaccord.core.signatures import recover_signer

__all__ = [
    "ACTIONS",
    "DOMAIN_OF",
    "OFF_CHAIN",
    "VERSION",
    "Domain",
    "Fields",
    "TypedData",
    "recover",
    "typed",
]

VERSION: Final = "1"
"""The version that every domain of this release signs under."""

OFF_CHAIN: Final = "medaccord"
"""Name of the domain of documents that no contract checks; its contract is Consents too."""

Fields = tuple[tuple[str, str], ...]
"""Fields of a structure in the order they are hashed, each (Solidity type, name)."""

_UNSIGNED = re.compile(r"uint([1-9][0-9]*)")
_SAFE_JSON_BITS: Final = 53

_STRUCTURES: Final[Mapping[str, tuple[str, ...]]] = {
    "medaccord Registry": (
        "Rotation(address account,address newController,uint64 nonce,uint40 deadline)",
        "RevokeAll(address account,uint32 epoch)",
        "Delegation(address account,address delegate,uint16 powers,uint40 until,uint32 epoch,"
        "uint64 serial,uint40 deadline)",
        "Undelegation(address account,address delegate,uint64 serial)",
        "GuardiansChange(address account,bytes32 commitment,uint64 nonce,uint40 deadline)",
        "RecoveryApproval(address account,address guardian,address newController,uint64 nonce,"
        "uint40 deadline)",
        "Cancellation(address account,address signer,uint64 nonce)",
        "Publication(address account,bytes32 key,bytes32 profile,uint64 nonce,uint40 deadline)",
    ),
    "medaccord Consortium": (
        "Approval(address member,uint8 kind,address account,uint32 roles,bytes32 key,"
        "bytes32 profile,uint256 nonce,uint40 deadline)",
        "Withdrawal(address member,bytes32 motionId)",
    ),
    "medaccord Relationships": (
        "Proposal(address patient,address steward,address account,uint32 round)",
        "Acceptance(address patient,address steward,address account,uint32 round)",
        "Decline(address patient,address steward,address account,uint32 round)",
        "Ending(address patient,address steward,address account,uint32 round)",
    ),
    "medaccord Consents": (
        "Consent(address patient,address grantee,bytes32 terms,uint40 validFrom,uint40 validUntil,"
        "bytes32 request,uint32 epoch)",
        "Revocation(address patient,bytes32 consentId)",
        "EmergencyOpening(address patient,address grantee,bytes32 reason,uint40 validUntil,"
        "uint64 nonce,uint40 deadline)",
        "EmergencyClosure(address patient,address grantee,uint64 serial)",
        "EmergencyBan(address patient,uint64 serial)",
        "EmergencyAllowance(address patient,address grantee,uint64 serial,uint40 deadline)",
    ),
    "medaccord Anchors": ("Append(address account,bytes32 topic,bytes32 previous,bytes32 root)",),
    OFF_CHAIN: (
        "Request(address requester,address patient,address steward,bytes32 terms,"
        "uint40 validFrom,uint40 validUntil,uint40 issuedAt,bytes32 nonce)",
        "Enrolment(address account,address steward,bytes32 code,uint40 deadline)",
        "Receipt(address steward,bytes32 relationship,uint64 number,bytes32 entry,bytes32 head,"
        "uint256 blockNumber,bytes32 blockHash)",
    ),
}


def _parse(encoded: str) -> tuple[str, Fields]:
    name, _, inner = encoded.removesuffix(")").partition("(")
    fields = tuple((kind, field) for kind, field in (part.split(" ") for part in inner.split(",")))
    return name, fields


ACTIONS: Final[Mapping[str, Fields]] = MappingProxyType(
    dict(_parse(encoded) for group in _STRUCTURES.values() for encoded in group)
)
"""Every structure that is signed, by name: its fields in the order they are hashed."""

DOMAIN_OF: Final[Mapping[str, str]] = MappingProxyType(
    {_parse(encoded)[0]: domain for domain, group in _STRUCTURES.items() for encoded in group}
)
"""Name of the domain that each structure is signed under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """Where a signature counts: one name, one chain, one contract.

    Attributes:
        name: one of the values of `DOMAIN_OF`.
        chain_id: EIP-155 chain id.
        contract: the verifying contract; for the off-chain domain, Consents.
    """

    name: str
    chain_id: int
    contract: Address

    def fields(self) -> dict[str, str | int]:
        """The domain as EIP-712 writes it in JSON."""
        return {
            "name": self.name,
            "version": VERSION,
            "chainId": self.chain_id,
            "verifyingContract": self.contract,
        }

    @property
    def separator(self) -> Digest:
        """The domain separator, 32 bytes. Source: EIP-712, definition of domainSeparator."""
        return _separator(self)


_DOMAIN_FIELDS: Final[Fields] = (
    ("string", "name"),
    ("string", "version"),
    ("uint256", "chainId"),
    ("address", "verifyingContract"),
)


@lru_cache(maxsize=64)
def _separator(domain: Domain) -> Digest:
    words = encode(
        ["bytes32", "bytes32", "bytes32", "uint256", "address"],
        [
            keccak(text=f"EIP712Domain({_encode_fields(_DOMAIN_FIELDS)})"),
            keccak(text=domain.name),
            keccak(text=VERSION),
            domain.chain_id,
            domain.contract,
        ],
    )
    return digest(keccak(words))


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedData:
    """One message, ready to be signed. Make it with `typed`, which checks it.

    Attributes:
        domain: where the signature counts.
        primary_type: name of the structure.
        fields: (type, name) in the order they are hashed.
        message: value of each field: Address for address, int for uint, 32 bytes for bytes32.
    """

    domain: Domain
    primary_type: str
    fields: Fields
    message: Mapping[str, str | int | bytes]

    @property
    def struct_hash(self) -> Digest:
        """The hash of the structure alone, which contracts call structHash."""
        words = [_type_hash(self.primary_type, self.fields)]
        words += [_word(self.message[name]) for _, name in self.fields]
        return digest(keccak(b"".join(words)))

    def digest(self) -> Digest:
        """The 32 bytes that are signed: keccak256(0x1901 ‖ domain separator ‖ struct hash)."""
        return digest(keccak(b"\x19\x01" + self.domain.separator + self.struct_hash))

    def full(self) -> dict[str, Any]:
        """The message as `eth_signTypedData_v4` and `encode_typed_data(full_message=…)` take it.

        It is plain JSON: bytes as 0x-prefixed hex; integers of types wider than 53 bits as decimal
        strings, since a wallet written in JavaScript would round them.
        """
        return {
            "types": {
                "EIP712Domain": _json_fields(_DOMAIN_FIELDS),
                self.primary_type: _json_fields(self.fields),
            },
            "primaryType": self.primary_type,
            "domain": self.domain.fields(),
            "message": {name: _json_value(kind, self.message[name]) for kind, name in self.fields},
        }

    def signable(self) -> SignableMessage:
        """The message as eth-account signs it."""
        return SignableMessage(version=b"\x01", header=self.domain.separator, body=self.struct_hash)


def typed(domain: Domain, primary_type: str, **message: object) -> TypedData:
    """Make the message of one of the `ACTIONS`, checked.

    Args:
        domain: where the signature shall count; its name must be the structure's own.
        primary_type: name of the structure.
        **message: exactly the structure's fields. An address as text; an unsigned integer as int
            within its width; a bytes32 as 32 bytes or 0x-prefixed hex.

    Raises:
        InvalidInput: unknown structure, wrong domain, a field missing, unknown or out of range.
    """
    fields = ACTIONS.get(primary_type)
    if fields is None:
        raise InvalidInput(f"{primary_type} is not a structure that medaccord signs")
    if domain.name != DOMAIN_OF[primary_type]:
        raise InvalidInput(
            f"{primary_type} is signed under {DOMAIN_OF[primary_type]!r}, not {domain.name!r}"
        )
    names = {name for _, name in fields}
    if missing := sorted(names - message.keys()):
        raise InvalidInput(f"{primary_type} lacks {', '.join(missing)}")
    if unknown := sorted(message.keys() - names):
        raise InvalidInput(f"{primary_type} has no field {', '.join(unknown)}")
    checked = {
        name: _checked(kind, message[name], f"{primary_type}.{name}") for kind, name in fields
    }
    return TypedData(
        domain=domain,
        primary_type=primary_type,
        fields=fields,
        message=MappingProxyType(checked),
    )


def recover(message: TypedData, signature: bytes) -> Address:
    """The address whose key made this signature over this message.

    The caller compares it with the key that should have signed: nearly any well-formed signature
    recovers to *some* address.

    Args:
        message: what was signed.
        signature: r ‖ s ‖ v, 65 bytes, s in the lower half of the order, v 27 or 28.

    Raises:
        SignatureMismatch: the signature has another form, or belongs to no key at all.
    """
    return recover_signer(message.signable(), signature, of=message.primary_type)


def _encode_fields(fields: Fields) -> str:
    return ",".join(f"{kind} {name}" for kind, name in fields)


@lru_cache(maxsize=64)
def _type_hash(primary_type: str, fields: Fields) -> bytes:
    return keccak(text=f"{primary_type}({_encode_fields(fields)})")


def _word(value: str | int | bytes) -> bytes:
    """A value of a checked message as EIP-712 hashes it, 32 bytes."""
    if isinstance(value, int):
        return value.to_bytes(32)
    return bytes.fromhex(value[2:]).rjust(32, b"\0") if isinstance(value, str) else value


def _json_fields(fields: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for kind, name in fields]


def _json_value(kind: str, value: str | int | bytes) -> str | int:
    if isinstance(value, bytes):
        return hex_digest(digest(value))
    if isinstance(value, int) and int(kind.removeprefix("uint")) > _SAFE_JSON_BITS:
        return str(value)
    return value


def _checked(kind: str, value: object, where: str) -> str | int | bytes:
    if kind == "address":
        if not isinstance(value, str):
            raise InvalidInput(f"{where} is not an address")
        return address(value)
    if kind == "bytes32":
        if not isinstance(value, str | bytes):
            raise InvalidInput(f"{where} is not 32 bytes")
        return digest(value)
    width = _UNSIGNED.fullmatch(kind)
    if width is None:
        raise InvalidInput(f"{where} has the type {kind}, which no structure here may have")
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInput(f"{where} is not an integer")
    if not 0 <= value < 2 ** int(width[1]):
        raise InvalidInput(f"{where} is {value}, outside {kind}")
    return value
