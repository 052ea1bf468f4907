"""Relaying: a patient signs, the steward sends and pays; and what restricts is obeyed at once.

A revocation, a revoke-all, a closure or a ban that is validly signed is kept and obeyed before it
is sent. Neither a chain out of reach nor an empty purse, a slow miner or a limit holds it up; it is
sent again until the chain shows it. What is sent is for this steward's patients alone, and only
so much a day (`relay_limits`): nobody else can make the steward pay.
"""

import json
import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import JSONResponse

from medaccord.chain import actions
from medaccord.chain.actions import SignedAction
from medaccord.chain.powers import Power
from medaccord.core.blocks import BlockRef
from medaccord.core.errors import (
    AccessRefused,
    CommitmentMismatch,
    ContractReverted,
    InvalidRequest,
    MedaccordError,
    StoreFailed,
    TransportError,
)
from medaccord.core.identifiers import Address, Digest, hex_digest
from medaccord.core.terms import Terms
from medaccord.gatekeeper.errors import TooManyRequests
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.openapi import Tag, refusals
from medaccord.gatekeeper.openings import Openings
from medaccord.gatekeeper.relay_limits import RelayLimits
from medaccord.gatekeeper.wire import Block, Form, block_document
from medaccord.ledger import RelationshipState, Restriction

RESTRICTING: Final = frozenset({"Revocation", "RevokeAll", "EmergencyClosure", "EmergencyBan"})
"""What is obeyed before it is sent, whoever hands it in."""

RELAYED: Final = RESTRICTING | {
    "Acceptance",
    "Decline",
    "Ending",
    "Consent",
    "EmergencyAllowance",
    "Rotation",
    "Delegation",
    "Undelegation",
    "GuardiansChange",
}
"""Everything that is relayed, and for this steward's patients alone."""

_RELATIONSHIP: Final = frozenset({"Acceptance", "Decline", "Ending"})

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed:
    """What became of an action.

    Attributes:
        transaction: hash of the transaction; None where it is obeyed here but could not be sent
            yet, and will be.
        block: the block it stands in; None while it is not mined.
        gas_used: gas it cost; None while it is not mined.
        obeyed: whether this gatekeeper acts on it from now on, mined or not.
    """

    transaction: Digest | None
    block: BlockRef | None
    gas_used: int | None
    obeyed: bool


class Relay:
    """Sends the signed actions of patients."""

    def __init__(self, base: Foundation, *, openings: Openings) -> None:
        self._steward = base.steward
        self._contracts = base.contracts
        self._ledger = base.ledger
        self._standing = base.standing
        self._accounts = base.accounts
        self._openings = openings
        self._sender = base.sender
        self._waits = base.waits
        self._limits = RelayLimits(base)
        self._relayed = base.metrics.relayed

    def take(
        self, document: Mapping[str, Any], terms: Mapping[str, Any] | None, *, wait: bool
    ) -> Relayed:
        """Send a signed action.

        Args:
            document: the action, as `SignedAction.to_document` writes it.
            terms: with a consent, the opening of its commitment, to be kept for decisions.
            wait: whether to wait until it is mined, where there is a place to (`BlockWaits`).

        Raises:
            InvalidRequest: the action is malformed, not among those relayed, or its relationship
                is with another steward.
            AccessRefused: UNKNOWN_PATIENT, it is about nobody who is or was a patient of ours.
            SignatureMismatch: it is not signed by the key it names.
            CommitmentMismatch: the terms are not those that are consented to.
            ContractReverted: the chain refuses it.
            TooManyRequests: the account has had its share of the day. A restriction is obeyed all
                the same, and sent later.
            TransportError: the chain is out of reach. A restriction is obeyed all the same.
        """
        signed = SignedAction.parse(self._contracts, document)
        relayed = self._take(signed, document, terms, wait=wait)
        outcome = "held" if relayed.transaction is None else "mined" if relayed.block else "sent"
        self._relayed.labels(signed.action.typed.primary_type, outcome).inc()
        return relayed

    def _take(
        self,
        signed: SignedAction,
        document: Mapping[str, Any],
        terms: Mapping[str, Any] | None,
        *,
        wait: bool,
    ) -> Relayed:
        kind = signed.action.typed.primary_type
        if kind not in RELAYED:
            raise InvalidRequest(f"this gatekeeper relays no {kind}: send it yourself")
        if terms is not None and kind != "Consent":
            raise InvalidRequest("terms go with a consent only")
        self._standing.check_typed(signed.action.by, signed.action.typed, signed.signature)
        if kind in RESTRICTING:
            return self._restrict(signed, document, wait=wait)
        if kind == "Ending":
            self._check_concerned(signed.action.account)  # also who was erased here since
        else:
            self._accounts.owner_of(signed.action.account)
        if kind in _RELATIONSHIP and signed.action.typed.message["steward"] != self._steward:
            raise InvalidRequest(f"this is the gatekeeper of {self._steward}: ask the other one")
        if terms is not None:
            # Kept before it is sent: the chain may take a consent whose receipt never arrives.
            opening, consent = _opening(signed, terms), signed.action.digest
            owner = self._accounts.owner_of(signed.action.account)
            self._openings.keep_terms(signed.action.account, owner, consent, opening)
        return self._send(signed, wait=wait, obeyed=False)

    def retry(self) -> None:
        """Send again what is obeyed here but not on the chain yet.

        What the chain refuses stays obeyed: whoever signed it wanted less to be read, not more.
        """
        self._standing.refresh()
        for restriction in self._ledger.held():
            try:
                signed = SignedAction.parse(self._contracts, restriction.document)
                self._send(signed, wait=False, obeyed=True)
            except TooManyRequests:
                continue  # it is obeyed meanwhile
            except (ContractReverted, StoreFailed, TransportError) as error:
                # What the chain refuses, or the node chokes on, must not hold up the others.
                _log.warning(
                    "a restriction that is obeyed here could not be sent: %s", _told(error)
                )

    def _restrict(
        self, signed: SignedAction, document: Mapping[str, Any], *, wait: bool
    ) -> Relayed:
        self._standing.refresh()
        action = signed.action
        self._check_concerned(action.account)
        if not self._standing.authorised(action.account, action.by, Power.RESTRICT):
            return self._send(signed, wait=wait, obeyed=False)  # the chain may know more
        text = json.dumps(document)
        restriction = Restriction.of(action.typed, text)
        assert restriction is not None  # every kind in RESTRICTING is one
        self._ledger.hold(restriction)
        try:
            return self._send(signed, wait=wait, obeyed=True)
        except (StoreFailed, TooManyRequests, TransportError) as error:
            _log.warning("a restriction is obeyed, but could not be sent yet: %s", _told(error))
            return Relayed(transaction=None, block=None, gas_used=None, obeyed=True)

    def _check_concerned(self, account: Address) -> None:
        """Refuse to pay for, and to remember, what nobody here could read anyway.

        Whoever proposes to be a patient here is none: that takes a word of the steward's.
        """
        relationship = self._ledger.relationship(account, self._steward)
        if relationship.state is RelationshipState.ACTIVE:
            return
        if relationship.state is RelationshipState.NONE or relationship.by_patient:
            self._accounts.owner_of(account)

    def _send(self, signed: SignedAction, *, wait: bool, obeyed: bool) -> Relayed:
        action = signed.action
        purpose = f"relay:{hex_digest(action.digest)}"
        if action.typed.primary_type not in RESTRICTING:
            # Whoever signed it: what one key may no longer do, another may. A restriction is sent
            # again anyway, under the newest signature, so that one of it at a time is enough.
            purpose += f":{action.by}"
        with self._spending(signed, purpose):
            pending = actions.submit(self._sender, signed, wait=False, purpose=purpose)
        receipt = self._waits.receipt(action.account, pending) if wait else None
        if receipt is None:
            return Relayed(
                transaction=pending.transaction, block=None, gas_used=None, obeyed=obeyed
            )
        with suppress(
            AccessRefused, StoreFailed
        ):  # it is mined, whether or not the chain answers now
            self._standing.ask_now()  # who is told so finds it so at the next request
        return Relayed(
            transaction=receipt.transaction,
            block=receipt.block,
            gas_used=receipt.gas_used,
            obeyed=obeyed,
        )

    def _spending(self, signed: SignedAction, purpose: str) -> AbstractContextManager[None]:
        """Count what is sent; not what the chain refuses, so far as is known here, unpaid."""
        action = signed.action
        if action.power is None:
            may = action.by == self._ledger.controller(action.account)
        else:
            may = self._standing.authorised(action.account, action.by, action.power)
        return self._limits.spending(action.account, purpose) if may else nullcontext()


class RelayForm(Form):
    """Body of POST /relay."""

    action: dict[str, Any]
    terms: dict[str, Any] | None = None


Wait = Annotated[
    bool,
    Query(
        description="Whether to wait until it is mined. While many wait already, the answer is 202 "
        "at once all the same."
    ),
]


class RelayAnswer(BaseModel):
    """What became of an action: mined in a block, sent, or held to be sent."""

    transaction: str | None
    block: Block | None
    gasUsed: int | None
    obeyed: bool


def routes(relay: Relay) -> APIRouter:
    """POST /relay."""
    router = APIRouter(tags=[Tag.PATIENTS], responses=refusals(422))

    @router.post(
        "/relay",
        summary="Hand in a patient's signed action, which is sent and paid for",
        response_model=RelayAnswer,
        responses={202: {"model": RelayAnswer, "description": "Taken, and not mined yet."}},
    )
    def take(form: RelayForm, wait: Wait = True) -> JSONResponse:
        relayed = relay.take(form.action, form.terms, wait=wait)
        body: dict[str, Any] = {
            "transaction": relayed.transaction and hex_digest(relayed.transaction),
            "block": relayed.block and block_document(relayed.block),
            "gasUsed": relayed.gas_used,
            "obeyed": relayed.obeyed,
        }
        return JSONResponse(body, status_code=202 if relayed.block is None else 200)

    return router


def _told(error: MedaccordError) -> str:
    """Why, without whom it is about: what the chain refuses names accounts, and so do limits."""
    return str(error) if isinstance(error, StoreFailed | TransportError) else type(error).__name__


def _opening(signed: SignedAction, document: Mapping[str, Any]) -> Terms:
    terms = Terms.parse(document)
    if terms.commitment != signed.action.typed.message["terms"]:
        raise CommitmentMismatch("these are not the terms of that consent: send its own")
    return terms
