"""PostgreSQL servers of our own: found, started and stopped; tests use them as well.

A server listens on a free port of this machine alone, keeps its data in a temporary folder, and
ends with the process that started it, however that ends.
"""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

__all__ = ["FORGETFUL", "MISSING", "PostgreSQL", "binaries", "server"]

MISSING: Final = "PostgreSQL is not installed (Debian: apt-get install postgresql)"

_MEMORY: Final = Path("/dev/shm")
_ROOM_BYTES: Final = 2 << 30
_SECONDS_TO_START: Final = 60
# The server hears of our end by its standard input, which closes with us even on kill -9; what we
# left behind then goes as well, whereas a line says that it was stopped in order.
_RUN: Final = """
"$@" </dev/null &
if read -r _; then left=; else left=$0; fi
kill -s INT $! 2>/dev/null
wait $!
if [ -n "$left" ]; then rm -rf "$left"; fi
"""
FORGETFUL: Final = ("fsync=off", "full_page_writes=off")


def binaries() -> Path | None:
    """The folder of PostgreSQL's programs, the newest where there are several; or None."""
    folders = []
    if config := shutil.which("pg_config"):
        told = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(told.stdout.strip()))
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(debian, key=lambda folder: float(folder.parent.name), reverse=True)
    folders += [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    needed = ("initdb", "postgres", "pg_ctl")
    whole = (found for found in folders if all((found / name).is_file() for name in needed))
    return next(whole, None)


class PostgreSQL:
    """A server of our own.

    Attributes:
        data: its data folder.
        port: where it listens, on 127.0.0.1.
    """

    def __init__(self, programs: Path, folder: Path, settings: tuple[str, ...]) -> None:
        self.data = folder / "data"
        self.port = 0
        self._programs = programs
        self._log = folder / "log"
        self._settings = settings
        self._password = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        self._as: dict[str, Any] = {"cwd": folder}
        if os.geteuid() == 0:  # which initdb and postgres refuse to run as
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self._as |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self._make()

    def _make(self) -> None:
        secret = self.data.with_name("password")
        secret.write_text(self._password)
        secret.chmod(0o644)  # the folder is closed to others
        command: list[Path | str] = [self._programs / "initdb", "--pgdata", self.data, "--no-sync"]
        command += ["--username", "tester", "--pwfile", secret, "--auth", "scram-sha-256"]
        command += ["--encoding", "UTF8", "--locale=C", "--wal-segsize=1"]
        # Where it can be, one that does not order text by its bytes, so that nobody relies on that.
        for order in (["--locale-provider=icu", "--icu-locale=en-US"], []):
            made = subprocess.run([*command, *order], capture_output=True, check=False, **self._as)
            if made.returncode == 0:
                return
        raise RuntimeError(f"initdb failed: {made.stderr.decode()}")

    def start(self) -> None:
        """Start it where it does not run, and wait until it answers."""
        if self._process is not None:
            return
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        settings = [
            *("listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories="),
            *("max_connections=200", "shared_buffers=32MB"),
            "timezone=Asia/Kolkata",  # not UTC, so that nobody relies on that either
            *self._settings,
        ]
        folder = self.data.parent
        flags = [part for setting in settings for part in ("-c", setting)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", _RUN, folder, self._programs / "postgres", "-D", self.data, *flags],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # what interrupts us must not end it before it tidied up
                **self._as,
            )
        self._await_answer()

    def _await_answer(self) -> None:
        until = time.monotonic() + _SECONDS_TO_START
        while True:
            try:
                psycopg.connect(self._conninfo("postgres")).close()
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise RuntimeError(self._log.read_text()) from None
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop it in order: connections are ended, everything is on the disk."""
        if self._process is not None:
            self._process.communicate(b"stop\n", timeout=_SECONDS_TO_START)
            self._process = None

    def kill(self) -> None:
        """End it at once, as a power cut would; the next start recovers from its log."""
        command: list[Path | str] = [self._programs / "pg_ctl", "stop", "-D", self.data]
        subprocess.run([*command, "-m", "immediate"], check=True, capture_output=True, **self._as)
        self.stop()

    def create(self, template: str = "template0", tablespace: str = "pg_default") -> str:
        """Make a database and give its URL; `postgresql://`, as an operator would write it."""
        name = f"test{next(self._numbers)}"
        self.run("CREATE DATABASE {} TEMPLATE {} TABLESPACE {}", name, template, tablespace)
        return f"postgresql://tester:{self._password}@127.0.0.1:{self.port}/{name}"

    def run(self, statement: LiteralString, *names: str) -> None:
        """Run a statement as the server's administrator, with names for its `{}`."""
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def drop(self, url: str) -> None:
        """Drop a database, whoever still uses it."""
        self.run("DROP DATABASE {} WITH (FORCE)", url.rpartition("/")[2])

    def _conninfo(self, database: str) -> str:
        return (
            f"host=127.0.0.1 port={self.port} user=tester password={self._password}"
            f" dbname={database} connect_timeout=5"
        )


@contextmanager
def server(programs: Path, *settings: str) -> Iterator[PostgreSQL]:
    """A server that runs until the block ends; with FORGETFUL settings it is faster."""
    in_memory = settings == FORGETFUL and _MEMORY.is_dir()
    roomy = in_memory and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    folder = Path(tempfile.mkdtemp(prefix="medaccord-postgresql-", dir=_MEMORY if roomy else None))
    try:
        running = PostgreSQL(programs, folder, settings)
        try:
            running.start()
            yield running
        finally:
            running.stop()
    finally:
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
