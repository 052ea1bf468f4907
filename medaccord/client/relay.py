"""Having what an account signs sent: by a gatekeeper, which pays for it, or by a sender."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from medaccord.chain import actions
from medaccord.chain.actions import Action, Invocation, SignedAction
from medaccord.chain.deployment import Contracts
from medaccord.chain.sender import Sender
from medaccord.client.action_receipts import ActionReceipt, SentByAnother, SentBySelf
from medaccord.client.effects import Effect
from medaccord.client.gatekeeper_api import GatekeeperApi, reading_answer
from medaccord.core.documents import DocumentReader
from medaccord.core.identifiers import Digest
from medaccord.keys.signer import Signer

BLOCK_WAIT: Final = timedelta(seconds=150)
"""How long an answer may take that waits for a block: gatekeepers wait for two minutes."""


def relay(
    api: GatekeeperApi,
    contracts: Contracts,
    action: Action,
    signer: Signer,
    *,
    terms: Mapping[str, Any] | None = None,
    wait: bool = True,
) -> ActionReceipt:
    """Sign an action, have a gatekeeper send it, and look on the chain for what it did.

    Args:
        api: The gatekeeper.
        contracts: Where it is done.
        action: What to do; its ``by`` is the signer.
        signer: The account's controller or a delegate.
        terms: With a consent, the document of its terms.
        wait: Whether to wait until it is mined. A gatekeeper where many wait answers before; then
            it is waited for at the node.

    Raises:
        InvalidInput: The signer is not the key that acts.
        ContractReverted: A contract refuses.
        AccessRefused: The gatekeeper relays nothing for this account.
        TransportError: The gatekeeper or its node does not answer, or badly; or it was not mined
            in time, and may be later.
    """
    body: dict[str, Any] = {"action": actions.signed(action, signer).to_document()}
    if terms is not None:
        body["terms"] = dict(terms)
    since = contracts.network.head().number
    parameters = {"wait": str(wait).lower()}
    answer = api.post("/relay", body, parameters=parameters, patience=BLOCK_WAIT)
    with reading_answer(api.url):
        reader = DocumentReader(
            answer, what="the answer", required=("transaction", "obeyed"), optional=answer
        )
        transaction = None if reader.null("transaction") else reader.digest("transaction")
        obeyed = reader.boolean("obeyed")
    receipt = handed_in(
        contracts, action.digest, Effect.of(action), transaction, since=since, obeyed=obeyed
    )
    return receipt.wait() if wait else receipt


def handed_in(
    contracts: Contracts,
    id: Digest,
    effect: Effect,
    transaction: Digest | None,
    *,
    since: int,
    obeyed: bool,
) -> ActionReceipt:
    """The receipt of what a gatekeeper took, and says that it sends.

    Args:
        contracts: Where it is done.
        id: See `ActionReceipt`.
        effect: What the chain shows once it is done.
        transaction: Hash that the gatekeeper named.
        since: Number of the first block that may show it.
        obeyed: Whether the gatekeeper acts on it already.
    """
    outcome = SentByAnother(
        contracts=contracts, effect=effect, transaction=transaction, since=since, obeyed=obeyed
    )
    return ActionReceipt(id=id, transaction=transaction, obeyed=obeyed, _outcome=outcome)


def send(
    sender: Sender, signed: SignedAction | Invocation, *, id: Digest, wait: bool = True
) -> ActionReceipt:
    """Send what was signed, or what anybody may do, and pay for it.

    Args:
        sender: Pays.
        signed: What to do.
        id: See `ActionReceipt`.
        wait: Whether to wait until it is mined.

    Raises:
        ContractReverted: A contract refuses.
        TransportError: The node does not answer, or it was not mined in time and may be later.
    """
    pending = actions.submit(sender, signed, wait=False)
    receipt = ActionReceipt(
        id=id, transaction=pending.transaction, _outcome=SentBySelf(pending=pending)
    )
    return receipt.wait() if wait else receipt
