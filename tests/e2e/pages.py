"""The pages of the docs, run as a reader types them: every block, in the order of the page.

A block is a fenced one. `sh` is typed into a terminal and must succeed and complain of nothing.
`console` shows commands after a `$`, and what each must say below it. `python` is typed into one
session of Python, which lasts as long as the page. `json`, `nginx` and so on are no blocks to run:
a page whose every block is to run has none, and its test says so.

What no reader needs to see stands above a block in comments of HTML, which are not shown:

- ``<!-- terminal: NAME -->``: whose terminal, each with a home folder; unless said, the reader's.
- ``<!-- runs on -->``: what is started here runs on until the page ends; it says where it answers.
- ``<!-- needs: NAME -->``: not there on every machine; the page's test says what becomes of it.
- ``<!-- meanwhile: NAME -->``: what others do before this block; the page's test does it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import medaccord
from tests.e2e.commands import OURS
from tests.e2e.shown_output import check_said, script_of, shown_in

ROOT: Final = Path(__file__).parents[2]
SECONDS: Final = 600
"""The longest that a block may take, however busy the machine is."""

LANGUAGES: Final = {"sh", "console", "python"}

_BLOCK: Final = re.compile(
    r"(?P<told>(?:^<!-- .*? -->\n)*)^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_TOLD: Final = re.compile(r"^<!-- (\w[\w ]*?)(?:: (.*?))? -->$", re.MULTILINE)
_KNOWN: Final = {"terminal", "runs on", "needs", "meanwhile"}
_READY: Final = " answers at http"

_SESSION: Final = """
import contextlib, sys
place = {"__name__": "__main__"}
for line in sys.stdin:
    path = line.strip()
    with (
        open(path, encoding="utf-8") as file,
        open(f"{path}.out", "w", encoding="utf-8") as said,
        open(f"{path}.errors", "w", encoding="utf-8") as complained,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(complained),
    ):
        exec(compile(file.read(), path, "exec"), place)
    print("done", flush=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of a page.

    Attributes:
        page: its name.
        line: where its text begins, from 1.
        language: what follows the fence.
        text: what is typed.
        told: what the comments above it say; with an empty text where they say no more.
    """

    page: str
    line: int
    language: str
    text: str
    told: Mapping[str, str]

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def needs(self) -> str | None:
        return self.told.get("needs")


def blocks_of(path: Path) -> list[Block]:
    """Every fenced block of a page."""
    text = path.read_text(encoding="utf-8")
    found = []
    for each in _BLOCK.finditer(text):
        told = {name: value or "" for name, value in _TOLD.findall(each["told"])}
        assert told.keys() <= _KNOWN, f"{path.name} says {told}"
        found.append(
            Block(
                page=path.name,
                line=text.count("\n", 0, each.start("text")) + 1,
                language=each["language"],
                text=each["text"],
                told=told,
            )
        )
    assert text.count("\n```") + text.startswith("```") == 2 * len(found), f"{path.name}: a fence"
    return found


@dataclass(slots=True, kw_only=True)
class Reader:
    """Who reads a page, and whoever else has a terminal in it.

    Attributes:
        folder: where everybody's home is.
        you: name of the reader's own terminal, and of the home folder with it.
        start: the folder that terminals are opened in; unless given, everybody's home.
        settings: the environment of every terminal, beside what any program needs.
        meanwhile: what others do, by the name the page has for it.
    """

    folder: Path
    you: str = "you"
    start: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    meanwhile: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    _shells: dict[str, _Shell] = field(default_factory=dict)
    _sessions: dict[str, _Session] = field(default_factory=dict)
    _servers: list[_Server] = field(default_factory=list)

    def run(self, blocks: Collection[Block]) -> list[str]:
        """Run blocks, one after another; what each said.

        Raises:
            AssertionError: one failed, complained, or said something else than the page shows.
        """
        said = []
        try:
            for block in blocks:
                said.append(self._run(block))
        finally:
            self._close()
        return said

    def home(self, name: str = "") -> Path:
        """Home folder of a terminal; the reader's own unless one is named."""
        home = self.folder / (name or self.you)
        home.mkdir(exist_ok=True)
        return home

    def _run(self, block: Block) -> str:
        assert block.language in LANGUAGES, f"{block.where}: {block.language!r} is not run"
        if "meanwhile" in block.told:
            self.meanwhile[block.told["meanwhile"]]()
        name = block.told.get("terminal", self.you)
        place = _Place(
            start=self.start or self.home(name),
            environment=self._environment(name, typed=block.language != "python"),
            complaints=self.folder / f"{name}.complaints",
        )
        script = self.folder / f"{block.page}-{block.line}"
        if "runs on" in block.told:
            self._servers.append(_Server(block, script, place))
            return self._servers[-1].until_ready()
        if block.language == "python":
            if name not in self._sessions:
                self._sessions[name] = _Session(place)
            return self._sessions[name].run(block, script)
        if name not in self._shells:
            self._shells[name] = _Shell(place)
        return self._shells[name].run(block, script)

    @property
    def _programs(self) -> Path:
        """A folder for PATH with the program under test, and with the Python it is tested with."""
        folder = self.folder / "bin"
        if not folder.exists():
            folder.mkdir()
            for name, runs in {"python": "", "medaccord": "-m medaccord"}.items():
                file = folder / name
                file.write_text(f'#!/bin/sh\nexec "{sys.executable}" {runs} "$@"\n', "utf-8")
                file.chmod(0o755)
        return folder

    def _environment(self, name: str, *, typed: bool) -> dict[str, str]:
        """That of a terminal, and of Python where nothing is typed into a shell."""
        kept = {each: text for each, text in os.environ.items() if not each.startswith(OURS)}
        kept |= self.settings
        if typed:
            kept["PATH"] = f"{self._programs}:{kept['PATH']}"
        package = str(Path(medaccord.__file__).parents[1])
        return kept | {"HOME": str(self.home(name)), "PYTHONPATH": package}

    def _close(self) -> None:
        for terminal in (*self._shells.values(), *self._sessions.values()):
            terminal.close()
        for server in self._servers:
            server.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a program is started."""

    start: Path
    environment: Mapping[str, str]
    complaints: Path


class _Interpreter:
    """Something that takes one block after another: what one sets, the next one finds."""

    def __init__(self, place: _Place, *program: str) -> None:
        with place.complaints.open("ab") as complaints:
            self._process = subprocess.Popen(
                program,
                cwd=place.start,
                env=dict(place.environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                encoding="utf-8",
                start_new_session=True,  # away from a terminal that the tests may have
            )
        self._complaints = place.complaints

    def type(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended; what it said tells why
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()

    def finish(self, block: Block, script: Path) -> str:
        """Wait until a block is done; what it said."""
        assert self._process.stdout is not None
        is_there, _, _ = select.select([self._process.stdout], [], [], SECONDS)
        ended = self._process.stdout.readline() if is_there else "it does not end\n"
        said, complained = (
            file.read_text(encoding="utf-8") if file.exists() else ""
            for file in (Path(f"{script}.out"), Path(f"{script}.errors"))
        )
        complained += self._complaints.read_text(encoding="utf-8")
        assert (ended, complained) == ("done\n", ""), f"{block.where}\n{said}\n{complained}"
        return said

    def close(self) -> None:
        _end(self._process)


class _Shell(_Interpreter):
    """A terminal."""

    def __init__(self, place: _Place) -> None:
        super().__init__(place, "bash", "--norc", "--noprofile")
        self.type("set -eu")

    def run(self, block: Block, script: Path) -> str:
        shown = shown_in(block.text) if block.language == "console" else None
        script.write_text(block.text if shown is None else script_of(shown), encoding="utf-8")
        errors = f"'{script}.errors'" if shown is None else "&1"
        self.type(f". '{script}' </dev/null >'{script}.out' 2>{errors}")
        self.type("echo done")
        said = self.finish(block, script)
        if shown is not None:
            check_said(shown, said, block.where)
        return said


class _Session(_Interpreter):
    """Python, as it goes on where a reader typed `python` once."""

    def __init__(self, place: _Place) -> None:
        super().__init__(place, sys.executable, "-c", _SESSION)

    def run(self, block: Block, script: Path) -> str:
        script.write_text(block.text, encoding="utf-8")
        self.type(str(script))
        return self.finish(block, script)


class _Server:
    """What runs on in a terminal of its own."""

    def __init__(self, block: Block, script: Path, place: _Place) -> None:
        assert block.language == "sh", f"{block.where}: only sh can run on"
        script.write_text(block.text, encoding="utf-8")
        self._block = block
        self._said, self._complained = Path(f"{script}.out"), Path(f"{script}.errors")
        with self._said.open("wb") as said, self._complained.open("wb") as complained:
            self._process = subprocess.Popen(
                ["bash", "-eu", str(script)],
                cwd=place.start,
                env=dict(place.environment),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=complained,
                start_new_session=True,
            )

    def until_ready(self) -> str:
        ends = time.monotonic() + SECONDS
        while _READY not in (said := self._said.read_text(encoding="utf-8")):
            assert self._process.poll() is None, (
                f"{self._block.where}: it ended\n{said}\n{self._complained.read_text('utf-8')}"
            )
            assert time.monotonic() < ends, f"{self._block.where}: it does not answer\n{said}"
            time.sleep(0.05)
        return said

    def close(self) -> None:
        _end(self._process)


@contextmanager
def taking_turns(name: str) -> Iterator[None]:
    """Wait until nobody else on this machine runs a page whose ports are those of this name."""
    with (Path(tempfile.gettempdir()) / f"medaccord-page-{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- Processes ---


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """End a process and what it started."""
    for each in (process.stdin, process.stdout, process.stderr):
        if each is not None:
            with contextlib.suppress(BrokenPipeError):
                each.close()
    with contextlib.suppress(ProcessLookupError):  # it ended by itself
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
