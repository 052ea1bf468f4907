"""Whose a resource of a file is: one patient's, or the steward's own.

* A Patient is its own; practitioners, organisations and locations are the steward's.
* A resource that names a subject is that patient's. One whose subject cannot be told, or is
  another kind of thing (a group, a device), or that has two, refuses the file.
* One that takes patients in among others (an appointment's participants) is theirs whom it names.
* One that names nobody is the patient's where the file has one patient, or where only one patient's
  resources refer to it or are referred to by it. What several patients share is the steward's if
  its type says nothing of a patient (`SHARED_TYPES`); anything else refuses the file.

Source: FHIR R4, CompartmentDefinition/patient.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from medaccord.core.canonical import Object, Value
from medaccord.core.errors import InvalidBundle
from medaccord.fhir.people import Patients, Target, base_of, target
from medaccord.fhir.resource import DIRECTORY_TYPES, Resource

__all__ = ["PARTICIPANTS", "SHARED_TYPES", "SUBJECTS", "Owners"]

SUBJECTS: Final = ("subject", "patient", "beneficiary", "individual", "for", "candidate")
"""Members that say whom a resource is about, on whatever type they stand."""

PARTICIPANTS: Final[Mapping[str, tuple[tuple[str, str | None], ...]]] = MappingProxyType(
    {
        "Appointment": (("participant", "actor"),),
        "AppointmentResponse": (("actor", None),),
        "AuditEvent": (("agent", "who"), ("entity", "what")),
        "Binary": (("securityContext", None),),
        "Group": (("member", "entity"),),
        "Person": (("link", "target"),),
        "Provenance": (("target", None),),
        "Schedule": (("actor", None),),
        "SupplyRequest": (("deliverTo", None),),
    }
)
"""Where a type takes in patients among others: the member, and the member within."""

_SHARED: Final = """
    ActivityDefinition CatalogEntry ChargeItemDefinition CodeSystem ConceptMap Device
    DeviceDefinition DeviceMetric Endpoint EventDefinition HealthcareService InsurancePlan Library
    Measure Medication MedicationKnowledge ObservationDefinition OrganizationAffiliation
    PlanDefinition Questionnaire ResearchStudy SpecimenDefinition StructureDefinition Substance
    ValueSet
    """

SHARED_TYPES: Final = frozenset(_SHARED.split())
"""Types that say nothing of a patient; the steward's where no one patient's they are."""

_STEWARD: Final = -1
_NOBODY: Final = -2

Fail = Callable[[int, str], InvalidBundle]
"""Makes the error for the resource of a number: it names the resource; what is wrong is given."""


@dataclass(frozen=True, slots=True)
class _About:
    """Whom a resource names: kept once for all resources that name the same."""

    subjects: tuple[tuple[str, Target], ...]
    participants: tuple[Target, ...]


class Owners:
    """Whose the resources of one file are; they are numbered from 0, in the order of `add`."""

    def __init__(self) -> None:
        self.patients = Patients()
        self._types: list[str] = []
        self._about = array("Q")
        self._abouts: dict[_About, int] = {}
        self._owners = array("q")
        self._own_ids: dict[int, str] = {}
        self._ids: dict[str, int] = {}

    def add(self, resource: Resource, full_url: str | None) -> None:
        """Note whom the next resource names."""
        kind = resource.type
        self._types.append(kind)
        if kind == "Patient":
            self._own_ids[len(self._types) - 1] = resource.id
            self.patients.add(resource, full_url)
        about = _about(kind, resource.value, base_of(resource, full_url))
        self._about.append(self._abouts.setdefault(about, len(self._abouts)))

    @property
    def ids(self) -> tuple[str, ...]:
        """The patients that the resources belong to, in order of first sight."""
        return tuple(self._ids)

    def parts(self) -> "tuple[dict[str, array[int]], array[int]]":
        """The numbers of each patient's resources, and of the steward's."""
        numbers = [array("Q") for _ in self._ids]
        steward = array("Q")
        for number, owner in enumerate(self._owners):
            (steward if owner < 0 else numbers[owner]).append(number)
        return dict(zip(self._ids, numbers, strict=True)), steward

    def settle(self, *, one_patient: bool, fail: Fail) -> frozenset[int]:
        """Give each resource its owner, once all were added.

        Args:
            one_patient: whether the file is a Bundle with one Patient in it, for the wording.
            fail: makes the error.

        Returns:
            The resources that only the references between all of them can tell the owner of:
            `adopt` them; empty where everything is settled.

        Raises:
            InvalidBundle: one is about two patients, or about nobody who can be told.
        """
        abouts = list(self._abouts)
        told: dict[int, int] = {}
        for number, kind in enumerate(self._types):
            at = self._about[number]
            if kind == "Patient":
                owner = self._numbered(self._own_ids[number])
            elif kind in DIRECTORY_TYPES:
                owner = _STEWARD
            elif at in told:
                owner = told[at]
            else:
                owner = told[at] = self._named(number, abouts[at], one_patient, fail)
            self._owners.append(owner)
        orphans = [number for number, owner in enumerate(self._owners) if owner == _NOBODY]
        if len(self._ids) == 1:
            for number in orphans:
                self._owners[number] = 0
            return frozenset()
        return frozenset(orphans)

    def adopt(self, neighbours: Mapping[int, set[int]], fail: Fail) -> None:
        """Give the resources that name nobody to whose resources they are linked to.

        Args:
            neighbours: for each of them, those that refer to it or that it refers to.
            fail: makes the error.

        Raises:
            InvalidBundle: one is linked to two patients, or to nobody, and not of `SHARED_TYPES`.
        """
        waiting = set(neighbours)
        seen = waiting
        while seen:
            found = {number: self._around(neighbours[number]) for number in sorted(seen)}
            settled = {number: owners for number, owners in found.items() if owners}
            for number, owners in settled.items():
                self._owners[number] = self._shared(number, owners, fail)
            waiting -= settled.keys()
            seen = {near for number in settled for near in neighbours[number]} & waiting
        for number, linked in sorted(neighbours.items()):
            # What was adopted early may turn out to be shared with somebody adopted late.
            self._owners[number] = self._shared(number, self._around(linked), fail)

    def _around(self, numbers: Iterable[int]) -> set[int]:
        return {owner for number in numbers if (owner := self._owners[number]) >= 0}

    def _shared(self, number: int, owners: set[int], fail: Fail) -> int:
        if len(owners) == 1:
            return next(iter(owners))
        if self._types[number] in SHARED_TYPES:
            return _STEWARD
        raise fail(
            number,
            "belongs to more than one patient: it names none, and several of them refer to it"
            if owners
            else "is about nobody who can be told: split the file, one patient each",
        )

    def _numbered(self, identity: str) -> int:
        return self._ids.setdefault(identity, len(self._ids))

    def _named(self, number: int, about: _About, one_patient: bool, fail: Fail) -> int:
        named: dict[str, str] = {}
        for member, whom in about.subjects:
            identity = self.patients.named(whom)
            if identity is None or (named and identity not in named):
                raise fail(number, _stray(member, identity is None, one_patient))
            named[identity] = member
        for whom in about.participants:
            identity = self.patients.named(whom)
            if identity is not None:
                named.setdefault(identity, "")
        if len(named) > 1:
            raise fail(number, "names more than one patient")
        return self._numbered(next(iter(named))) if named else _NOBODY


def _stray(member: str, untold: bool, one_patient: bool) -> str:
    if one_patient:
        return f"is not about the Bundle's patient: its {member} is another"
    if untold:
        return f"is about nobody who can be told: its {member} is no patient of the file"
    return f"is about more than one patient: its {member} is another"


def _about(kind: str, resource: Object, base: str | None) -> _About:
    subjects = [
        (member, target(item, base=base))
        for member in SUBJECTS
        for item in _objects(resource.get(member))
    ]
    participants = [
        target(item, base=base)
        for member, within in PARTICIPANTS.get(kind, ())
        for holder in _objects(resource.get(member))
        for item in (_objects(holder.get(within)) if within else (holder,))
    ]
    return _About(tuple(dict.fromkeys(subjects)), tuple(dict.fromkeys(participants)))


def subjects(resource: Object) -> Iterator[str]:
    """The members of a resource that say whom it is about."""
    return (member for member in SUBJECTS for _ in _objects(resource.get(member)))


def _objects(value: Value) -> Iterator[Object]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield item
