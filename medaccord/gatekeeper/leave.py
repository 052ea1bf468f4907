"""Leave to release: what was decided on one question, which may be about several types at once."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from medaccord.core.decision import Basis, Permit, decide
from medaccord.core.descriptor import Descriptor
from medaccord.core.errors import AccessRefused
from medaccord.core.facts import Bounds, Facts, Query
from medaccord.core.identifiers import Digest
from medaccord.core.refusals import Refusal

__all__ = ["Leave"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """The permits for what was asked; what one of them covers may be released.

    Attributes:
        permits: at least one, each for one type and interaction.
        emergency: the emergency access that was open when it was decided; None where none was.
    """

    permits: tuple[Permit, ...]
    emergency: Digest | None

    @classmethod
    def decide(
        cls,
        query: Query,
        facts: Facts,
        *,
        types: Iterable[str],
        interactions: Iterable[str],
        now: datetime,
        bounds: Bounds,
    ) -> Self:
        """Decide on each type and interaction by itself.

        Args:
            query: what is asked, but for type and interaction.
            facts: what bears on it, whatever the type.
            types: at least one type of resource.
            interactions: at least one of "r" and "s".
            now: the time by our clock.
            bounds: how stale the facts may be.

        Raises:
            AccessRefused: none of them is permitted; with the reason for the first.
        """
        permits, first = [], None
        types, wanted = tuple(types), tuple(interactions)
        for kind in types:
            for interaction in wanted:
                asked = replace(query, resource_type=kind, interaction=interaction)
                try:
                    permits.append(decide(asked, facts, now=now, bounds=bounds))
                except AccessRefused as refusal:
                    first = first or refusal
        if not permits:
            assert first is not None  # at least one was asked about
            if len(types) > 1 and first.reason is Refusal.SCOPE_NOT_COVERED:
                raise AccessRefused(
                    first.reason,
                    "No consent covers a type that was asked for.",
                    consent=first.consent,
                )
            raise first
        emergency = facts.emergency
        return cls(
            permits=tuple(permits), emergency=None if emergency is None else emergency.emergency_id
        )

    def covers(self, descriptor: Descriptor) -> bool:
        """Whether a record may be released."""
        return any(permit.covers(descriptor) for permit in self.permits)

    @property
    def basis(self) -> Basis:
        """What it rests on; EMERGENCY wherever an emergency is among it."""
        found = {permit.basis for permit in self.permits}
        return Basis.EMERGENCY if Basis.EMERGENCY in found else self.permits[0].basis

    def rests_on(self, released: Iterable[Descriptor]) -> Digest | None:
        """The consent or the emergency; None for the patient's own way in.

        Args:
            released: what was; of several consents the first counts that covers any of it.
        """
        if self.basis is Basis.EMERGENCY:
            return self.emergency
        covering = (
            grant.consent_id
            for descriptor in released
            for permit in self.permits
            if permit.covers(descriptor)
            for grant in permit.grants
            if grant.covers(descriptor, permit.query.interaction)
        )
        return next(covering, self.permits[0].grants[0].consent_id)
