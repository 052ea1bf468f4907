"""Whose a record is, for clients that name a patient or a record by its id alone.

An id means something only to whoever is that patient, or holds or held a consent or an emergency
of one of its accounts. To everybody else every id is alike, those of nobody and nothing included:
what is found here is none of their accounts, and what they are answered is made from that alone.
"""

from sqlalchemy import Engine, Select, select

from medaccord.core.errors import AccessRefused
from medaccord.core.identifiers import Address, address
from medaccord.gatekeeper.foundation import Foundation
from medaccord.gatekeeper.tokens import Session
from medaccord.ledger import Ledger
from medaccord.records import Owner
from medaccord.store import reading
from medaccord.store.tables import patient_account, record_version


class Whose:
    """Finds the accounts that an id stands for, to one asker."""

    def __init__(self, base: Foundation) -> None:
        self._engine: Engine = base.engine
        self._ledger: Ledger = base.ledger
        self._accounts = base.accounts
        self._names = base.names

    def is_patient(self, session: Session) -> bool:
        """Whether the asker stands for a patient of the steward itself."""
        try:
            self._accounts.owner_of(session.account)
        except AccessRefused:
            return False
        return True

    def patient(self, session: Session, patient_id: str) -> tuple[Address, ...]:
        """The accounts of a patient by its ``Patient.id``, the newest first; none if none means it.

        Args:
            session: who asks.
            patient_id: the id, without its type.
        """
        owner = self._names.patient(patient_id)
        wanted = select(patient_account.c.account).where(patient_account.c.patient_ref == owner)
        return self._known(session, wanted)

    def record(self, session: Session, name: str) -> tuple[Address, ...]:
        """The accounts of every patient that has a record of a name; likewise.

        Args:
            session: who asks.
            name: ``Type/id``; several patients may have one of the same name.
        """
        key = self._names.record(name)
        owners = select(record_version.c.owner).where(record_version.c.record == key).distinct()
        wanted = select(patient_account.c.account).where(patient_account.c.patient_ref.in_(owners))
        return self._known(session, wanted)

    def owner(self, account: Address) -> Owner:
        """The patient an account stands for.

        Raises:
            AccessRefused: UNKNOWN_PATIENT.
        """
        return self._accounts.owner_of(account)

    def is_of(self, account: Address, patient_id: str) -> bool:
        """Whether an account stands for the patient with this ``Patient.id``."""
        return self.owner(account) == self._names.patient(patient_id)

    def _known(self, session: Session, wanted: Select[str]) -> tuple[Address, ...]:
        newest = wanted.order_by(patient_account.c.enrolled_at.desc(), patient_account.c.account)
        with reading(self._engine) as connection:
            accounts = [address(each) for each in connection.execute(newest).scalars()]
        return tuple(each for each in accounts if self._is_known(session.account, each))

    def _is_known(self, asker: Address, patient: Address) -> bool:
        return (
            asker == patient
            or any(
                each.grant is not None and each.grant.grantee == asker
                for each in self._ledger.consents_of(patient)
            )
            or any(each.grantee == asker for each in self._ledger.emergencies_of(patient))
        )
