"""How fresh an answer must be, as a request says it, and how fresh it is, as the answer says it."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from fastapi import Header

from medaccord.core.consistency import ConsistencyToken

FRESHNESS_HEADER: Final = "Medaccord-Freshness"
"""`latest` asks the chain this moment; without it the gatekeeper's bounds hold."""

AT_LEAST_HEADER: Final = "Medaccord-At-Least"
"""A consistency token: it is decided at that block or later, or refused (ledger-behind)."""

BLOCK_HEADER: Final = "Medaccord-Block"
"""The consistency token of an answer: the block that it was decided at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How fresh an answer must be.

    Attributes:
        latest: the chain must be asked this moment, and not merely within the bounds.
        at_least: a block that must be known, or one that came after it; None for any.
    """

    latest: bool = False
    at_least: ConsistencyToken | None = None


def wanted(
    freshness: Annotated[Literal["bounded", "latest"], Header(alias=FRESHNESS_HEADER)] = "bounded",
    at_least: Annotated[
        str | None,
        Header(alias=AT_LEAST_HEADER, description="Consistency token to be no older than."),
    ] = None,
) -> Wanted:
    """What a request says of it; a dependency of routes.

    Raises:
        InvalidRequest: the header holds no consistency token.
    """
    return Wanted(
        latest=freshness == "latest",
        at_least=None if at_least is None else ConsistencyToken.parse(at_least),
    )
