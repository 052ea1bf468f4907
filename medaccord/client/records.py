"""Reading records, one by one or as many as there are; each is checked before it is handed out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from medaccord.client.acting import Acting
from medaccord.client.believing import ReleasedRecord
from medaccord.client.pages import RecordPages
from medaccord.client.reading import Reader
from medaccord.client.record_origins import origins_of, pointer_to
from medaccord.core.errors import InvalidRequest
from medaccord.core.identifiers import Address
from medaccord.core.purposes import Purpose
from medaccord.fhir.naming import Element


class ProviderRecords:
    """Patients' records at one steward, as far as an organisation may read them."""

    def __init__(self, acting: Acting, reader: Reader) -> None:
        """Read for the organisation, through a reader of its own."""
        self._acting = acting
        self._reader = reader

    def read(
        self, kind: str, identity: str, patient: Address, *, purpose: Purpose = Purpose.TREAT
    ) -> ReleasedRecord:
        """Read one record, the newest version of it.

        Args:
            kind: Type of FHIR R4, such as ``Observation``.
            identity: Its id.
            patient: The patient's account.
            purpose: What for.

        Raises:
            AccessRefused: And the rest, as `search`.
        """
        return self._reader.read(kind, identity, patient, purpose)

    def vread(
        self,
        kind: str,
        identity: str,
        version: int,
        patient: Address,
        *,
        purpose: Purpose = Purpose.TREAT,
    ) -> ReleasedRecord:
        """Read one version of a record; it says what superseded it.

        Args:
            kind: As for `read`, and so is the rest.
            identity: Its id.
            version: From 1.
            patient: The patient's account.
            purpose: What for.

        Raises:
            AccessRefused: And the rest, as `search`.
        """
        return self._reader.vread(kind, identity, version, patient, purpose)

    def search(
        self,
        kind: str,
        patient: Address,
        *,
        purpose: Purpose = Purpose.TREAT,
        **parameters: str | Sequence[str],
    ) -> RecordPages:
        """Find a patient's records of a type.

        Each record's proof is checked against the chain, each page's receipt against the steward.

        Args:
            kind: Type of FHIR R4, such as ``Observation``.
            patient: The patient's account.
            purpose: What for.
            **parameters: Search parameters, such as ``category="laboratory"``; a list where one is
                given several times, such as ``date=["ge2025", "lt2026"]``.

        Returns:
            The records, to be iterated; a page is asked for when it is wanted.

        Raises:
            AccessRefused: The gatekeeper refuses, with its reason.
            ProofMismatch: A record is not what its steward anchored, is another patient's than
                those read before, or was not asked for.
            ReceiptMismatch: A page comes without a receipt of the steward, or with an old one.
            DecryptionFailed: An envelope is not to this key, or was changed.
            InvalidRequest: The gatekeeper does not know a parameter.
            TransportError: The gatekeeper or the node does not answer, or badly.
        """
        return self._reader.search(kind, patient, purpose, parameters)

    def everything(
        self,
        identity: str,
        patient: Address,
        *,
        purpose: Purpose = Purpose.TREAT,
        **parameters: str | Sequence[str],
    ) -> RecordPages:
        """Find all of a patient's records that may be released, and what they refer to.

        Args:
            identity: The ``Patient.id``, as records refer to it.
            patient: The patient's account.
            purpose: What for.
            **parameters: Such as ``_type="Condition"``, ``start="2025"`` or ``_since``.

        Raises:
            AccessRefused: And the rest, as `search`.
        """
        return self._reader.everything(identity, patient, purpose, parameters)

    def pointer(self, record: ReleasedRecord, patient: Address) -> Element:
        """A FHIR DocumentReference: where a record is kept, and not what it says.

        Args:
            record: One that was read here.
            patient: The patient's account.

        Raises:
            TransportError: The node does not answer.

        Source: FHIR R4 DocumentReference.
        """
        return pointer_to(self._acting, record, patient)

    def provenance(self, *records: ReleasedRecord) -> tuple[Element, ...]:
        """Who anchored records, when and where: a FHIR Provenance for each anchor among them.

        Args:
            *records: That were read here, of any number of patients.

        Raises:
            ProofMismatch: The chain does not hold an anchor any more.
            TransportError: The node does not answer.

        Source: FHIR R4 Provenance.
        """
        return origins_of(self._acting.contracts, records)


class OwnRecords:
    """A patient's own records at one steward, while the relationship is active: always."""

    def __init__(self, acting: Acting, reader: Callable[[], Reader]) -> None:
        """Read for the patient.

        Args:
            acting: Who reads.
            reader: Gives the reader; the gatekeeper is asked who it is before.
        """
        self._acting = acting
        self._reader = reader

    def read(self, kind: str, identity: str) -> ReleasedRecord:
        """Read one record of one's own; see `ProviderRecords.read`."""
        return self._reader().read(kind, identity, self._acting.account, Purpose.PATRQT)

    def vread(self, kind: str, identity: str, version: int) -> ReleasedRecord:
        """Read one version of a record of one's own; see `ProviderRecords.vread`."""
        return self._reader().vread(kind, identity, version, self._acting.account, Purpose.PATRQT)

    def search(self, kind: str, **parameters: str | Sequence[str]) -> RecordPages:
        """Find one's own records of a type; see `ProviderRecords.search`."""
        return self._reader().search(kind, self._acting.account, Purpose.PATRQT, parameters)

    def everything(
        self, identity: str | None = None, **parameters: str | Sequence[str]
    ) -> RecordPages:
        """Find all of one's own records, and what they refer to.

        Args:
            identity: The ``Patient.id``; looked up unless given, which is a read of its own.
            **parameters: See `ProviderRecords.everything`.

        Raises:
            InvalidRequest: The steward has no Patient resource for the account.
            AccessRefused: And the rest, as `ProviderRecords.search`.
        """
        named = identity or self._own_id()
        return self._reader().everything(named, self._acting.account, Purpose.PATRQT, parameters)

    def pointer(self, record: ReleasedRecord) -> Element:
        """Where a record of one's own is kept; see `ProviderRecords.pointer`."""
        return pointer_to(self._acting, record, self._acting.account)

    def provenance(self, *records: ReleasedRecord) -> tuple[Element, ...]:
        """Who anchored records of one's own; see `ProviderRecords.provenance`."""
        return origins_of(self._acting.contracts, records)

    def _own_id(self) -> str:
        found = next(self.search("Patient"), None)
        if found is None:
            raise InvalidRequest("the steward keeps no Patient resource for this account")
        return found.name.partition("/")[2]
