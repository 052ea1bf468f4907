"""What a model expects of an action: every reason to refuse it, or what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.contracts.deployed import Event

Refusal = tuple[str, dict[str, Any]]
"""Name and arguments of an error."""


@dataclass(slots=True)
class Outcome:
    """What has to happen.

    Attributes:
        refusals: each requirement that is not met. The contract must revert with one of them, and
            must not revert when there is none; the model leaves it the order of its checks.
        effect: changes the model, and returns the one event that must be written.
    """

    refusals: list[Refusal] = field(default_factory=list)
    effect: Callable[[], Event] | None = None

    def require(self, holds: bool, error: str, **arguments: Any) -> None:
        """Refuse with this error unless the condition holds."""
        if not holds:
            self.refusals.append((error, arguments))
