"""A patient's commands as processes of their own, which share nothing but a home folder."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from typing import Any

from medaccord.core.identifiers import hex_digest
from tests.e2e.commands import SECONDS, Ended, Person
from tests.integration.cli.conftest import LABORATORY, Owner, Ward


def done(person: Person, *arguments: str) -> Any:
    ended = person.process(*arguments, "--json")
    assert (ended.code, ended.errors) == (0, ""), ended
    return json.loads(ended.output)


def test_patient_comes_with_nothing_and_grants_and_revokes_when_each_command_is_a_process(
    newcomer: Owner, ward: Ward
) -> None:
    person = newcomer.person
    enrolled = done(person, "relationship", "enrol", ward.code())
    assert enrolled["account"] == newcomer.account
    person.done("relationship", "accept")
    with ward.provider(ward.stage.b) as b:
        sent = b.requests.send(
            newcomer.account,
            b.requests.terms(LABORATORY),
            valid_until=ward.stage.network.clock().replace(year=2030, month=1, day=1),
        )
    (asked,) = person.done("inbox")["requests"]
    assert asked["request"] == hex_digest(sent.digest)
    refused = person.process("grant", asked["request"])
    assert (refused.code, refused.output) == (2, "")
    assert refused.errors.startswith("medaccord: there is no terminal to ask on: ")
    granted = done(person, "grant", asked["request"], "--yes")
    person.done("revoke", granted["consent"])
    again = person.process("revoke", granted["consent"])
    assert (again.code, again.output) == (1, "")
    assert again.errors.startswith("medaccord: this consent was revoked before: ")
    assert again.errors.count("\n") == 1


def typed(person: Person, answer: bytes, *arguments: str) -> Ended:
    """Run a command of somebody at a terminal who types an answer."""
    master, slave = pty.openpty()
    try:
        os.write(master, answer)
        asked = person.command(*arguments) | {"stdin": slave}
        ended = subprocess.run(**asked, capture_output=True, timeout=SECONDS, check=False)
    finally:
        os.close(master)
        os.close(slave)
    return Ended(code=ended.returncode, output=ended.stdout, errors=ended.stderr)


def test_person_at_a_terminal_is_shown_what_is_allowed_and_asked_before_it_is_signed(
    patient: Owner,
) -> None:
    person, asked = patient.person, patient.asked_by_b(LABORATORY)
    no = typed(person, b"n\n", "grant", asked)
    assert (no.code, no.output) == (1, "")
    assert no.errors.startswith("“Hospital B” may read ")
    assert no.errors.endswith("medaccord: stopped: the question was not answered with yes\n")
    assert person.done("consents") == {"consents": []}
    yes = typed(person, b"y\n", "grant", asked, "--json")
    assert yes.code == 0, yes
    (consent,) = person.done("consents")["consents"]
    assert json.loads(yes.output)["consent"] == consent["consent"]
