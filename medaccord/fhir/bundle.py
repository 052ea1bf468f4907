"""Reading a FHIR R4 Bundle of one patient, or saying in one line why it is none.

Nothing is guessed and nothing is lost: numbers stay as written, an entry that cannot be named or
that is about somebody else refuses the whole file, before anything is stored. `Source` reads files
of any size, and of many patients.

Source: FHIR R4 Bundle, section 2.36.4 (references within bundles).
"""

from dataclasses import dataclass

from medaccord.core.errors import InvalidBundle
from medaccord.fhir.owners import subjects
from medaccord.fhir.resource import Resource
from medaccord.fhir.source import BUNDLE_TYPES, Source
from medaccord.fhir.splitting import Buffer

__all__ = ["BUNDLE_TYPES", "PatientBundle", "Resource", "read_bundle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientBundle:
    """What a Bundle of one patient holds.

    Attributes:
        patient_id: id of the Patient resource.
        resources: the patient's records, the Patient resource among them, in the Bundle's order.
        directory: resources of `DIRECTORY_TYPES`, which belong to the steward.
    """

    patient_id: str
    resources: tuple[Resource, ...]
    directory: tuple[Resource, ...]


def read_bundle(data: Buffer) -> PatientBundle:
    """Read a Bundle of one patient.

    Names and references are as `Source` gives them.

    Args:
        data: JSON text in UTF-8.

    Raises:
        InvalidBundle: as `Source.open`; it is no Bundle; there is not exactly one Patient; or an
            entry is about anybody but that patient.
    """
    source = Source.open(data)
    if not source.is_bundle:
        raise InvalidBundle("the file is no FHIR Bundle, but one resource or several, as NDJSON")
    patients = source.patient_resources
    if not patients:
        raise InvalidBundle("the Bundle holds no Patient")
    if len(patients) > 1:
        raise InvalidBundle(f"the Bundle holds {len(patients)} patients; split it, one a file")
    for other in source.patients:
        if other not in patients:
            stray = next(source.resources(other))
            member = next(subjects(stray.value), "patient")
            raise InvalidBundle(
                f"{source.place_of(stray.record)} is not about the Bundle's patient: "
                f"its {member} is another"
            )
    return PatientBundle(
        patient_id=patients[0],
        resources=tuple(source.resources(patients[0])),
        directory=tuple(source.directory()),
    )
