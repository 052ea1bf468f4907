"""Signing in to a gatekeeper: EIP-4361 messages of one closed form.

The standard leaves much open (schemes, optional lines, any resources); here every line is there, in
order, once, and the resources are four: the account acted for, the registry that says who may, the
key that signs, and the purpose of use. Text and message stand for each other: `parse` accepts
exactly what `text` writes.

Source: EIP-4361 (Sign-In with Ethereum); EIP-191 for the signature.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Self
from urllib.parse import urlsplit

from eth_account.messages import encode_defunct

from medaccord.core.errors import InvalidInput, InvalidSignIn
from medaccord.core.identifiers import AccountId, Address, address
from medaccord.core.purposes import PURPOSE_SYSTEM, Purpose
from medaccord.core.signatures import recover_signer

__all__ = ["DOMAIN", "STATEMENT", "SignInMessage", "recover_text"]

STATEMENT: Final = "Sign in to this gatekeeper for medical records."
"""What a person reads in the wallet; there is no other statement."""

_TEMPLATE: Final = """{domain} wants you to sign in with your Ethereum account:
{address}

{statement}

URI: {uri}
Version: 1
Chain ID: {chain_id}
Nonce: {nonce}
Issued At: {issued_at}
Expiration Time: {expiration_time}
Resources:
- {account}
- {registry}
- {key}
- {purpose}"""

DOMAIN: Final = r"(?:[A-Za-z0-9.\-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
"""Form of a gatekeeper's host, and port if any: ASCII; an address of IPv6 stands in brackets."""

_ACCOUNT: Final = r"eip155:[1-9][0-9]{0,31}:0x[0-9a-fA-F]{40}"

_FIELDS: Final = {
    "domain": DOMAIN,
    "address": r"0x[0-9a-fA-F]{40}",
    "statement": re.escape(STATEMENT),
    "uri": r"https?://[\x21-\x7e]{1,500}",
    "chain_id": r"[1-9][0-9]{0,31}",
    "nonce": r"[A-Za-z0-9]{8,64}",
    "issued_at": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
    "expiration_time": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
    "account": _ACCOUNT,
    "registry": _ACCOUNT,
    "key": _ACCOUNT,
    "purpose": re.escape(PURPOSE_SYSTEM) + "#[A-Z]{1,16}",
}


def _grammar() -> re.Pattern[str]:
    pattern = re.escape(_TEMPLATE)
    for name, form in _FIELDS.items():
        pattern = pattern.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>{form})")
    return re.compile(pattern, re.ASCII)


_GRAMMAR: Final = _grammar()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInMessage:
    """What is signed to get a token.

    Attributes:
        domain: host, and port if any, of the gatekeeper; the authority of `uri`.
        address: the key that signs: the account's controller, or a delegate.
        uri: the gatekeeper's address, http or https.
        chain_id: EIP-155 chain id of the deployment; that of the account, too.
        nonce: 8 to 64 letters and digits, given by the gatekeeper, good once.
        issued_at: whole seconds, timezone-aware.
        expiration_time: end of the message's life, excluded; after `issued_at`.
        account: the account acted for.
        registry: address of the Registry that says who may act for it.
        purpose: what the token is to be used for.
        statement: always `STATEMENT`.

    Raises:
        InvalidSignIn: anything else.
    """

    domain: str
    address: Address
    uri: str
    chain_id: int
    nonce: str
    issued_at: datetime
    expiration_time: datetime
    account: AccountId
    registry: Address
    purpose: Purpose
    statement: str = field(default=STATEMENT)

    def __post_init__(self) -> None:
        """Refuse what would not come back from its own text, or names two places."""
        for at in (self.issued_at, self.expiration_time):
            if at.tzinfo is None or at.microsecond:
                raise InvalidSignIn("times of a sign-in are whole seconds with a timezone")
        if self.expiration_time <= self.issued_at:
            raise InvalidSignIn("the sign-in ends before it is issued")
        if self.account.chain_id != self.chain_id:
            raise InvalidSignIn(f"the account {self.account} is not on chain {self.chain_id}")
        if urlsplit(self.uri).netloc != self.domain:
            raise InvalidSignIn(f"{self.uri} is not at {self.domain}")
        if not _GRAMMAR.fullmatch(self.text()):
            raise InvalidSignIn("a field of the sign-in does not have its form")

    @property
    def resources(self) -> tuple[str, ...]:
        """The account, the registry and the key as CAIP-10 names, and the purpose's code."""
        return (
            str(self.account),
            str(AccountId(chain_id=self.chain_id, address=self.registry)),
            str(AccountId(chain_id=self.chain_id, address=self.address)),
            f"{PURPOSE_SYSTEM}#{self.purpose}",
        )

    def text(self) -> str:
        """The text that is signed."""
        account, registry, key, purpose = self.resources
        return _TEMPLATE.format(
            domain=self.domain,
            address=self.address,
            statement=self.statement,
            uri=self.uri,
            chain_id=self.chain_id,
            nonce=self.nonce,
            issued_at=_instant(self.issued_at),
            expiration_time=_instant(self.expiration_time),
            account=account,
            registry=registry,
            key=key,
            purpose=purpose,
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text that `text` writes, and no other.

        Raises:
            InvalidSignIn: the text has another form.
        """
        match = _GRAMMAR.fullmatch(text)
        if match is None:
            raise InvalidSignIn("not a sign-in message of the form that gatekeepers give")
        try:
            message = cls(
                domain=match["domain"],
                address=address(match["address"]),
                uri=match["uri"],
                chain_id=int(match["chain_id"]),
                nonce=match["nonce"],
                issued_at=_parse_instant(match["issued_at"]),
                expiration_time=_parse_instant(match["expiration_time"]),
                account=AccountId.parse(match["account"]),
                registry=AccountId.parse(match["registry"]).address,
                purpose=Purpose(match["purpose"].rpartition("#")[2]),
            )
        except (InvalidInput, ValueError) as error:
            raise InvalidSignIn(f"the sign-in message cannot be read: {error}") from error
        if message.text() != text:
            raise InvalidSignIn("the sign-in message is not spelled in its one form")
        return message


def recover_text(text: str, signature: bytes) -> Address:
    """The address whose key signed this text.

    Source: EIP-191, version 0x45 ("E").

    Raises:
        SignatureMismatch: as `signatures.recover_signer`.
    """
    return recover_signer(encode_defunct(text=text), signature, of="the sign-in")


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse_instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
