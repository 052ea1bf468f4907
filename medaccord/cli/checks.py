"""What `medaccord doctor` tests: each part by itself, without changing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Final

import httpx

from medaccord.chain.network import Network
from medaccord.chain.trust import trusted
from medaccord.client.connecting import contracts_on
from medaccord.core.errors import (
    DeploymentMismatch,
    InvalidDeployment,
    InvalidInput,
    KeyMissing,
    MedaccordError,
    StoreFailed,
    TransportError,
)
from medaccord.core.identifiers import address
from medaccord.core.masking import masked
from medaccord.keys import Keystore, Passphrase
from medaccord.settings import Settings
from medaccord.store.engine import engine_of
from medaccord.store.schema import version_of, versions
from medaccord.store.urls import database_url

_PATIENCE: Final = timedelta(seconds=5)


class Outcome(Enum):
    """What a test found."""

    OK = "ok"
    """It works."""
    ABSENT = "absent"
    """It is not there, which is right for who has no use for it."""
    UNTESTED = "untested"
    """What it needs failed."""
    FAILED = "failed"
    """It does not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a test found.

    Attributes:
        part: what was tested.
        outcome: how it stands.
        told: one line about it.
        todo: what to do; None where there is nothing to.
    """

    part: str
    outcome: Outcome
    told: str
    todo: str | None = None


class Checks:
    """The tests of one set of settings, in the order they build on each other."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is tested yet."""
        self._settings = settings
        self.parts: dict[str, Callable[[], Finding]] = {
            "node": self._test_node,
            "deployment": self._test_deployment,
            "gatekeeper": self._test_gatekeeper,
            "store": self._test_store,
            "keystore": self._test_keystore,
        }

    def run(self) -> Iterator[Finding]:
        """Test one part after another."""
        for test in self.parts.values():
            yield test()

    @cached_property
    def _network(self) -> Network:
        return Network.connect(
            self._settings.rpc_url, timeout=_PATIENCE, block_period=self._settings.block_period
        )

    def _test_node(self) -> Finding:
        wanted = self._settings.chain_id
        try:
            network = self._network
            head = network.head()
        except TransportError as error:
            return _failed(
                "node", error, "start one (`medaccord node`), or name it with MEDACCORD_RPC_URL"
            )
        made = f"{head.timestamp:%Y-%m-%d %H:%M:%S} UTC"
        where = f"chain {network.chain_id}, block {head.number} of {made}"
        if wanted not in (None, network.chain_id):
            return Finding(
                part="node",
                outcome=Outcome.FAILED,
                told=f"{where}, and not on chain {wanted}",
                todo="name the node of that chain, or set MEDACCORD_CHAIN_ID to this one's",
            )
        return Finding(part="node", outcome=Outcome.OK, told=where)

    def _test_deployment(self) -> Finding:
        try:
            network = self._network
        except TransportError:
            return _untested("deployment", "the node does not answer")
        path = self._settings.record_of(network.genesis_hash)
        try:
            contracts = contracts_on(network, path)
            members = contracts.call("Registry", "activeMembers")
        except InvalidDeployment as error:
            return _failed(
                "deployment",
                error,
                "`medaccord deploy`, or put the consortium's record there (MEDACCORD_RECORD)",
            )
        except (DeploymentMismatch, TransportError) as error:
            return _failed("deployment", error, "name the node and the record that fit")
        return Finding(
            part="deployment",
            outcome=Outcome.OK,
            told=f"{path}: {len(contracts.addresses)} contracts, {members} active members",
        )

    def _test_gatekeeper(self) -> Finding:
        settings = self._settings
        said = settings.gatekeeper or settings.public_url
        url = (said or f"http://{settings.host}:{settings.port}").rstrip("/")
        shown = masked(url)
        named = said is not None
        try:
            with httpx.Client(timeout=_PATIENCE.total_seconds(), verify=trusted()) as http:
                health, ready = http.get(f"{url}/health"), http.get(f"{url}/ready")
            steward = str(health.raise_for_status().json()["steward"])
            status = str(ready.json()["status"])
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError) as error:
            return Finding(
                part="gatekeeper",
                outcome=Outcome.FAILED if named else Outcome.ABSENT,
                told=f"none answers at {shown} ({type(error).__name__})",
                todo="start it (`medaccord serve`), or name it with MEDACCORD_GATEKEEPER"
                if named
                else "nothing, unless you run one: then start it (`medaccord serve`)",
            )
        told = f"{shown} is that of {steward}, and {status}"
        if status != "ready":
            return Finding(
                part="gatekeeper",
                outcome=Outcome.FAILED,
                told=told,
                todo="see its log: it refuses every read until that is mended",
            )
        return Finding(part="gatekeeper", outcome=Outcome.OK, told=told)

    def _test_store(self) -> Finding:
        shown = masked(self._settings.database_url)
        try:
            parsed = database_url(self._settings.database_url)
            if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
                return Finding(
                    part="store",
                    outcome=Outcome.ABSENT,
                    told=f"there is no {shown} yet",
                    todo="nothing: a gatekeeper makes it when it starts",
                )
            engine = engine_of(self._settings.database_url, _PATIENCE)
            try:
                there = version_of(engine)
            finally:
                engine.dispose()
        except (StoreFailed, InvalidInput) as error:
            return _failed(
                "store", error, "start the database, or name it with MEDACCORD_DATABASE_URL"
            )
        if there is not None and there not in versions():
            return Finding(
                part="store",
                outcome=Outcome.FAILED,
                told=f"{shown} is of version {there}, which a newer program made",
                todo="upgrade medaccord",
            )
        state = "empty" if there is None else f"of version {there}"
        newer = there is not None and there != versions()[-1]
        return Finding(
            part="store",
            outcome=Outcome.OK,
            told=f"{shown} is {state}"
            + (f"; the next start makes it {versions()[-1]}" if newer else ""),
        )

    def _test_keystore(self) -> Finding:
        settings = self._settings
        store = Keystore(settings.keystore)
        try:
            accounts = store.addresses()
            if not accounts and settings.account is None:
                return Finding(
                    part="keystore",
                    outcome=Outcome.ABSENT,
                    told=f"there is no key in {settings.keystore}",
                    todo="make one with `medaccord account new`",
                )
            told = f"{settings.keystore} holds the keys of {len(accounts)} accounts"
            if settings.account is None:
                return Finding(part="keystore", outcome=Outcome.OK, told=told)
            store.file(address(settings.account))
            if settings.passphrase_file is None:
                told += f", {settings.account} among them"
            else:
                given = Passphrase.from_file(settings.passphrase_file)
                store.unlock(address(settings.account), given)
                told += f"; the passphrase opens that of {settings.account}"
        except KeyMissing as error:
            return _failed(
                "keystore", error, "name another account, or `medaccord account restore`"
            )
        except InvalidInput as error:
            return _failed(
                "keystore", error, "name the file that fits with MEDACCORD_PASSPHRASE_FILE"
            )
        except OSError as error:
            return _failed("keystore", error, "name a folder of yours with MEDACCORD_KEYSTORE")
        return Finding(part="keystore", outcome=Outcome.OK, told=told)


def _failed(part: str, error: MedaccordError | OSError, todo: str) -> Finding:
    return Finding(part=part, outcome=Outcome.FAILED, told=str(error), todo=todo)


def _untested(part: str, why: str) -> Finding:
    return Finding(part=part, outcome=Outcome.UNTESTED, told=why, todo="mend that first")
