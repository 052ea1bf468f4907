"""The label table: which codes mark a record as sensitive, and as what.

Hardly any record carries a label of its own; a steward marks them at import, by the codes they
hold. Every Coding counts, wherever it stands: a diagnosis in a claim tells as much as the condition
itself. What a table says is a floor: a code that is in none, or a fact in plain text, is not found.

The table that comes along covers HIV, substance use, psychiatry, sexual and reproductive health,
sexually transmitted disease, and sexual and domestic violence; not tobacco, dementia,
developmental disorders or genetics.

Source: HL7 v3 ActCode, value set InformationSensitivityPolicy, for the labels; of each code, the
column "source" of the table.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final, Self

from medaccord.core.canonical import Value
from medaccord.core.errors import InvalidDocument
from medaccord.core.labels import SENSITIVITY_LABELS
from medaccord.fhir.resource import Resource, objects_in

__all__ = ["COLUMNS", "LabelRow", "LabelTable"]

COLUMNS: Final = ("system", "code", "label", "display", "source")
"""The columns of a table, in this order."""

_DEFAULT: Final = files("medaccord.fhir") / "data" / "sensitivity.csv"
_ICD: Final = frozenset({"http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-10-cm"})
_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "urn:oid:2.16.840.1.113883.6.1": "http://loinc.org",
        "urn:oid:2.16.840.1.113883.6.96": "http://snomed.info/sct",
        "urn:oid:2.16.840.1.113883.6.3": "http://hl7.org/fhir/sid/icd-10",
        "urn:oid:2.16.840.1.113883.6.90": "http://hl7.org/fhir/sid/icd-10-cm",
        "http://fhir.de/CodeSystem/bfarm/icd-10-gm": "http://hl7.org/fhir/sid/icd-10",
        "http://fhir.de/CodeSystem/dimdi/icd-10-gm": "http://hl7.org/fhir/sid/icd-10",
    }
)
"""Other names of the code systems, and a national edition with the categories of ICD-10."""

_BY_PLAIN: Final = MappingProxyType({other.lower(): name for other, name in _ALIASES.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRow:
    """One row of a table.

    Attributes:
        system: URI of the code system.
        code: a code, or the beginning of codes with ``*`` behind it.
        label: one of `SENSITIVITY_LABELS`.
        display: what the code means.
        source: where it is from, for whoever has to judge it.
    """

    system: str
    code: str
    label: str
    display: str
    source: str


class LabelTable:
    """Codes and their sensitivity labels."""

    def __init__(self, rows: Iterable[LabelRow] = ()) -> None:
        """Make a table of rows; of none, it marks nothing."""
        self._rows = tuple(rows)
        self._exact: dict[str, dict[str, set[str]]] = {}
        self._prefixes: dict[str, dict[str, set[str]]] = {}
        for row in self._rows:
            system = _known(row.system)
            code = _plain(system, row.code.removesuffix("*"))
            held = self._prefixes if row.code.endswith("*") else self._exact
            held.setdefault(system, {}).setdefault(code, set()).add(row.label)
        self._systems = self._exact.keys() | self._prefixes.keys()

    @classmethod
    def default(cls) -> Self:
        """The table that comes with the package."""
        return cls(_default_rows())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a table: CSV as in RFC 4180, with `COLUMNS` as its first line.

        Empty lines, and lines that begin with ``#``, are passed over.

        Raises:
            InvalidDocument: a line is malformed, names an unknown label, or stands there twice; the
                line is given.
        """
        return cls(_read(text))

    @property
    def rows(self) -> tuple[LabelRow, ...]:
        """The rows, as they were given."""
        return self._rows

    def __or__(self, other: "LabelTable") -> "LabelTable":
        """A table that marks what either marks."""
        return LabelTable(dict.fromkeys((*self._rows, *other._rows)))

    def labels_of(self, resource: Resource) -> frozenset[str]:
        """The labels that the codes of a resource bring, contained ones included.

        Args:
            resource: the resource; a Coding without a system brings none.

        Returns:
            Codes of `SENSITIVITY_LABELS`.
        """
        found: set[str] = set()
        for system, code in _codings(resource.value):
            known = system if system in self._systems else _known(system)
            if known in self._systems:
                found |= self._labels(known, _plain(known, code))
        return frozenset(found)

    def _labels(self, system: str, code: str) -> set[str]:
        found = set(self._exact.get(system, {}).get(code, ()))
        prefixes = self._prefixes.get(system)
        if prefixes:
            for length in range(1, len(code) + 1):
                found |= prefixes.get(code[:length], set())
        return found


def _codings(value: Value) -> Iterator[tuple[str, str]]:
    for item in objects_in(value):
        system, code = item.get("system"), item.get("code")
        if isinstance(system, str) and isinstance(code, str):
            yield system, code


def _known(system: str) -> str:
    """A code system by its one name: many files write it a little wrong, and mean it all the same.

    Passed over are case, space around it, https for http, a slash behind it, a version behind a
    bar, and the edition of SNOMED CT.
    """
    plain = system.strip().partition("|")[0].rstrip("/").lower()
    if plain.startswith("https://"):
        plain = "http://" + plain.removeprefix("https://")
    if plain.startswith("http://snomed.info/sct/"):
        plain = "http://snomed.info/sct"
    return _BY_PLAIN.get(plain, plain)


def _plain(system: str, code: str) -> str:
    """A code as it is compared: ICD-10 is written with and without its dot, in either case."""
    code = code.strip()
    return code.replace(".", "").upper() if system in _ICD else code


@cache
def _default_rows() -> tuple[LabelRow, ...]:
    return tuple(_read(_DEFAULT.read_text(encoding="utf-8")))


def _read(text: str) -> Iterator[LabelRow]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    seen: set[tuple[str, str, str]] = set()
    header = True
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise _refused(reader.line_num, str(error)) from error
        if cells is None:
            break
        if not any(cells) or cells[0].startswith("#"):
            continue
        if header:
            if tuple(cells) != COLUMNS:
                raise _refused(reader.line_num, f"the columns are not {','.join(COLUMNS)}")
            header = False
            continue
        row = _row(reader.line_num, cells)
        if (row.system, row.code, row.label) in seen:
            raise _refused(reader.line_num, f"{row.code} is labelled {row.label} twice")
        seen.add((row.system, row.code, row.label))
        yield row
    if header:
        raise InvalidDocument("the label table is empty")


def _row(line: int, cells: list[str]) -> LabelRow:
    if len(cells) != len(COLUMNS):
        raise _refused(line, f"there are {len(cells)} columns, not {len(COLUMNS)}")
    system, code, label, display, source = (cell.strip() for cell in cells)
    if ":" not in system:
        raise _refused(line, f"the system is no URI: {system!r}")
    stem = code.removesuffix("*")
    if not stem or "*" in stem or "|" in stem:
        raise _refused(line, f"not a code, nor the beginning of one: {code!r}")
    if code.endswith("*") and system not in _ICD:
        raise _refused(line, f"only codes of ICD-10 begin alike where they mean alike: {code!r}")
    if label not in SENSITIVITY_LABELS:
        raise _refused(
            line, f"unknown label {label!r}; known are {', '.join(sorted(SENSITIVITY_LABELS))}"
        )
    if not source:
        raise _refused(line, f"{code} has no source")
    return LabelRow(
        system=_ALIASES.get(system, system), code=code, label=label, display=display, source=source
    )


def _refused(line: int, problem: str) -> InvalidDocument:
    return InvalidDocument(f"line {line} of the label table: {problem}")
