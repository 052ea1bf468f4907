"""A visit to a gatekeeper in a process of its own: who asks it, and what."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self

import httpx

from benchmarks.hospital import SEARCHED, Hospital, identity
from benchmarks.hospital_chain import CONSENTS_EACH, HospitalNode, grantee_key, patient_key
from benchmarks.http_load import request
from benchmarks.synthetic_chain import CHAIN_ID, GRANTEES
from medaccord.chain import actions
from medaccord.client.event_stream import read_events
from medaccord.core.identifiers import AccountId
from medaccord.core.notices import NoticeKind
from medaccord.core.purposes import Purpose
from medaccord.keys import LocalSigner

_BEGINNING: Final = 600.0
_PATIENCE: Final = 30.0
_ANSWER: Final = 60.0

Questions = dict[str, tuple[str, Iterator[bytes]]]


class Visit:
    """A gatekeeper that runs, and the clients that ask it. A context manager.

    Attributes:
        peak_mebibytes: the most memory that the server had, once the visit is over.
    """

    def __init__(self, hospital: Hospital, *, answering: set[int]) -> None:
        """Start the server on some cores."""
        self._hospital = hospital
        self._chain = hospital.chain()
        node = HospitalNode(self._chain)
        self._contracts = node.contracts(node.network())
        self._dice = random.Random(hospital.records)
        self._tokens: dict[int, str] = {}
        self.peak_mebibytes = 0
        command = [sys.executable, "-m", "benchmarks.hospital_server"]
        command += map(str, (hospital.patients, hospital.records, hospital.height))
        command += [str(hospital.folder), hospital.database_url]
        self._server = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, answering),
        )
        places = self._heard()
        self._url, self._bare = places["gatekeeper"], places["bare"]
        self._http = httpx.Client(base_url=self._url, timeout=_ANSWER)
        self._wait_until_ready()

    def __enter__(self) -> Self:
        """The visit."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server, and wait until it has."""
        self._http.close()
        if error is None:
            assert self._server.stdin is not None
            self._server.stdin.close()
            self.peak_mebibytes = self._heard()["peak_mebibytes"]
        else:
            self._server.kill()
        self._server.wait()

    def sign_in(self) -> None:
        """Give every organisation a fresh token."""
        for number in range(GRANTEES):
            self._tokens[number] = self._signed_in(grantee_key(number))

    def questions(self, batch: int) -> Questions:
        """What is asked of which server, without end, by its name.

        Args:
            batch: questions in one batch check.
        """
        url = self._url
        return {
            "health": (url, _ask(lambda: request("GET", url, "/health"))),
            "read": (url, _ask(self._read)),
            "bare": (self._bare, _ask(lambda: self._read(self._bare))),
            "row_alone": (self._bare, _ask(lambda: request("GET", self._bare, "/row/1"))),
            "search_50": (url, _ask(self._search)),
            "check": (url, _ask(self._check)),
            "batch_check": (url, _ask(lambda: self._batch(batch))),
        }

    def handed_in(self, times: int) -> list[float]:
        """Seconds from a revocation that a patient hands in to the first refusal, each."""

        def hand_in(patient: int, place: int) -> float:
            consent = self._chain.consent_id(patient, place)
            action = actions.revoke(
                self._contracts, patient=self._chain.patient(patient), consent_id=consent
            )
            document = actions.signed(action, patient_key(patient)).to_document()
            started = time.monotonic()
            answer = self._http.post("/relay?wait=false", json={"action": document})
            assert answer.status_code == 202, answer.text
            return started

        return [self._obeyed(hand_in, number, 0) for number in range(times)]

    def mined(self, times: int) -> list[float]:
        """Seconds from a revocation in a new block to the first refusal, each."""

        def mine(patient: int, place: int) -> float:
            return float(self._mined("revocation", patient, place))

        return [self._obeyed(mine, number, 1) for number in range(times)]

    def told(self, times: int) -> list[float]:
        """Seconds from an emergency access in a new block to the patient's stream, each."""
        return [self._told(number) for number in range(times)]

    def _told(self, patient: int) -> float:
        token = self._signed_in(patient_key(patient))
        headers = {"Authorization": f"Bearer {token}"}
        with self._http.stream("GET", "/notices/stream", headers=headers) as answer:
            events = read_events(answer.iter_bytes())
            next(events)  # says where the stream begins
            mined = self._mined("emergency", patient, 0)
            for event in events:
                if json.loads(event.data)["kind"] == NoticeKind.EMERGENCY.value:
                    return time.monotonic() - mined
        raise SystemExit("an emergency access was not told")

    def _obeyed(self, revoke: Callable[[int, int], float], patient: int, place: int) -> float:
        """Seconds from a revocation to the first refusal; reads go on all the time."""
        token = self._tokens[(patient + place) % GRANTEES]
        path, headers = self._path(patient, 0), {"Authorization": f"Bearer {token}"}

        def refused() -> float:
            until = time.monotonic() + _PATIENCE
            with httpx.Client(base_url=self._url, timeout=_ANSWER) as http:
                while time.monotonic() < until:
                    if http.get(path, headers=headers).status_code == 403:
                        return time.monotonic()
            raise SystemExit("a revocation was not obeyed")

        assert self._http.get(path, headers=headers).status_code == 200
        with ThreadPoolExecutor(1) as reader:
            first = reader.submit(refused)
            started = revoke(patient, place)
            return first.result() - started

    def _mined(self, kind: str, patient: int, place: int) -> float:
        assert self._server.stdin is not None
        self._server.stdin.write(f"{kind} {patient} {place}\n")
        self._server.stdin.flush()
        return float(self._heard()["mined_at"])

    def _heard(self) -> dict[str, Any]:
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        if not line:
            raise SystemExit("the server ended")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def _wait_until_ready(self) -> None:
        """It reads its whole chain first."""
        until = time.monotonic() + _BEGINNING
        while (answer := self._http.get("/ready")).status_code != 200:
            if time.monotonic() > until:
                raise SystemExit(f"the gatekeeper is not ready: {answer.text}")
            time.sleep(0.2)

    def _signed_in(self, signer: LocalSigner) -> str:
        who = {"account": signer.address, "by": signer.address}
        message = self._http.post("/sign-in/challenge", json=who).json()["message"]
        signature = "0x" + signer.sign_text(message).hex()
        answer = self._http.post("/sign-in", json={"message": message, "signature": signature})
        if answer.status_code != 200:
            raise SystemExit(f"signing in failed: {answer.text}")
        return str(answer.json()["token"])

    def _somebody(self, *, thick: bool = False) -> tuple[int, str]:
        """A patient, and the token of an organisation that it lets read."""
        patient = self._dice.randrange(self._hospital.patients)
        if thick:
            patient -= patient % 10
        place = self._dice.randrange(CONSENTS_EACH)
        return patient, self._tokens[(patient + place) % GRANTEES]

    def _account(self, patient: int) -> str:
        return str(AccountId(chain_id=CHAIN_ID, address=self._chain.patient(patient)))

    def _path(self, patient: int, number: int) -> str:
        account = self._account(patient)
        return f"/fhir/Observation/{identity(patient, number)}?patient={account}"

    def _read(self, url: str | None = None) -> bytes:
        patient, token = self._somebody()
        number = self._dice.randrange(self._hospital.observations(patient))
        return request("GET", url or self._url, self._path(patient, number), token=token)

    def _search(self) -> bytes:
        patient, token = self._somebody(thick=True)
        path = f"/fhir/Observation?patient={self._account(patient)}&_count={SEARCHED}"
        return request("GET", self._url, path, token=token)

    def _check(self) -> bytes:
        patient, token = self._somebody()
        body = json.dumps(self._asked(patient)).encode()
        return request("POST", self._url, "/access/check", token=token, body=body)

    def _batch(self, size: int) -> bytes:
        _, token = self._somebody()
        asked = [self._asked(self._dice.randrange(self._hospital.patients)) for _ in range(size)]
        body = json.dumps({"checks": asked}).encode()
        return request("POST", self._url, "/access/check/batch", token=token, body=body)

    def _asked(self, patient: int) -> dict[str, Any]:
        return {
            "patient": self._chain.patient(patient),
            "purpose": Purpose.TREAT.value,
            "interaction": "r",
            "resourceType": "Observation",
        }


def _ask(write: Callable[[], bytes]) -> Iterator[bytes]:
    while True:
        yield write()
