"""Commands as a person runs them: a home folder each, no terminal, no inherited settings."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import medaccord
import medaccord.settings
from medaccord.cli import main

SECONDS = 120
WORDS = "four words are enough"

OURS = ("MEDACCORD_", "XDG_CONFIG_HOME", "_MEDACCORD", "_TYPER")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of a command.

    Attributes:
        code: its exit code.
        output: what it said on standard output.
        errors: what it said on standard error.
    """

    code: int
    output: str
    errors: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody at a machine of their own.

    Attributes:
        home: home and working folder.
        settings: the environment of the commands, beside what any program needs.
    """

    home: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def program_folder(self) -> Path:
        """Where the program keeps what it is not told a place for."""
        return self.home / ".config" / "medaccord"

    @property
    def passphrase_file(self) -> str:
        """A file with a passphrase, closed to others."""
        return self.secret_file("passphrase", WORDS)

    def secret_file(self, name: str, text: str) -> str:
        """A file of one line, closed to others."""
        path = self.home / name
        path.write_text(f"{text}\n", encoding="utf-8")
        path.chmod(0o600)
        return str(path)

    # --- As a process, which takes its time to start ---

    def command(self, *arguments: str, **settings: str) -> dict[str, Any]:
        """What `subprocess` wants to run a command here."""
        return {
            "args": [sys.executable, "-m", "medaccord", *arguments],
            "cwd": self.home,
            "env": self._environment(settings),
            "stdin": subprocess.DEVNULL,
            "encoding": "utf-8",
            "start_new_session": True,  # away from a terminal that the tests may have
        }

    def process(self, *arguments: str, **settings: str) -> Ended:
        """Run a command to its end, in a process of its own."""
        asked = self.command(*arguments, **settings)
        ended = subprocess.run(**asked, capture_output=True, timeout=SECONDS, check=False)
        return Ended(code=ended.returncode, output=ended.stdout, errors=ended.stderr)

    @contextmanager
    def running(self, *arguments: str, **settings: str) -> Iterator[Service]:
        """Run a command that says with --json when it is ready, and runs until it is stopped."""
        asked = self.command(*arguments, "--json", **settings)
        process = subprocess.Popen(**asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            said = process.stdout.readline()
            if not said:
                raise AssertionError(process.stderr.read())
            yield Service(told=json.loads(said), process=process)
        finally:
            process.kill()
            process.communicate()

    # --- In this process, by the same entry ---

    def run(self, *arguments: str, typed: str = "", **settings: str) -> Ended:
        """Run a command to its end.

        Args:
            *arguments: of the command.
            typed: what comes on standard input.
            **settings: variables of the environment.
        """
        output, errors = io.StringIO(), io.StringIO()
        with (
            self._at_home(arguments, settings),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            before, sys.stdin = sys.stdin, io.StringIO(typed)
            try:
                main()
                raise AssertionError("the command did not end")
            except SystemExit as end:
                code = end.code
            finally:
                sys.stdin = before
        assert isinstance(code, int | None)
        return Ended(code=code or 0, output=output.getvalue(), errors=errors.getvalue())

    def done(self, *arguments: str, **settings: str) -> Any:
        """Run a command that succeeds; the one document it prints."""
        ended = self.run(*arguments, "--json", **settings)
        assert (ended.code, ended.errors) == (0, ""), ended
        return json.loads(ended.output)

    def refused(self, *arguments: str, code: int = 1, **settings: str) -> str:
        """Run a command that fails; the one line that it says, after its name."""
        ended = self.run(*arguments, **settings)
        assert (ended.code, ended.output) == (code, ""), ended
        (line,) = ended.errors.splitlines()
        assert line.startswith("medaccord: ")
        return line.removeprefix("medaccord: ")

    @contextmanager
    def _at_home(self, arguments: tuple[str, ...], settings: Mapping[str, str]) -> Iterator[None]:
        """Be this person for a while: arguments, environment, folders; and nobody afterwards."""
        folder = self.program_folder
        own = {
            "MEDACCORD_KEYSTORE": str(folder / "keystore"),
            "MEDACCORD_KEYS_FOLDER": str(folder / "keys"),
            "MEDACCORD_DATABASE_URL": f"sqlite:///{folder / 'records.db'}",
        }
        arguments_before, environment_before = sys.argv, dict(os.environ)
        home_before, where = medaccord.settings.HOME, Path.cwd()
        heard = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
        sys.argv = ["medaccord", *arguments]
        os.environ.clear()
        os.environ.update(own | self._environment(settings))
        medaccord.settings.HOME = folder  # type: ignore[misc]  # read when the program starts
        os.chdir(self.home)
        try:
            yield
        finally:
            os.chdir(where)
            medaccord.settings.HOME = home_before  # type: ignore[misc]  # as above
            os.environ.clear()
            os.environ.update(environment_before)
            sys.argv = arguments_before
            for number, handler in heard.items():
                signal.signal(number, handler)

    def _environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        found = {"HOME": str(self.home), "PYTHONPATH": str(Path(medaccord.__file__).parents[1])}
        return kept | found | self.settings | dict(settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A command that runs until it is stopped.

    Attributes:
        told: what it said when it was ready.
        process: the process.
    """

    told: dict[str, Any]
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return str(self.told["url"])

    def end(self, signal: int) -> Ended:
        """Send a signal and wait for the end; what more it said."""
        self.process.send_signal(signal)
        output, errors = self.process.communicate(timeout=SECONDS)
        return Ended(code=self.process.returncode, output=output, errors=errors)
