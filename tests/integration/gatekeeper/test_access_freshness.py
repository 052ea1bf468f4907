"""How fresh a check is: within the bounds, as of the latest block, or of one that it names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.consistency import ConsistencyToken
from medaccord.core.identifiers import digest
from medaccord.core.refusals import Refusal
from medaccord.keys import LocalSigner
from tests.integration.gatekeeper.cable import Cable
from tests.integration.gatekeeper.checks import asking, check, verdict
from tests.integration.gatekeeper.desk import Desk, assert_refused


def test_check_is_decided_at_the_block_it_must_know_when_that_is_new(
    opened: Any, visit: Any, chain: EmbeddedChain, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk = visit(opened(poll_interval=timedelta(hours=1)))
    headers = desk.sign_in(clinician)
    chain.mine()
    newest = str(ConsistencyToken.of(desk.contracts.network.head()))

    def told(**extra: str) -> str:
        answer = desk.http.post("/access/check", json=asking(patient), headers=headers | extra)
        return str(verdict(answer)["consistencyToken"])

    assert told() != newest
    assert told(**{"Medaccord-At-Least": newest}) == newest


def test_check_asks_the_chain_when_the_latest_is_wanted(
    opened: Any, visit: Any, chain: EmbeddedChain, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk = visit(opened(poll_interval=timedelta(hours=1)))
    headers = desk.sign_in(clinician) | {"Medaccord-Freshness": "latest"}
    chain.mine()
    answer = desk.http.post("/access/check", json=asking(patient), headers=headers)
    newest = str(ConsistencyToken.of(desk.contracts.network.head()))
    assert verdict(answer)["consistencyToken"] == newest


def test_check_is_refused_when_the_block_it_must_know_is_still_to_come(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    head = desk.contracts.network.head()
    token = ConsistencyToken(chain_id=head.chain_id, number=head.number + 9, hash=head.hash)
    answer = check(desk, clinician, asking(patient), **{"Medaccord-At-Least": str(token)})
    assert_refused(answer, 503, Refusal.LEDGER_BEHIND)
    assert f"Block {token.number} has not come here yet" in answer.text


def test_check_is_refused_when_the_block_it_must_know_was_replaced(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    head = desk.contracts.network.head()
    other = digest(b"\x99" * 32)
    token = ConsistencyToken(chain_id=head.chain_id, number=head.number, hash=other)
    answer = check(desk, clinician, asking(patient), **{"Medaccord-At-Least": str(token)})
    assert_refused(answer, 503, Refusal.LEDGER_BEHIND)
    assert "not on the branch of the chain" in answer.text


def test_check_is_refused_when_the_block_it_must_know_is_of_another_chain(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    head = desk.contracts.network.head()
    token = ConsistencyToken(chain_id=1, number=head.number, hash=head.hash)
    answer = check(desk, clinician, asking(patient), **{"Medaccord-At-Least": str(token)})
    assert_refused(answer, 400, "InvalidRequest")


def test_check_is_refused_when_its_token_is_no_token(
    desk: Desk, patient: LocalSigner, clinician: LocalSigner
) -> None:
    answer = check(desk, clinician, asking(patient), **{"Medaccord-At-Least": "yesterday"})
    assert_refused(answer, 400, "InvalidRequest")


def test_check_is_refused_when_the_chain_is_out_of_reach_and_the_latest_is_wanted(
    opened: Any, visit: Any, cable: Cable, patient: LocalSigner, clinician: LocalSigner
) -> None:
    desk = visit(opened(poll_interval=timedelta(hours=1)))
    headers = desk.sign_in(clinician)
    cable.is_cut = True
    body = asking(patient)
    latest = {"Medaccord-Freshness": "latest"}
    answer = desk.http.post("/access/check", json=body, headers=headers | latest)
    assert_refused(answer, 503, Refusal.CHAIN_UNREACHABLE)
