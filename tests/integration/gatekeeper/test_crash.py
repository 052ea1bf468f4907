"""A crash at any moment: the log may say more than was answered, never less."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
from sqlalchemy import Engine, select
from starlette.types import Message, Receive, Scope, Send

import medaccord
from medaccord.core.audit import chain_head
from medaccord.core.identifiers import ZERO_DIGEST, digest
from medaccord.gatekeeper import Gatekeeper
from medaccord.gatekeeper.app import create_app
from medaccord.keys import LocalSigner
from medaccord.store import reading, tables
from tests.integration.gatekeeper.desk import Desk

WRITER = Path(__file__).with_name("log_writer.py")


def _rows(database: Engine) -> list[tuple[int, bytes, bytes]]:
    with reading(database) as connection:
        rows = connection.execute(select(tables.audit_entry).order_by("number")).all()
    return [(row.number, row.commitment, row.head) for row in rows]


def test_entry_is_on_the_disk_when_the_first_byte_of_the_answer_leaves(
    desk: Desk, gatekeeper: Gatekeeper, database: Engine, patient: LocalSigner
) -> None:
    headers = desk.sign_in(patient)
    app = create_app(gatekeeper, desk.url)
    seen: list[int] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def leaving(message: Message) -> None:
            seen.append(len(_rows(database)))
            await send(message)

        await app(scope, receive, leaving)

    async def ask() -> int:
        transport = httpx.ASGITransport(watched)
        async with httpx.AsyncClient(transport=transport, base_url=desk.url) as client:
            parameters = {"patient": desk.account(patient)}
            answer = await client.get("/fhir/Observation", params=parameters, headers=headers)
            return answer.status_code

    assert asyncio.run(ask()) == 200
    assert seen[0] == 1


def test_log_holds_every_entry_told_of_when_the_process_is_killed(
    folder: Path, database_url: str, database: Engine
) -> None:
    writer = subprocess.Popen(
        [sys.executable, str(WRITER), database_url, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(medaccord.__file__).parents[1])},
    )
    assert writer.stdout is not None
    told = [int(writer.stdout.readline()) for _ in range(20)]
    os.kill(writer.pid, signal.SIGKILL)
    told += [int(line) for line in writer.stdout.read().splitlines() if line]
    writer.stdout.close()
    writer.wait()
    rows = _rows(database)
    assert [number for number, _, _ in rows] == list(range(1, len(rows) + 1))
    assert len(set(told)) == len(told)
    assert len(rows) >= max(told)
    head = ZERO_DIGEST
    for number, commitment, stored in rows:
        head = chain_head(head, number, digest(commitment))
        assert head == stored
