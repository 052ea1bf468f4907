"""What every test shares: databases of both kinds, Hypothesis without deadlines, and Ctrl-C.

Without deadlines, since machines that test are busy ones.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import databases

settings.register_profile("medaccord", deadline=None)
settings.load_profile("medaccord")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As a shell has it for what it starts in the background; what tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[databases.Databases]:
    """Databases of a PostgreSQL server that this session started; skips where there is none."""
    programs = databases.binaries()
    if programs is None:
        pytest.skip(databases.MISSING)
    with databases.server(programs, *databases.FORGETFUL) as running:
        yield databases.Databases(running)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of a test's own: every test that asks for it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'database' / 'records.db'}"
    else:
        on_server: databases.Databases = request.getfixturevalue("postgresql")
        with on_server.database() as url:
            yield url
