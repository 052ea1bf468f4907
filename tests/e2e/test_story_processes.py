"""The whole story as separate processes, by the command line alone: on both engines and stores.

The node, the two gatekeepers, and everybody who types a command have a home folder of their own.
What one hands to another is a file; what is looked at is what the commands print under `--json`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e import story_consents, story_founding, story_phones, story_watching
from tests.e2e.story_cast import World, gathered
from tests.integration.anvil import ANVIL, NEEDS_ANVIL


@pytest.fixture(params=["embedded", pytest.param("anvil", marks=NEEDS_ANVIL)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The embedded chain and SQLite; and anvil and PostgreSQL."""
    if request.param == "embedded":
        yield World()
        return
    on_server = request.getfixturevalue("postgresql")
    with ExitStack() as stack:
        urls = tuple(stack.enter_context(on_server.database(empty=True)) for _ in range(2))
        yield World(
            node=("--engine", "anvil"),
            settings={"PATH": f"{ANVIL.parent}:{os.environ['PATH']}"},
            databases=urls,
        )


def test_whole_story_is_told_by_separate_processes(world: World, tmp_path: Path) -> None:
    with gathered(tmp_path, world) as cast:
        phrase = story_founding.makes_accounts(cast)
        story_founding.found(cast)
        codes = story_founding.open_for_patients(cast)
        at_a, at_b = story_founding.enrol(cast, codes)
        consent = story_consents.ask_and_allow(cast, at_a)
        story_consents.pull_the_plug(cast, at_a)
        story_consents.hand_over_and_deny(cast, at_a, at_b)
        story_consents.take_back(cast, at_a, consent)
        story_consents.delegate(cast, at_a)
        story_watching.break_glass(cast, at_a)
        story_watching.look_who_looked(cast, at_a)
        story_phones.restore(cast, phrase, at_a, at_b)
        story_phones.lose_the_phone(cast, at_a)
        story_phones.leave(cast, at_b)
        story_phones.stop(cast)
