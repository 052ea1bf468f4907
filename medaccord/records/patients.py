"""Which account stands for which patient."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, insert, select

from medaccord.core.errors import AccessRefused, InvalidInput, InvalidRequest, KeyMissing
from medaccord.core.identifiers import Address
from medaccord.core.refusals import Refusal
from medaccord.keys import PatientKeys, PublicKey
from medaccord.records.pseudonyms import Owner
from medaccord.store import asked_once, reading, writing
from medaccord.store.tables import patient_account

__all__ = ["PatientAccounts", "accounts_of", "ensure_key"]

_OWNERS: Final = select(patient_account.c.account, patient_account.c.patient_ref).where(
    patient_account.c.account.in_(bindparam("of", expanding=True))
)


class PatientAccounts:
    """The map from accounts to patients, both by pseudonyms."""

    def __init__(self, engine: Engine, keys: PatientKeys) -> None:
        self._engine = engine
        self._keys = keys

    def enrol(self, account: Address, patient: Owner, *, at: datetime) -> None:
        """Let an account stand for a patient, whose key is made if there is none yet.

        Enrolling the same account for the same patient again changes nothing.

        Args:
            account: an account that the patient controls, as its signature has shown.
            patient: the patient's pseudonym.
            at: now.

        Raises:
            InvalidRequest: the account stands for another patient.
        """
        with writing(self._engine) as connection:
            self.enrol_within(connection, account, patient, at=at)

    def enrol_within(
        self, connection: Connection, account: Address, patient: Owner, *, at: datetime
    ) -> None:
        """As `enrol`, within a transaction that writes."""
        # Made in here: an erasure of the patient under way sees the key and the account, or
        # neither.
        ensure_key(self._keys, patient)
        known = self.owners_of((account,), connection).get(account)
        if known is None:
            row = {"account": account, "patient_ref": patient, "enrolled_at": at}
            connection.execute(insert(patient_account).values(row))
        elif known != patient:
            raise InvalidRequest(
                f"{account} stands for another patient: enrol with a fresh account"
            )

    def owner_of(self, account: Address) -> Owner:
        """The patient an account stands for.

        Raises:
            AccessRefused: UNKNOWN_PATIENT: nobody here.
        """
        with reading(self._engine) as connection:
            known = self.owners_of((account,), connection).get(account)
        if known is None:
            raise AccessRefused(
                Refusal.UNKNOWN_PATIENT, f"{account} is the account of no patient of this steward"
            )
        return known

    def owners_of(
        self, accounts: Iterable[Address], connection: Connection
    ) -> dict[Address, Owner]:
        """The patients that some accounts stand for; those that stand for nobody are left out."""
        wanted = frozenset(accounts)

        def ask() -> dict[Address, Owner]:
            found = connection.execute(_OWNERS, {"of": list(wanted)})
            return {Address(row.account): Owner(row.patient_ref) for row in found}

        return asked_once(connection, ("owners", wanted), ask)


def ensure_key(keys: PatientKeys, owner: Owner) -> PublicKey:
    """The public key of an owner, made if there is none yet."""
    try:
        return keys.public(owner)
    except KeyMissing:
        try:
            return keys.create(owner)
        except InvalidInput:  # somebody else was faster
            return keys.public(owner)


def accounts_of(connection: Connection, patient: Owner) -> tuple[Address, ...]:
    """The accounts that stand for a patient, as enrolled."""
    query = select(patient_account.c.account).where(patient_account.c.patient_ref == patient)
    return tuple(Address(account) for account in connection.execute(query).scalars())
