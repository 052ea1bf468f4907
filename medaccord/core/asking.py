"""Who may ask what is allowed: decided as access itself is, by a pure function.

Checks release nothing, but they tell of consents, which are about somebody. So:

1. The patient, and whoever acts for its account, may ask about itself and anybody.
2. An admitted organisation may ask about itself, of any patient; a suspended one too, since it is
   told nothing then but that it is suspended.
3. Nobody else may ask: MAY_NOT_ASK.

What is refused depends on who asks and about whom alone, never on the patient: it does not tell
whether the patient is known here. Nor does what somebody is told who was never given access.
"""

from medaccord.core.errors import AccessRefused
from medaccord.core.facts import Facts, OrganisationState
from medaccord.core.identifiers import Address
from medaccord.core.refusals import Refusal

__all__ = ["may_ask", "told"]


def may_ask(
    asker: Address,
    *,
    patient: Address,
    about: Address | None,
    standing: OrganisationState | None,
) -> None:
    """Check that somebody may ask what is allowed.

    Args:
        asker: the account acted for; sign-in has shown that the key may act for it.
        patient: of whose records it is asked.
        about: whose access is asked about; None where everybody's is.
        standing: the asker's own standing as an organisation; None where it was never admitted.

    Raises:
        AccessRefused: MAY_NOT_ASK.
    """
    if asker == patient:
        return
    is_organisation = standing is not None and standing.account == asker and standing.admitted
    if about == asker and is_organisation:
        return
    raise AccessRefused(
        Refusal.MAY_NOT_ASK,
        "A patient may ask who can read their own records, an admitted organisation what it can "
        "read itself; nobody may ask for others.",
    )


def told(refusal: AccessRefused, facts: Facts) -> AccessRefused:
    """What an asker is told of a decision that was no.

    Whoever was never given access is told NO_CONSENT, also where the patient has no relationship
    with the steward: which accounts are its patients is not theirs to try out.

    Args:
        refusal: what was decided.
        facts: what it was decided from.
    """
    is_concerned = bool(facts.consents) or facts.emergency is not None
    if refusal.reason is Refusal.NO_RELATIONSHIP and not is_concerned:
        return AccessRefused(Refusal.NO_CONSENT, "The patient has not consented to this.")
    return refusal
