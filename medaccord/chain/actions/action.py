"""What an account can do, in one table: the function, what is signed, by whom, by which power."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, Self, overload

from medaccord.chain.actions.invocation import Invocation, Parameter, parameters
from medaccord.chain.deployment import Contracts
from medaccord.chain.powers import Power
from medaccord.chain.sender import Pending, Receipt, Sender
from medaccord.chain.values import seconds
from medaccord.core.errors import InvalidDocument, InvalidInput, SignatureMismatch
from medaccord.core.identifiers import AccountId, Address, Digest, address
from medaccord.core.typed_data import ACTIONS, DOMAIN_OF, TypedData, recover, typed
from medaccord.keys.signer import Signer


class Form(NamedTuple):
    """One row of the table.

    Attributes:
        structure: what is signed, one of `typed_data.ACTIONS`.
        account: the field of it that names the account that acts.
        power: what a delegate needs; None where only the controller may.
    """

    structure: str
    account: str
    power: Power | None

    @property
    def contract(self) -> str:
        """The contract whose function it is."""
        return DOMAIN_OF[self.structure].removeprefix("medaccord ")


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "rotate": Form("Rotation", "account", None),
        "revokeAll": Form("RevokeAll", "account", Power.RESTRICT),
        "delegate": Form("Delegation", "account", None),
        "undelegate": Form("Undelegation", "account", None),
        "setGuardians": Form("GuardiansChange", "account", None),
        "cancelRecovery": Form("Cancellation", "account", None),
        "publish": Form("Publication", "account", None),
        "propose": Form("Proposal", "account", Power.RELATE),
        "accept": Form("Acceptance", "account", Power.RELATE),
        "decline": Form("Decline", "account", Power.RELATE),
        "end": Form("Ending", "account", Power.RELATE),
        "grant": Form("Consent", "patient", Power.GRANT),
        "revoke": Form("Revocation", "patient", Power.RESTRICT),
        "openEmergency": Form("EmergencyOpening", "grantee", Power.EMERGENCY),
        "closeEmergency": Form("EmergencyClosure", "patient", Power.RESTRICT),
        "forbidEmergency": Form("EmergencyBan", "patient", Power.RESTRICT),
        "allowEmergency": Form("EmergencyAllowance", "patient", Power.GRANT),
        "append": Form("Append", "account", Power.ANCHOR),
        "approve": Form("Approval", "member", Power.GOVERN),
        "withdraw": Form("Withdrawal", "member", Power.GOVERN),
    }
)
"""Every action, by the name of its function."""

# Where a parameter has another name than the field that is signed.
_PARAMETER_OF: Final = {"delegate": "delegatee", "motionId": "id", "signer": "by"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that one key does for an account. Make it with the functions beside this class.

    Attributes:
        function: which of `FORMS`.
        typed: what `by` signs; its digest is the id of a consent or an emergency.
        by: the key that acts: the account's controller or a delegate.
        unsigned: arguments of the function that are not part of what is signed.
    """

    function: str
    typed: TypedData
    by: Address
    unsigned: Mapping[str, Any] = field(default_factory=dict)

    @property
    def account(self) -> Address:
        """The account that acts."""
        return address(str(self.typed.message[FORMS[self.function].account]))

    @property
    def power(self) -> Power | None:
        """What a delegate needs; None where only the controller may."""
        return FORMS[self.function].power

    @property
    def digest(self) -> Digest:
        """The 32 bytes that are signed."""
        return self.typed.digest()

    def invocation(self, signature: bytes = b"") -> Invocation:
        """The call that does it.

        Args:
            signature: of `by`; empty where `by` itself sends the transaction.
        """
        contract, domain = FORMS[self.function].contract, self.typed.domain
        known = self._arguments(signature)
        return Invocation(
            contract=contract,
            at=AccountId(chain_id=domain.chain_id, address=domain.contract),
            function=self.function,
            arguments=MappingProxyType(
                {
                    parameter["name"]: _bind(parameter, known)
                    for parameter in parameters(contract, self.function)
                }
            ),
        )

    def _arguments(self, signature: bytes) -> dict[str, Any]:
        message = self.typed.message
        renamed = {new: message[old] for old, new in _PARAMETER_OF.items() if old in message}
        return {**message, **renamed, "by": self.by, "signature": signature, **self.unsigned}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAction:
    """An action and the signature that lets anybody send it.

    Attributes:
        action: what is done.
        signature: of its `by`: of a key, or as the contract wallet `by` wants it.
    """

    action: Action
    signature: bytes

    @property
    def invocation(self) -> Invocation:
        """The call that does it."""
        return self.action.invocation(self.signature)

    def check_signature(self) -> None:
        """Check that the key `by` made the signature. A contract wallet has no key: ask the chain.

        Raises:
            SignatureMismatch: it is malformed, or by another key.
        """
        signer = recover(self.action.typed, self.signature)
        if signer != self.action.by:
            raise SignatureMismatch(f"signed by {signer}, not by {self.action.by}")

    def to_document(self) -> dict[str, Any]:
        """The JSON form in which it travels to whoever sends it."""
        return self.invocation.to_document()

    @classmethod
    def parse(cls, contracts: Contracts, document: bytes | str | Mapping[str, Any]) -> Self:
        """Read the JSON form of an action on a deployment's contracts.

        What is signed is made anew from the arguments; nothing is taken on trust. Whether the
        signature is good, `check_signature` or the chain says.

        Raises:
            InvalidDocument: it is anything else than `to_document` writes, an action on another
                deployment, or without a signature.
        """
        invocation = Invocation.parse(contracts, document)
        form = FORMS.get(invocation.function)
        if form is None:
            raise InvalidDocument(f"{invocation.function} is nothing that an account signs")
        arguments = invocation.arguments
        if not arguments["signature"]:
            raise InvalidDocument(f"{invocation.function} comes without a signature")
        signed = {
            name: value
            for struct in arguments.values()
            if isinstance(struct, Mapping)
            for name, value in struct.items()
        } | dict(arguments)
        message = {
            name: signed[name if name in signed else _PARAMETER_OF[name]]
            for _, name in ACTIONS[form.structure]
        }
        action = Action(
            function=invocation.function,
            typed=typed(contracts.domain(form.contract), form.structure, **message),
            by=arguments["by"],
        )
        known = action._arguments(b"")
        unsigned = {
            parameter["name"]: arguments[parameter["name"]]
            for parameter in parameters(form.contract, invocation.function)
            if not _is_bound(parameter, known)
        }
        action = Action(
            function=action.function, typed=action.typed, by=action.by, unsigned=unsigned
        )
        return cls(action=action, signature=arguments["signature"])


def act(
    contracts: Contracts,
    function: str,
    by: Address | None,
    *,
    unsigned: Mapping[str, Any] | None = None,
    **message: Any,
) -> Action:
    """Make one action.

    Args:
        contracts: where it is done.
        function: which of `FORMS`.
        by: the key that acts; the account itself unless given.
        unsigned: arguments of the function that are not part of what is signed.
        **message: what is signed, by the names of its structure; times as `datetime`.

    Raises:
        InvalidInput: something is out of its range.
    """
    form = FORMS[function]
    plain = {
        name: seconds(value) if isinstance(value, datetime) else value
        for name, value in message.items()
    }
    message_typed = typed(contracts.domain(form.contract), form.structure, **plain)
    return Action(
        function=function,
        typed=message_typed,
        by=by or message[form.account],
        unsigned=unsigned or {},
    )


def signed(action: Action, signer: Signer) -> SignedAction:
    """Sign an action, so that anybody may send it.

    Raises:
        InvalidInput: the signer is not the key that acts.
    """
    if signer.address != action.by:
        raise InvalidInput(f"{action.by} does this, so {signer.address} cannot sign it")
    return SignedAction(action=action, signature=signer.sign(action.typed))


@overload
def submit(
    sender: Sender,
    action: Action | SignedAction | Invocation,
    *,
    wait: Literal[True] = True,
    purpose: str | None = None,
) -> Receipt: ...
@overload
def submit(
    sender: Sender,
    action: Action | SignedAction | Invocation,
    *,
    wait: Literal[False],
    purpose: str | None = None,
) -> Pending: ...


def submit(
    sender: Sender,
    action: Action | SignedAction | Invocation,
    *,
    wait: bool = True,
    purpose: str | None = None,
) -> Receipt | Pending:
    """Send an action to the chain.

    Args:
        sender: who pays: anybody for what is signed or open to all, else the key that acts.
        action: what to do.
        wait: whether to wait until it is mined.
        purpose: what it is for, where doing that twice would matter; see `Sender.send`.

    Raises:
        InvalidInput: the action is not signed, and the sender is not the key that acts.
        ContractReverted: a contract refuses; see `reverts`.
        TransportError, StoreFailed: as `Sender.send`.
    """
    if isinstance(action, Action):
        if sender.address != action.by:
            raise InvalidInput(f"{action.by} does this: let it sign, or send it from that key")
        invocation = action.invocation()
    else:
        invocation = action if isinstance(action, Invocation) else action.invocation
    call = invocation.bind(sender.network.web3)
    return sender.send(call, wait=wait, purpose=purpose)


def _is_bound(parameter: Parameter, known: Mapping[str, Any]) -> bool:
    parts = parameter.get("components", ())
    return parameter["name"] in known or (
        bool(parts) and all(part["name"] in known for part in parts)
    )


def _bind(parameter: Parameter, known: Mapping[str, Any]) -> Any:
    if parameter["name"] in known:
        return known[parameter["name"]]
    return {part["name"]: known[part["name"]] for part in parameter["components"]}
