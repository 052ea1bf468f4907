"""Having an account's signed actions sent by a gatekeeper, which pays for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medaccord.chain import actions
from medaccord.chain.actions import Action
from medaccord.client.gatekeeper_api import GatekeeperApi, reading_answer
from medaccord.core.documents import DocumentReader
from medaccord.core.identifiers import Digest
from medaccord.keys.signer import Signer

_BLOCK = ("number", "hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed:
    """What a gatekeeper did with a signed action.

    Attributes:
        action: What was signed.
        transaction: Hash of the transaction; None where the gatekeeper obeys the action but could
            not send it yet.
        block: Number of the block it stands in; None while it is not mined.
        gas_used: Gas that the gatekeeper paid for; None while it is not mined.
        obeyed: Whether the gatekeeper acts on it from now on, mined or not.
    """

    action: Action
    transaction: Digest | None
    block: int | None
    gas_used: int | None
    obeyed: bool


def relay(
    api: GatekeeperApi,
    action: Action,
    signer: Signer,
    *,
    terms: Mapping[str, Any] | None = None,
    wait: bool = True,
) -> Relayed:
    """Sign an action and have a gatekeeper send it.

    Args:
        api: The gatekeeper.
        action: What to do; its ``by`` is the signer.
        signer: The account's controller or a delegate.
        terms: With a consent, the document of its terms.
        wait: Whether to wait until it is mined; a gatekeeper where many wait answers before.

    Raises:
        InvalidInput: The signer is not the key that acts.
        ContractReverted: A contract refuses.
        AccessRefused: The gatekeeper relays nothing for this account.
        TransportError: The gatekeeper or its node does not answer, or badly.
    """
    body: dict[str, Any] = {"action": actions.signed(action, signer).to_document()}
    if terms is not None:
        body["terms"] = dict(terms)
    answer = api.post("/relay", body, parameters={"wait": str(wait).lower()})
    with reading_answer(api.url):
        reader = DocumentReader(
            answer,
            what="the answer",
            required=("transaction", "block", "gasUsed", "obeyed"),
            optional=answer,
        )
        block = None
        if not reader.null("block"):
            block = reader.object("block", required=_BLOCK, optional=reader.mapping("block"))
        return Relayed(
            action=action,
            transaction=None if reader.null("transaction") else reader.digest("transaction"),
            block=None if block is None else block.integer("number"),
            gas_used=None if reader.null("gasUsed") else reader.integer("gasUsed"),
            obeyed=reader.boolean("obeyed"),
        )
