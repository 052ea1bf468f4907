"""A database of a test's own, opened, and rows to write into it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from medaccord.store import open_engine


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()
