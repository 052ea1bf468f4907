"""One record asked for by its name: what is decided on for it, and whether it may be released.

Practitioners, organisations and locations are the steward's own: one of them may be released where
a record of the patient that may be released refers to it. Reading goes by this, and so do checks.
"""

from dataclasses import dataclass
from typing import Final

from medaccord.core.decision import Permit
from medaccord.core.errors import AccessRefused
from medaccord.core.identifiers import Address
from medaccord.core.refusals import Refusal
from medaccord.core.resource_types import RESOURCE_TYPES
from medaccord.fhir.resource import DIRECTORY_TYPES
from medaccord.fhir.search_values import Searchable
from medaccord.gatekeeper.leave import Leave
from medaccord.records import Found, RecordRepository

__all__ = ["Releasable", "decided_for", "nothing_named", "releasable"]

_OWN_TYPES: Final = tuple(sorted(RESOURCE_TYPES - DIRECTORY_TYPES))
"""Types of a patient's own records; what they refer to in the directory comes with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Releasable:
    """A record that may be released.

    Attributes:
        found: the record.
        permit: what covers it, or a record of the patient that refers to it.
    """

    found: Found
    permit: Permit


def decided_for(name: str, interaction: str) -> tuple[tuple[str, ...], str]:
    """The types of resource and the interactions that are decided on where one record is wanted.

    Args:
        name: ``Type/id``.
        interaction: "r" or "s", which counts for the patient's own records.
    """
    return (_OWN_TYPES, "rs") if _is_of_directory(name) else ((_type_of(name),), interaction)


def releasable(
    repository: RecordRepository, patient: Address, leave: Leave, name: str
) -> Releasable:
    """The record of a name, where it may be released.

    Args:
        repository: where it is looked for.
        patient: account of the patient.
        leave: what was decided on what `decided_for` names.
        name: ``Type/id``.

    Raises:
        AccessRefused: SCOPE_NOT_COVERED where it may not be, or there is none, which is told alike;
            or see `RecordRepository.find`.
    """
    if _is_of_directory(name):
        covered = repository.find(
            patient, lambda each: name in each.references and leave.covers(each.descriptor)
        )
        found = repository.find_directory(lambda each: _is(each, name)) if covered else ()
    else:
        found = covered = repository.find(
            patient, lambda each: _is(each, name) and leave.covers(each.descriptor)
        )
    if not found:
        raise nothing_named(name)
    about = covered[0].descriptor
    permit = next(each for each in leave.permits if each.covers(about))
    return Releasable(found=found[0], permit=permit)


def nothing_named(name: str) -> AccessRefused:
    """What is told where nothing of a name may be released, and where there is nothing."""
    return AccessRefused(Refusal.SCOPE_NOT_COVERED, f"Nothing that you may read is named {name}.")


def _is(each: Searchable, name: str) -> bool:
    return each.descriptor.record == name


def _is_of_directory(name: str) -> bool:
    return _type_of(name) in DIRECTORY_TYPES


def _type_of(name: str) -> str:
    return name.partition("/")[0]
