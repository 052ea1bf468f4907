"""Everything an account can do on the chain: one definition for clients, relays and scripts.

    action = actions.revoke(contracts, patient=patient.address, consent_id=consent_id)
    document = actions.signed(action, patient).to_document()     # the patient, without gas

    action = actions.SignedAction.parse(contracts, document)     # whoever relays it
    receipt = actions.submit(sender, action)

What a constructor does not get told (epoch, nonce, serial, round, head), it reads from the chain.
"""

from medaccord.chain.actions.action import (
    FORMS,
    Action,
    Form,
    SignedAction,
    signed,
    submit,
)
from medaccord.chain.actions.anchors import append
from medaccord.chain.actions.consents import (
    NOBODY,
    allow_emergency,
    close_emergency,
    forbid_emergency,
    grant,
    open_emergency,
    revoke,
)
from medaccord.chain.actions.consortium import Kind, Motion, approve, execute, withdraw
from medaccord.chain.actions.defaults import LIFETIME
from medaccord.chain.actions.invocation import Invocation
from medaccord.chain.actions.recovery import (
    cancel_recovery,
    cancellation,
    complete_recovery,
    recovery_approval,
    set_guardians,
    start_recovery,
)
from medaccord.chain.actions.registry import (
    delegate,
    publish,
    revoke_all,
    rotate,
    undelegate,
)
from medaccord.chain.actions.relationships import Step, accept, decline, end, propose

__all__ = [
    "FORMS",
    "LIFETIME",
    "NOBODY",
    "Action",
    "Form",
    "Invocation",
    "Kind",
    "Motion",
    "SignedAction",
    "Step",
    "accept",
    "allow_emergency",
    "append",
    "approve",
    "cancel_recovery",
    "cancellation",
    "close_emergency",
    "complete_recovery",
    "decline",
    "delegate",
    "end",
    "execute",
    "forbid_emergency",
    "grant",
    "open_emergency",
    "propose",
    "publish",
    "recovery_approval",
    "revoke",
    "revoke_all",
    "rotate",
    "set_guardians",
    "signed",
    "start_recovery",
    "submit",
    "undelegate",
    "withdraw",
]
