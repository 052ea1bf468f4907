"""Plain sentences about terms, made from their structure alone.

Nothing a requester wrote reaches the reader: types, purposes and labels come from closed lists,
codes are held to a narrow alphabet, and the names of organisations (which the caller takes from
checked profiles) lose everything that could turn, hide or break the line.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from medaccord.core.labels import LABELS
from medaccord.core.periods import DatePeriod
from medaccord.core.scopes import ANY_TYPE, Scope

__all__ = [
    "clean_name",
    "listing",
    "of_labels",
    "of_period",
    "of_records",
    "of_scopes",
    "of_window",
]

MAX_NAME: Final = 80
"""Characters of an organisation's name that are shown."""

MAX_LISTED_RECORDS: Final = 5
"""Single records are named up to this many, and counted beyond."""

_TIMES_SHOWN_BELOW: Final = timedelta(days=2)
_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_CATEGORY_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_CATEGORIES: Final = {
    "activity": "activity",
    "exam": "examination",
    "imaging": "imaging",
    "laboratory": "laboratory",
    "procedure": "procedure",
    "social-history": "social-history",
    "survey": "survey",
    "therapy": "therapy",
    "vital-signs": "vital-sign",
}


_QUOTATION_MARKS: Final = '"\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\uff02'


def clean_name(name: str) -> str:
    """A name fit to stand in a sentence: in quotation marks, on one line, of at most `MAX_NAME`.

    An organisation chooses its own name. In quotation marks it stays a name, whatever it says.
    """
    printable = "".join(mark if _fits(mark) else " " for mark in name)
    cleaned = " ".join(printable.split())[:MAX_NAME].rstrip()
    return f"“{cleaned}”" if cleaned else "an organisation without a name"


def _fits(mark: str) -> bool:
    return mark.isprintable() and mark not in _QUOTATION_MARKS


def listing(words: Sequence[str], last: str = "and") -> str:
    """Words as English lists them: "a", "a and b", "a, b and c"."""
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def of_scopes(scopes: Iterable[Scope]) -> str:
    """What scopes are about, to stand after "your": "laboratory Observations and Conditions"."""
    phrases = dict.fromkeys(_of_scope(scope) for scope in scopes)
    return listing(list(phrases))


def of_records(records: Sequence[str]) -> str:
    """A limit to single records, in brackets."""
    if len(records) > MAX_LISTED_RECORDS:
        return f"(only {len(records)} single records)"
    return f"(only {listing(records)})"


def of_period(period: DatePeriod | None, include_undated: bool) -> str:
    """How far back the data may reach."""
    undated = "those without a date"
    if period is None or (period.start is None and period.end is None):
        return f"of any date and {undated}" if include_undated else "of any date"
    limits = []
    if period.start is not None:
        limits.append(f"from {_day(period.start)}")
    if period.end is not None:
        limits.append(f"up to {_day(period.end)}")
    dated = f"dated {' '.join(limits)}"
    return f"{dated} and {undated}" if include_undated else dated


def of_labels(labels: Sequence[str]) -> str:
    """What is left out for its sensitivity."""
    return f"except records marked as {listing([LABELS[label] for label in labels], 'or')}"


def of_window(start: datetime, end: datetime) -> str:
    """From when until when, in UTC; with the time of day where it is a matter of hours."""
    with_time = end - start < _TIMES_SHOWN_BELOW
    first, last = (moment.astimezone(UTC) for moment in (start, end))
    if not with_time:
        return f"from {_day(first)} until {_day(last)}"
    return f"from {_day(first)}, {first:%H:%M} until {_day(last)}, {last:%H:%M} (UTC)"


def _day(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _of_scope(scope: Scope) -> str:
    kind = "records of every kind" if scope.resource_type == ANY_TYPE else _plural(scope)
    parameters = dict(scope.parameters)
    categories = parameters.get("category", ())
    bare = [token.removeprefix(f"{_CATEGORY_SYSTEM}|") for token in categories]
    if categories and all(category in _CATEGORIES for category in bare):
        words = dict.fromkeys(_CATEGORIES[category] for category in bare)
        kind = f"{listing(list(words), 'or')} {kind}"
    elif categories:
        kind += f" of the category {listing([_coded(token) for token in categories], 'or')}"
    if codes := parameters.get("code", ()):
        kind += f" with the code {listing([_coded(token) for token in codes], 'or')}"
    return kind


def _plural(scope: Scope) -> str:
    name = scope.resource_type
    if name.endswith("y"):
        return name.removesuffix("y") + "ies"
    return name if name in ("Basic", "Media") or name.endswith("s") else name + "s"


def _coded(token: str) -> str:
    system, _, code = token.rpartition("|")
    return f"“{code}” of {system}" if system else f"“{code}”"
