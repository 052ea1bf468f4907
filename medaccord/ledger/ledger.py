"""The ledger: what a gatekeeper knows of the chain, and how far it can be relied on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from medaccord.chain.deployment import Contracts
from medaccord.chain.events import EmergencyOpened
from medaccord.chain.network import Network
from medaccord.chain.powers import Power
from medaccord.core.anchors import Anchor
from medaccord.core.blocks import BlockRef
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.errors import AccessRefused
from medaccord.core.facts import EmergencyState, Facts, Freshness, OrganisationState, Pair, Query
from medaccord.core.identifiers import ZERO_DIGEST, Address, ConsentId, Digest
from medaccord.core.refusals import Refusal
from medaccord.core.terms import Terms
from medaccord.ledger.facts import Conjunction
from medaccord.ledger.follower import Follower, TakenIn, Views
from medaccord.ledger.pending import (
    Overlay,
    PendingRestrictions,
    Restriction,
    check_number,
    ended_by,
    is_shown,
)
from medaccord.ledger.state import Consent, Organisation, Relationship

__all__ = ["Ledger"]


class Ledger:
    """The local copy of the chain that decisions are made from.

    Any number of threads may share it. Permits count once they are final, restrictions from the
    first block they are seen in, or from the moment they are held here.
    """

    def __init__(
        self,
        network: Network,
        contracts: Contracts,
        engine: Engine,
        *,
        taken_in: TakenIn | None = None,
    ) -> None:
        """Take up where the database left off; `sync` asks the chain, and tells `taken_in`.

        Raises:
            DeploymentMismatch: the database holds the ledger of another chain or deployment.
            TransportError: the node does not answer.
        """
        self._network = network
        self._follower = Follower(network, contracts, engine, taken_in=taken_in)
        self._pending = PendingRestrictions(engine)
        self._taken_back = 0

    # --- Following ---

    def sync(self) -> BlockRef:
        """Take in everything up to the chain's head.

        Returns:
            The block followed to.

        Raises:
            TransportError: the node does not answer, or what it answers cannot be or leaves events
                out, or its chain keeps changing. What was known stands.
            DeploymentMismatch: the node is on another chain now. What was known stands.
            StoreFailed: the database is out of reach, full, or held by somebody else too long.
        """
        tip = self._follower.sync()
        self._settle()
        return tip

    def refresh(self, *, older_than: timedelta = timedelta()) -> None:
        """Take in what is new, unless the node answered a moment ago.

        Args:
            older_than: how long ago the node may have answered; zero asks it always.

        Raises:
            TransportError: as `sync`. What was known stands, and grows old: `facts` says how old.
            DeploymentMismatch: as `sync`.
            StoreFailed: as `sync`.
        """
        with self._follower.views() as views:
            answer = views.answer
        # An answer of a time to come, by a clock that was set back since, counts as no answer.
        if (
            answer is None
            or self._network.clock() < answer.asked_at
            or answer.age(self._network) >= older_than
        ):
            self.sync()

    def rebuild(self) -> BlockRef:
        """Forget the copy and read it again from the chain. What is held here stays held.

        Raises:
            TransportError: as `sync`. Where the node does not answer, nothing is forgotten.
            DeploymentMismatch: as `sync`; nothing is forgotten.
            StoreFailed: as `sync`.
        """
        return self._follower.rebuild()

    @property
    def tip(self) -> BlockRef | None:
        """The block followed to; None before the first sync."""
        with self._follower.views() as views:
            return views.tip

    def knows(self, token: ConsistencyToken) -> bool:
        """Whether what is known is of this block or later, as far as blocks are remembered.

        Of a block without events that was forgotten long ago, its height must do.
        """
        return self._follower.knows(token)

    # --- Deciding ---

    def facts(
        self,
        query: Query,
        *,
        steward: Address,
        terms: Callable[[ConsentId], Terms | None],
        reason_known: Callable[[EmergencyState], bool],
        now: datetime,
        connection: Connection | None = None,
    ) -> Facts:
        """What the chain says that bears on a query.

        Args:
            query: what is asked for.
            steward: whose gatekeeper decides.
            terms: the terms that were handed in for a consent, or None.
            reason_known: whether the reason of an opening was handed in and checks.
            now: the time by our clock.
            connection: a transaction that began after whatever is to be known; what other processes
                hold is looked up in it. One of its own unless given.

        Raises:
            AccessRefused: CHAIN_UNREACHABLE: the node has not answered since this process began.
        """
        found = self.facts_of([query.pair], steward=steward, now=now, connection=connection)
        facts = found[query.pair]
        return replace(
            facts,
            consents=tuple((each, terms(each.consent_id)) for each, _ in facts.consents),
            emergency_reason_known=facts.emergency is not None and reason_known(facts.emergency),
        )

    def facts_of(
        self,
        pairs: Iterable[Pair],
        *,
        everybody_at: Iterable[Address] = (),
        steward: Address,
        now: datetime,
        connection: Connection | None = None,
    ) -> dict[Pair, Facts]:
        """What the chain says of several pairs, all of one moment; nothing counts as handed in.

        Args:
            pairs: who asks, and of whom.
            everybody_at: patients; of each, every organisation that it ever consented to, or that
                opened emergency access, is one of the pairs too.
            steward: whose gatekeeper decides.
            now: the time by our clock.
            connection: as of `facts`.

        Raises:
            AccessRefused: as `facts`.
        """
        with self._now(now, connection) as (views, both):
            freshness = self._freshness(views)
            nobody = OrganisationState(account=steward, admitted=False, active=False, roles=0)
            steward_state = both.organisation(steward) or nobody
            wanted = {pair: None for pair in pairs}
            for patient in everybody_at:
                wanted |= {
                    Pair(requester=each, patient=patient): None for each in both.grantees(patient)
                }
            return {
                pair: Facts(
                    steward=steward,
                    steward_state=steward_state,
                    requester_state=both.organisation(pair.requester),
                    relationship_active=both.is_relationship_active(pair.patient, steward),
                    consents=tuple(
                        (each, None) for each in both.consents(pair.patient, pair.requester)
                    ),
                    emergency=both.emergency(pair.patient, pair.requester),
                    emergency_reason_known=False,
                    freshness=freshness,
                )
                for pair in wanted
            }

    def freshness(self) -> Freshness:
        """How far what is known can be relied on.

        Raises:
            AccessRefused: as `facts`.
        """
        with self._follower.views() as views:
            return self._freshness(views)

    def is_authorised(
        self,
        account: Address,
        by: Address,
        power: Power,
        *,
        now: datetime,
        connection: Connection | None = None,
    ) -> bool:
        """Whether a key may use every bit of `power` of an account.

        For RESTRICT alone it is enough that it may at the head; everything else must be final too.
        `now` and `connection` are as of `facts`.
        """
        with self._now(now, connection) as (_, both):
            return both.is_authorised(account, by, power)

    def allows_emergency(self, patient: Address, grantee: Address, *, now: datetime) -> bool:
        """Whether a patient has neither forbidden emergency access nor barred this organisation."""
        with self._now(now) as (_, both):
            return both.allows_emergency(patient, grantee)

    # --- Restrictions held until the chain shows them ---

    def hold(self, restriction: Restriction) -> None:
        """Obey a restriction from now on, durably, whatever becomes of its transaction.

        Args:
            restriction: its signature checked, and `is_authorised` for RESTRICT.

        Raises:
            InvalidRequest: it revokes everything of an epoch that the account has not reached, or
                its serial is outdated by a later word of the patient, or further ahead than the
                chain ever takes.
        """
        with self._follower.views() as views:
            check_number(restriction, views.newest)
            ended = ended_by(restriction, views.newest)
        self._pending.hold((restriction, *ended), at=self._network.clock())

    def held(self) -> tuple[Restriction, ...]:
        """Restrictions held that the chain does not show as final yet, oldest first."""
        return tuple(each for each in self._pending.held().values() if each.document)

    # --- Looking up, at the head ---

    def organisation(self, account: Address) -> Organisation | None:
        """An organisation with its key and the hash of its profile; None where it is none."""
        with self._follower.views() as views:
            return views.newest.organisations.get(account)

    def standing(self, account: Address, *, now: datetime) -> OrganisationState | None:
        """An organisation's standing as decisions take it; None where it was never admitted."""
        with self._follower.views() as views:
            # Nothing that is held here is about organisations.
            return self._both(views, Overlay(), now).organisation(account)

    def profiles_in_force(self, account: Address) -> tuple[Digest, ...]:
        """Hashes of the profiles an organisation speaks by: at the head, and where it is final.

        What both profiles say counts. There is none of an account that was never admitted, or whose
        recovery is pending: who speaks for it is in dispute.
        """
        with self._follower.views() as views:
            both = (views.newest, views.final)
            held = [state.organisations.get(account) for state in both]
            if any(state.control(account).incoming for state in both):
                return ()
            return tuple(each.profile for each in held if each is not None) if all(held) else ()

    def controller(self, account: Address) -> Address:
        """The key or wallet that acts for an account."""
        with self._follower.views() as views:
            return views.newest.control(account).controller

    def incoming(self, account: Address) -> Address | None:
        """The key that a recovery which runs will hand an account to; None where none runs."""
        with self._follower.views() as views:
            return views.newest.control(account).incoming

    def relationship(self, patient: Address, steward: Address) -> Relationship:
        """Where a relationship stands; state NONE where there never was one."""
        with self._follower.views() as views:
            return views.newest.relationships.get((patient, steward)) or Relationship()

    def consent(self, patient: Address, consent_id: ConsentId) -> Consent | None:
        """A consent by its id; None where it was neither granted nor revoked."""
        with self._follower.views() as views:
            return views.newest.consents.get((patient, consent_id))

    def consents_of(self, patient: Address) -> tuple[Consent, ...]:
        """Every consent that a patient granted or revoked, oldest first."""
        with self._follower.views() as views:
            ids = views.newest.consents_by_patient.get(patient)
            found = (views.newest.consents.get((patient, each)) for each in ids)
            return tuple(each for each in found if each is not None)

    def emergencies_of(self, patient: Address) -> tuple[EmergencyOpened, ...]:
        """Every opening of emergency access to a patient's records, oldest first."""
        with self._follower.views() as views:
            return views.newest.openings.get(patient)

    def head_of(self, account: Address, topic: Digest) -> Digest:
        """The head of a stream, which the next append names; zero before the first."""
        with self._follower.views() as views:
            last = views.newest.streams.last((account, topic))
            return ZERO_DIGEST if last is None else last.head

    def anchors(self, account: Address, topic: Digest) -> tuple[Anchor, ...]:
        """Everything appended to a stream, oldest first."""
        with self._follower.views() as views:
            return views.newest.streams.get((account, topic))

    # --- Looking up, where it is final ---

    def anchor_of(self, account: Address, topic: Digest, root: Digest) -> Anchor | None:
        """The append of a root to a stream, once it is final; None before, and where it never was.

        Of a root that was appended more than once, the first.
        """
        with self._follower.views() as views:
            return views.final.roots.get((account, topic, root))

    def newest_anchor(self, account: Address, topic: Digest) -> Anchor | None:
        """The last append to a stream that is final; None where there is none."""
        with self._follower.views() as views:
            return views.final.streams.last((account, topic))

    # --- Inside ---

    @contextmanager
    def _now(
        self, now: datetime, connection: Connection | None = None
    ) -> Iterator[tuple[Views, Conjunction]]:
        with self._follower.views() as views:
            final = self._height_of_final(views)
        # Not while the views are held still: others decide meanwhile.
        overlay = self._pending.overlay(final, connection)
        with self._follower.views() as views:
            yield views, self._both(views, overlay, now)

    def _both(self, views: Views, overlay: Overlay, now: datetime) -> Conjunction:
        head = now if views.tip is None else views.tip.timestamp
        return Conjunction.at(views.newest, views.final, overlay, now=now, head=head)

    def _settle(self) -> None:
        """Let go of restrictions that are final now, and hold again those that are no more."""
        held = self._pending.held()
        with self._follower.views() as views:
            taken_back = views.taken_back
            height = self._height_of_final(views)
            shown = [key for key, each in held.items() if is_shown(each, views.final)]
        self._pending.settle(shown, shown_at=height, at=self._network.clock())
        if taken_back == self._taken_back:
            return
        settled = self._pending.settled()
        with self._follower.views() as views:
            lost = [key for key, each in settled.items() if not is_shown(each, views.final)]
        self._pending.reopen(lost)
        self._taken_back = taken_back

    def _height_of_final(self, views: Views) -> int:
        return -1 if views.tip is None else views.tip.number - self._network.confirmations

    def _freshness(self, views: Views) -> Freshness:
        if views.tip is None or views.answer is None:
            raise AccessRefused(
                Refusal.CHAIN_UNREACHABLE,
                "The chain has not answered since this gatekeeper was started.",
            )
        return Freshness(
            answered_at=views.answer.asked_at,
            silence=views.answer.age(self._network),
            head=views.tip,
            # A node that knows less than we do has fallen behind the chain, and hides what is new.
            behind=abs(views.answer.head.number - views.tip.number),
            age_counts=self._network.block_period is not None,
        )
