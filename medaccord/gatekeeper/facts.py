"""What bears on decisions: the chain as the ledger knows it, and what was handed in here."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from medaccord.core.consistency import ConsistencyToken
from medaccord.core.errors import AccessRefused
from medaccord.core.facts import ConsentState, Facts, Freshness, Pair, Query
from medaccord.core.identifiers import Address
from medaccord.core.refusals import Refusal
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.openings import Openings
from medaccord.records import Owner
from medaccord.store import reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The facts about several pairs, all of one moment.

    Attributes:
        facts: by pair. Where the patient is none of the steward's, nothing was handed in.
        owners: which patient each account stands for; without those that stand for nobody here.
        freshness: how far all this can be relied on.
    """

    facts: dict[Pair, Facts]
    owners: dict[Address, Owner]
    freshness: Freshness


class FactsOf:
    """Gathers the facts for decisions."""

    def __init__(self, base: Foundation, openings: Openings) -> None:
        self._steward = base.steward
        self._engine = base.engine
        self._accounts = base.accounts
        self._ledger = base.ledger
        self._standing = base.standing
        self._openings = openings

    def of(
        self, query: Query, *, latest: bool = False, at_least: ConsistencyToken | None = None
    ) -> Facts:
        """The facts for one query.

        Args:
            query: what is asked for.
            latest: whether the chain must be asked this moment, and not merely within the bounds.
            at_least: a block that must be known, or one that came after it.

        Raises:
            AccessRefused: UNKNOWN_PATIENT; CHAIN_UNREACHABLE: it does not answer though it must,
                or has not since the start; LEDGER_BEHIND: that block is not known here.
            InvalidRequest: that block is of another chain.
        """
        self.freshen(latest=latest, at_least=at_least)
        return self.known(query)

    def known(self, query: Query) -> Facts:
        """As `of`, as far as it is known already."""
        gathered = self.gather([query.pair])
        if query.patient not in gathered.owners:
            raise AccessRefused(
                Refusal.UNKNOWN_PATIENT,
                f"{query.patient} is the account of no patient of this steward",
            )
        return gathered.facts[query.pair]

    def freshen(self, *, latest: bool, at_least: ConsistencyToken | None) -> None:
        """Ask the chain for news as far as a question wants it; arguments and errors as of `of`."""
        if latest:
            self._standing.ask_now()
        else:
            self._standing.refresh()
        if at_least is not None:
            self._standing.reach(at_least)

    def gather(
        self, pairs: Iterable[Pair] = (), *, everybody_at: Iterable[Address] = ()
    ) -> Gathered:
        """The facts about several pairs as they are known now, from one state of everything.

        Args:
            pairs: who asks, and of whom.
            everybody_at: patients; of each, whoever was ever given access is one of the pairs.

        Raises:
            AccessRefused: CHAIN_UNREACHABLE: the chain has not answered since the start.
        """
        with reading(self._engine) as connection:
            facts = self._ledger.facts_of(
                pairs,
                everybody_at=everybody_at,
                steward=self._steward,
                now=self._standing.clock(),
                connection=connection,
            )
            known_of = next(iter(facts.values()), None)
            freshness = self._ledger.freshness() if known_of is None else known_of.freshness
            owners = self._accounts.owners_of((each.patient for each in facts), connection)
            # What is revoked or over is refused whatever its terms say: they stay closed.
            terms = self._openings.terms_for(
                connection,
                {
                    consent.consent_id: owners[pair.patient]
                    for pair, known in facts.items()
                    if pair.patient in owners
                    for consent, _ in known.consents
                    if _may_count(consent)
                },
            )
            reasons = self._openings.reasons_for(
                connection,
                {
                    known.emergency.emergency_id: owners[pair.patient]
                    for pair, known in facts.items()
                    if pair.patient in owners and known.emergency is not None
                },
            )
        for pair, known in facts.items():
            emergency = known.emergency
            reason = None if emergency is None else reasons.get(emergency.emergency_id)
            facts[pair] = replace(
                known,
                consents=tuple((each, terms.get(each.consent_id)) for each, _ in known.consents),
                emergency_reason_known=(
                    emergency is not None
                    and reason is not None
                    and reason.commitment == emergency.reason
                ),
            )
        return Gathered(facts=facts, owners=owners, freshness=freshness)


def _may_count(consent: ConsentState) -> bool:
    return consent.granted and not consent.revoked and consent.epoch_current
