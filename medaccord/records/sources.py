"""What an import reads from, and how it tells how far it is."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from medaccord.fhir.bundle import PatientBundle
from medaccord.fhir.resource import Resource

__all__ = ["Counter", "OneBundle", "Progress", "RecordSource"]

Progress = Callable[[int, int], None]
"""Told how many resources are done, of how many."""


class RecordSource(Protocol):
    """Resources of any number of patients, read one at a time; `fhir.source.Source` is one."""

    @property
    def patients(self) -> Sequence[str]:
        """The ids of the patients."""
        ...

    @property
    def total(self) -> int:
        """How many resources there are, the directory's among them."""
        ...

    def count(self, patient_id: str) -> int:
        """How many of them are a patient's."""
        ...

    def resources(self, patient_id: str) -> Iterable[Resource]:
        """The resources of a patient; may be asked for again."""
        ...

    def directory(self) -> Iterable[Resource]:
        """The steward's own: practitioners, organisations, locations; may be asked for again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OneBundle:
    """A Bundle of one patient that was read whole, as a source.

    Attributes:
        bundle: the Bundle.
    """

    bundle: PatientBundle

    @property
    def patients(self) -> tuple[str, ...]:
        """The one patient."""
        return (self.bundle.patient_id,)

    @property
    def total(self) -> int:
        """How many resources there are."""
        return len(self.bundle.resources) + len(self.bundle.directory)

    def count(self, patient_id: str) -> int:
        """How many are the patient's."""
        return len(self.bundle.resources)

    def resources(self, patient_id: str) -> Iterable[Resource]:
        """The patient's."""
        return self.bundle.resources

    def directory(self) -> Iterable[Resource]:
        """The steward's own."""
        return self.bundle.directory


class Counter:
    """Counts resources for whoever watches; what is prepared anew is not counted again."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done = 0
        self._total = total
        self._progress = progress

    def step(self, count: int = 1) -> None:
        """So many more are done."""
        done = min(self._done + count, self._total)
        if self._progress is not None and done > self._done:
            self._progress(done, self._total)
        self._done = done
