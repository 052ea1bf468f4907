"""How long the state machines run, and the count of what they really did."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import get_state_machine_test

from tests.invariant.machine import ContractMachine

TRANSACTIONS: Final = 2000
"""The least each machine sends; waiting and preparing are not counted."""

FUZZ_EXAMPLES: Final = 1000

_SETTINGS: Final = settings(
    stateful_step_count=50,
    database=None,
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    derandomize=False,
    suppress_health_check=list(HealthCheck),
)
_FRESH: Final = 10
"""How many examples Hypothesis makes from nothing before it varies them; variety is in those."""


def is_fuzzing() -> bool:
    """Whether MEDACCORD_FUZZ=1 or Hypothesis' profile "fuzz" asks for a long run, new each time."""
    return os.environ.get("MEDACCORD_FUZZ") == "1" or settings.get_current_profile_name() == "fuzz"


def run(machine: type[ContractMachine], *, must_happen: Iterable[str]) -> None:
    """Run a machine until it has sent enough and been everywhere.

    The default run is the same every time: batches of examples, each with a seed of its own.

    Args:
        machine: what to run.
        must_happen: names of events and errors that a run has to have come across, at the latest
            after twice the transactions.
    """
    if is_fuzzing():
        get_state_machine_test(machine, settings=settings(_SETTINGS, max_examples=FUZZ_EXAMPLES))()
    wanted = set(must_happen)
    batch = 0
    while machine.transactions < TRANSACTIONS or (
        wanted - machine.met() and machine.transactions < 2 * TRANSACTIONS
    ):
        test = get_state_machine_test(machine, settings=settings(_SETTINGS, max_examples=_FRESH))
        seed(batch)(test)()
        batch += 1
    print(f"{machine.__name__}: {machine.transactions} transactions")
    print(f"  events   {dict(machine.events.most_common())}")
    print(f"  refusals {dict(machine.refusals.most_common())}")
    assert not wanted - machine.met()
