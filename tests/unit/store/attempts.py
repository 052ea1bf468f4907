"""Rows of the simplest table, to see what of a transaction is there."""

from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, func, insert, select

from medaccord.store import reading, tables

AT = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
COUNT = select(func.count()).select_from(tables.enrolment_attempt)


def add_attempt(connection: Connection, at: datetime = AT) -> None:
    connection.execute(insert(tables.enrolment_attempt).values(account="0x" + "0" * 40, at=at))


def count_attempts(engine: Engine) -> int:
    with reading(engine) as connection:
        return connection.execute(COUNT).scalar_one()
