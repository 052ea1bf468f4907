"""Facts for one decision: permits where they are final, restrictions from first sight."""

from dataclasses import dataclass
from datetime import datetime

from medaccord.chain.powers import Power, Role
from medaccord.chain.values import moment, seconds
from medaccord.core.facts import ConsentState, EmergencyState, OrganisationState
from medaccord.core.identifiers import Address
from medaccord.ledger.pending import Overlay
from medaccord.ledger.projection import Projection
from medaccord.ledger.state import Consent, Emergency
from medaccord.ledger.views import (
    is_active_organisation,
    is_authorised,
    is_emergency_standing,
    is_in_control,
    is_relationship_active,
)

__all__ = ["Conjunction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conjunction:
    """What holds in both views of the chain, with what is restricted already.

    Attributes:
        newest: the state at the head.
        final: the state where it is final.
        overlay: restrictions that were signed and are not on the chain yet.
        earlier: Unix second that a start is checked against: the earlier of clock and head.
        later: Unix second that an end is checked against: the later of the two.
    """

    newest: Projection
    final: Projection
    overlay: Overlay
    earlier: int
    later: int

    @classmethod
    def at(
        cls,
        newest: Projection,
        final: Projection,
        overlay: Overlay,
        *,
        now: datetime,
        head: datetime,
    ) -> "Conjunction":
        """What holds now, by the clock and by the head's time."""
        times = sorted((seconds(now), seconds(head)))
        return cls(newest=newest, final=final, overlay=overlay, earlier=times[0], later=times[1])

    def is_authorised(self, account: Address, by: Address, power: Power) -> bool:
        """Whether a key may use every bit of `power` of an account.

        To restrict, it is enough that it may at the head; for everything else it must be final too.
        """
        views = (self.newest,) if power is Power.RESTRICT else (self.newest, self.final)
        return all(self._is_authorised(state, account, by, power) for state in views)

    def _is_authorised(
        self, state: Projection, account: Address, by: Address, power: Power
    ) -> bool:
        if self.overlay.ends_epoch(account, state.control(account).epoch):
            return is_in_control(state, account, by, power)  # delegations ended with the epoch
        return is_authorised(state, account, by, power, at=self.later)

    def organisation(self, account: Address) -> OrganisationState | None:
        """The standing of an organisation; None where it was never admitted."""
        views = (self.newest, self.final)
        held = [state.organisations.get(account) for state in views]
        roles = ~0
        for organisation in held:
            if organisation is None:
                return None
            roles &= organisation.roles
            if self.earlier < organisation.emergency_from:
                roles &= ~Role.EMERGENCY
        return OrganisationState(
            account=account,
            admitted=True,
            active=all(is_active_organisation(state, account) for state in views),
            roles=roles,
        )

    def is_relationship_active(self, patient: Address, steward: Address) -> bool:
        """Whether patient and steward have an active relationship."""
        views = (self.newest, self.final)
        return all(is_relationship_active(state, patient, steward) for state in views)

    def grantees(self, patient: Address) -> tuple[Address, ...]:
        """Every organisation that a patient ever consented to, or that opened emergency access."""
        ids = self.newest.consents_by_patient.get(patient)
        consents = (self.newest.consents.get((patient, each)) for each in ids)
        found = {each.grant.grantee for each in consents if each is not None and each.grant}
        found |= {opened.grantee for opened in self.newest.openings.get(patient)}
        return tuple(sorted(found))

    def consents(self, patient: Address, grantee: Address) -> tuple[ConsentState, ...]:
        """Every consent that a patient ever granted to an organisation, oldest first."""
        ids = self.newest.consents_by_pair.get((patient, grantee))
        found = (self.newest.consents.get((patient, consent_id)) for consent_id in ids)
        return tuple(self._consent(each) for each in found if each is not None and each.grant)

    def _consent(self, consent: Consent) -> ConsentState:
        patient, consent_id, grant = consent.patient, consent.consent_id, consent.grant
        assert grant is not None  # asked for granted ones alone
        final = self.final.consents.get((patient, consent_id))
        epochs = {self.newest.control(patient).epoch, self.final.control(patient).epoch}
        return ConsentState(
            consent_id=consent_id,
            patient=patient,
            grantee=grant.grantee,
            terms_commitment=grant.terms,
            valid_from=moment(grant.valid_from),
            valid_until=moment(grant.valid_until),
            granted=final is not None and final.grant is not None,
            revoked=consent.revoked is not None or self.overlay.revokes(patient, consent_id),
            epoch_current=epochs == {grant.epoch}
            and not self.overlay.ends_epoch(patient, grant.epoch),
        )

    def emergency(self, patient: Address, grantee: Address) -> EmergencyState | None:
        """The last emergency access that an organisation opened; None where there was none."""
        newest = self.newest.emergency(patient, grantee)
        final = self.final.emergency(patient, grantee)
        if newest.emergency_id is None or newest.reason is None:
            return None
        is_open = (
            newest.emergency_id == final.emergency_id
            and self._is_standing(self.newest, patient, newest)
            and self._is_standing(self.final, patient, final)
            and not self.overlay.ends_emergency(self.newest, patient, grantee, newest.emergency_id)
        )
        return EmergencyState(
            emergency_id=newest.emergency_id,
            patient=patient,
            grantee=grantee,
            reason=newest.reason,
            opened_at=moment(newest.opened_at),
            valid_until=moment(newest.valid_until),
            open=is_open,
        )

    def allows_emergency(self, patient: Address, grantee: Address) -> bool:
        """Whether a patient has neither forbidden emergency access nor barred an organisation."""
        is_barred = any(
            state.ban(patient).forbidden or state.emergency(patient, grantee).barred
            for state in (self.newest, self.final)
        )
        return not is_barred and not self.overlay.bars(self.newest, patient, grantee)

    def _is_standing(self, state: Projection, patient: Address, emergency: Emergency) -> bool:
        return is_emergency_standing(state, patient, emergency) and not self.overlay.ends_epoch(
            patient, emergency.epoch
        )
