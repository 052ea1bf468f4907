"""What a decision needs to know of a record: its descriptor.

The content of a record stays out of the core; `fhir.resources` makes descriptors from resources.
"""

from dataclasses import dataclass, field

from medaccord.core.errors import InvalidInput
from medaccord.core.periods import DatePeriod

__all__ = ["Descriptor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What scopes and terms look at in one record.

    Tokens stand for codings: "system|code" and "code" for a coding with a system, "code" alone for
    one without. A "system|code" never stands without its "code", so that a scope on the bare code
    is always the wider one.

    Attributes:
        resource_type: FHIR resource type, such as "Observation".
        record: the record's name, "Type/id".
        codes: tokens of what the record is about.
        categories: tokens of its categories.
        date: the days it is about; None where it tells none.
        labels: tokens of its sensitivity labels.
    """

    resource_type: str
    record: str
    codes: frozenset[str] = field(default_factory=frozenset)
    categories: frozenset[str] = field(default_factory=frozenset)
    date: DatePeriod | None = None
    labels: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        """Hold the record's name and the tokens to their form.

        Raises:
            InvalidInput: the name is not of the type, or a token's bare code is missing.
        """
        if not self.record.startswith(f"{self.resource_type}/"):
            raise InvalidInput(f"{self.record} is not the name of a {self.resource_type}")
        for tokens in (self.codes, self.categories, self.labels):
            for token in tokens:
                if "|" in token and token.rpartition("|")[2] not in tokens:
                    raise InvalidInput(f"{token} stands without its bare code")
