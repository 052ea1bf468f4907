"""The options that say who acts stand beside those of a command, and never in their way."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.unit.test_commands import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_means_one_thing(name: str) -> None:
    taken = Counter(option for each in COMMANDS[name].params for option in each.opts)
    assert [option for option, times in taken.items() if times > 1] == []


@pytest.mark.parametrize("name", ["grant", "inbox", "relationship accept", "account rotate"])
def test_command_of_a_patient_takes_whoever_acts(name: str) -> None:
    taken = {option for each in COMMANDS[name].params for option in each.opts}
    assert {"--gatekeeper", "--account", "--for", "--wallet", "--passphrase-file"} <= taken
