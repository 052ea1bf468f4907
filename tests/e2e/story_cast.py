"""Who the whole story is about: a home folder each, commands as processes, files handed over."""

from __future__ import annotations

import json
import random
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.e2e.commands import WORDS, Ended, Person, Service

_AT_ONCE: Final = 3
_BELOW_EPHEMERAL: Final = range(20_000, 32_000)
"""Ports that no connection of somebody else is given meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where a story is told.

    Attributes:
        node: options of `medaccord node` that choose its engine.
        settings: of the environment of everybody.
        databases: URLs of the two hospitals' databases; none where each keeps it in its home.
    """

    node: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    databases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Somebody at a machine of their own, who has nothing but the command line.

    Attributes:
        person: at the machine.
    """

    person: Person

    @property
    def settings(self) -> dict[str, str]:
        """The environment of the commands; what is put there holds from the next command on."""
        return self.person.settings

    def path(self, name: str) -> str:
        """A file at home."""
        return str(self.person.home / name)

    def does(self, *arguments: str, **settings: str) -> Any:
        """Run a command that succeeds; the one document that it prints, and nothing else."""
        ended = self.person.process(*arguments, "--json", **settings)
        assert (ended.code, ended.errors) == (0, ""), (arguments, ended)
        assert ended.output.endswith("}\n"), (arguments, ended)
        assert ended.output.count("\n") == 1, (arguments, ended)
        return json.loads(ended.output)

    def fails(self, *arguments: str, code: int = 1, **settings: str) -> str:
        """Run a command that fails; the one line that it says, after its name."""
        ended = self.person.process(*arguments, "--json", **settings)
        assert (ended.code, ended.output) == (code, ""), (arguments, ended)
        (line,) = ended.errors.splitlines()
        assert line.startswith("medaccord: ")
        return line.removeprefix("medaccord: ")

    def hands(self, name: str, other: Seat) -> str:
        """Bring a file to somebody else; where it is there."""
        copy = other.path(Path(name).name)
        shutil.copy(self.path(name), copy)  # a key stays closed to others
        return copy


@dataclass(slots=True, kw_only=True)
class Hospital:
    """A hospital with records, and its gatekeeper.

    Attributes:
        seat: whoever types its commands.
        port: where its gatekeeper answers, whenever it runs.
        service: the gatekeeper that runs.
    """

    seat: Seat
    port: int
    service: Service | None = None

    @property
    def url(self) -> str:
        """Where its gatekeeper answers."""
        return f"http://127.0.0.1:{self.port}"

    def end(self, signal: int) -> Ended:
        """End the gatekeeper with a signal."""
        assert self.service is not None
        return self.service.end(signal)


@dataclass(slots=True, kw_only=True)
class Cast:
    """Everybody, and what runs.

    Attributes:
        world: where the story is told.
        operator: runs the node.
        a: hospital A, which founds the network.
        b: hospital B, with an emergency department.
        patient: with a phone.
        tablet: the patient's, too.
        new_phone: of the patient, later.
        sister: of the patient.
        running: ends what runs, when the story ends.
        node: that runs.
        payer: account of the sister that has money.
        carer: account of the sister that acts for the patient.
        profile: file with the public profile of A.
    """

    world: World
    operator: Seat
    a: Hospital
    b: Hospital
    patient: Seat
    tablet: Seat
    new_phone: Seat
    sister: Seat
    running: ExitStack
    node: Service | None = None
    payer: str = ""
    carer: str = ""
    profile: str = ""

    @property
    def everybody(self) -> list[Seat]:
        """All but the operator."""
        devices = [self.patient, self.tablet, self.new_phone]
        return [self.a.seat, self.b.seat, *devices, self.sister]

    def serve(self, hospital: Hospital) -> None:
        """Start a hospital's gatekeeper as a process, and wait until it answers."""
        serving = hospital.seat.person.running(
            "serve",
            MEDACCORD_METRICS_PORT="0",
            MEDACCORD_POLL_INTERVAL="0",
            MEDACCORD_DRAIN_TIME="0",
            MEDACCORD_LOG_LEVEL="error",  # nobody reads on while it runs
        )
        hospital.service = self.running.enter_context(serving)
        assert hospital.service.url == hospital.url


@contextmanager
def gathered(home: Path, world: World) -> Iterator[Cast]:
    """Give everybody a home of their own; end what runs at the end."""

    def seat(name: str) -> Seat:
        (home / name).mkdir()
        person = Person(home=home / name, settings=dict(world.settings))
        person.settings["MEDACCORD_PASSPHRASE_FILE"] = person.secret_file("passphrase", WORDS)
        return Seat(person=person)

    def hospital(name: str) -> Hospital:
        made = Hospital(seat=seat(name), port=_free_port())
        made.seat.settings["MEDACCORD_PORT"] = str(made.port)
        return made

    with ExitStack() as running:
        yield Cast(
            world=world,
            operator=seat("operator"),
            a=hospital("a"),
            b=hospital("b"),
            patient=seat("phone"),
            tablet=seat("tablet"),
            new_phone=seat("new-phone"),
            sister=seat("sister"),
            running=running,
        )


def together(*commands: Callable[[], Any]) -> list[Any]:
    """Run commands side by side that have nothing to do with each other; what each came to."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [each.result() for each in [pool.submit(command) for command in commands]]


def until(found: Callable[[], Any], *, seconds: float = 90) -> Any:
    """Look again until there is something."""
    ends = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < ends, "it did not come about in time"
    return answer


def _free_port() -> int:
    """A port that is free, and that nobody is given by chance."""
    for port in random.sample(_BELOW_EPHEMERAL, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
