"""Gas of every operation, measured on the real contracts, beside its ceiling.

    python -m benchmarks.gas            a table
    python -m benchmarks.gas --json     {"operation": gas}

Exits with 1 when a ceiling is broken. Runs on py-evm in this process; keys are fixed, so that two
runs differ by no more than the zero bytes of hashes and times.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from eth_utils.crypto import keccak
from rich.console import Console
from rich.table import Table

from medaccord.chain import (
    Contracts,
    FounderAdmission,
    Power,
    Role,
    Sender,
    actions,
    connect,
    deploy,
)
from medaccord.chain.actions import Action, Kind
from medaccord.chain.embedded import EmbeddedChain
from medaccord.client import Admission, Consortium
from medaccord.core.identifiers import Digest, digest
from medaccord.keys import LocalSigner

CEILINGS: Final[Mapping[str, int]] = {
    "grant": 66_000,
    "grant_relayed": 74_000,
    "revoke": 38_000,
    "revoke_relayed": 47_000,
    "revoke_all": 31_000,
    "revoke_all_first": 48_000,
    "relationship": 118_000,
    "anchor": 40_000,
    "anchor_first": 57_000,
}
"""Most that an operation may cost."""

FLOORS: Final[Mapping[str, int]] = {"grant": 47_164, "revoke": 24_587}
"""One packed slot and one event, with no check at all."""

_DAY: Final = timedelta(days=1)


class Bench:
    """A chain with the contracts, one patient, one steward and one grantee."""

    def __init__(self) -> None:
        """Deploy, and admit everybody."""
        self.chain = EmbeddedChain()
        network = self.chain.network()
        self.patient, self.hospital, self.grantee = map(self._signer, ("patient", "hospital", "b"))
        self.relayer = Sender(network, self._signer("relayer"))
        key, profile = _hash("key"), _hash("profile")
        founder = FounderAdmission(
            signer=self.hospital, key=key, profile=profile, roles=Role.MEMBER | Role.STEWARD
        )
        self.contracts: Contracts = connect(network, deploy(network, self.relayer, founder))
        seat = Consortium(self.hospital, self.contracts, self.relayer)
        wish = Admission.sign(self.contracts, self.grantee, key=key, profile=profile)
        motion = seat.propose(Kind.ADMIT, admission=wish, roles=Role.EMERGENCY)
        done = seat.approve(motion), seat.execute(motion, admission=wish)
        self.admit = sum(each.gas_used or 0 for each in done)  # both are mined
        self.chain.advance(2 * _DAY)

    def direct(self, action: Action, signer: LocalSigner) -> int:
        """Gas of an action that its own key sends."""
        return actions.submit(Sender(self.contracts.network, signer), action).gas_used

    def relayed(self, action: Action, signer: LocalSigner) -> int:
        """Gas of an action that its key signs and somebody else sends."""
        return actions.submit(self.relayer, actions.signed(action, signer)).gas_used

    def relationship(self) -> int:
        """Gas of both sides of a relationship together."""
        patient, steward = self.patient.address, self.hospital.address
        proposal = actions.propose(
            self.contracts, patient=patient, steward=steward, account=steward
        )
        proposed = self.direct(proposal, self.hospital)
        acceptance = actions.accept(
            self.contracts, patient=patient, steward=steward, account=patient
        )
        return proposed + self.relayed(acceptance, self.patient)

    def consent(self, name: str) -> Action:
        """A consent in answer to a request."""
        now = self.contracts.network.clock()
        return actions.grant(
            self.contracts,
            patient=self.patient.address,
            grantee=self.grantee.address,
            terms=_hash(f"terms {name}"),
            valid_from=now,
            valid_until=now + 30 * _DAY,
            request=_hash(f"request {name}"),
        )

    def _signer(self, name: str) -> LocalSigner:
        signer = LocalSigner.unsafe_from_key(_hash(name))
        self.chain.fund(signer.address)
        return signer


def measure() -> dict[str, int]:
    """Gas of each operation, by its name.

    `relationship` is the steward's proposal, sent by itself, and the patient's acceptance, signed
    and relayed. `admit` is the approval of the only member and the execution.
    """
    bench = Bench()
    contracts, patient, hospital = bench.contracts, bench.patient, bench.hospital
    gas = {"admit": bench.admit, "relationship": bench.relationship()}
    ways: tuple[tuple[str, Callable[[Action, LocalSigner], int]], ...] = (
        ("", bench.direct),
        ("_relayed", bench.relayed),
    )
    for suffix, send in ways:
        consent = bench.consent(suffix)
        gas[f"grant{suffix}"] = send(consent, patient)
        revocation = actions.revoke(contracts, patient=patient.address, consent_id=consent.digest)
        gas[f"revoke{suffix}"] = send(revocation, patient)
    for name, send in (
        ("revoke_all_first", bench.direct),
        ("revoke_all", bench.direct),
        ("revoke_all_relayed", bench.relayed),
    ):
        gas[name] = send(actions.revoke_all(contracts, account=patient.address), patient)
    for name in ("anchor_first", "anchor"):
        append = actions.append(
            contracts, account=hospital.address, topic=_hash("topic"), root=_hash(name)
        )
        gas[name] = bench.direct(append, hospital)
    now = contracts.network.clock()
    gas["emergency"] = bench.direct(
        actions.open_emergency(
            contracts,
            patient=patient.address,
            grantee=bench.grantee.address,
            reason=_hash("reason"),
            valid_until=now + timedelta(hours=1),
        ),
        bench.grantee,
    )
    gas["delegate"] = bench.direct(
        actions.delegate(
            contracts,
            account=patient.address,
            delegate=hospital.address,
            powers=Power.GRANT,
            until=now + _DAY,
        ),
        patient,
    )
    gas["rotate"] = bench.direct(
        actions.rotate(contracts, account=patient.address, new_controller=bench.grantee.address),
        patient,
    )
    return gas


def broken(gas: Mapping[str, int]) -> list[str]:
    """The ceilings that are broken, a line each."""
    return [
        f"{name}: {gas[name]:,} gas, over its ceiling of {ceiling:,}"
        for name, ceiling in CEILINGS.items()
        if gas[name] > ceiling
    ]


def main() -> int:
    """Measure, print, and say whether every ceiling holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gas", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    wanted = parser.parse_args()
    gas = measure()
    if wanted.json:
        print(json.dumps(gas, indent=2))
    else:
        _show(gas)
    for line in broken(gas):
        print(line, file=sys.stderr)
    return 1 if broken(gas) else 0


def _show(gas: Mapping[str, int]) -> None:
    table = Table("operation", "gas", "ceiling", "floor")
    for name, used in gas.items():
        limits = (CEILINGS.get(name), FLOORS.get(name.removesuffix("_relayed")))
        table.add_row(name, f"{used:,}", *("" if each is None else f"{each:,}" for each in limits))
    Console().print(table)


def _hash(name: str) -> Digest:
    return digest(keccak(text=f"medaccord/benchmark/{name}"))


if __name__ == "__main__":
    sys.exit(main())
