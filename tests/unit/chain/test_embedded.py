"""The chain of this process: its clock, its pool, its points of return, and its threads."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from eth_typing import HexStr
from web3.exceptions import Web3Exception
from web3.types import TxParams

from medaccord.chain import Network, Sender
from medaccord.chain.embedded import EmbeddedChain
from medaccord.core.errors import TransportError
from medaccord.core.identifiers import Address
from medaccord.keys import LocalSigner

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Wall:
    """A clock on the wall that a test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def chain(wall: Wall) -> EmbeddedChain:
    return EmbeddedChain(wall=wall)


@pytest.fixture
def network(chain: EmbeddedChain) -> Network:
    return chain.network()


@pytest.fixture
def stranger() -> Address:
    return LocalSigner.create().address


def balance(network: Network, account: Address) -> int:
    return network.web3.eth.get_balance(account)


def paying(account: Address) -> dict[str, object]:
    """The first transaction of a key: one wei to itself."""
    return {
        "chainId": 1337,
        "nonce": 0,
        "to": account,
        "value": 1,
        "gas": 21_000,
        "maxFeePerGas": 3 * 10**9,
        "maxPriorityFeePerGas": 10**9,
    }


# --- Which chain ---


def test_chain_names_one_id_everywhere(network: Network) -> None:
    assert network.chain_id == 1337
    assert network.web3.net.version == "1337"


def test_transaction_is_refused_when_signed_for_another_chain(
    chain: EmbeddedChain, network: Network
) -> None:
    signer = chain.funded_signer()
    payment = {**paying(signer.address), "chainId": 1}
    with pytest.raises(Web3Exception, match="signed for chain 1, this is 1337"):
        network.web3.eth.send_raw_transaction(signer.sign_transaction(payment))


def test_two_chains_of_one_second_begin_differently(wall: Wall) -> None:
    first, second = (EmbeddedChain(wall=wall).network().block(0) for _ in range(2))
    assert first.timestamp == second.timestamp
    assert first.hash != second.hash


# --- Time ---


def test_chain_begins_now(network: Network) -> None:
    assert network.head().timestamp == START


def test_blocks_are_dated_when_they_are_mined(
    chain: EmbeddedChain, network: Network, wall: Wall
) -> None:
    chain.mine()
    wall.now += timedelta(hours=1)
    chain.mine()
    assert network.head().timestamp == wall.now
    assert chain.clock() == wall.now


def test_clock_is_never_behind_the_head(chain: EmbeddedChain, network: Network) -> None:
    chain.mine(5)
    assert network.head().timestamp == START + timedelta(seconds=5)
    assert chain.clock() == network.head().timestamp


def test_clock_goes_with_the_wall_after_time_passed(
    chain: EmbeddedChain, network: Network, wall: Wall
) -> None:
    chain.advance(timedelta(days=7))
    assert network.head().timestamp == chain.clock() == START + timedelta(days=7)
    wall.now += timedelta(minutes=1)
    assert chain.clock() == START + timedelta(days=7, minutes=1)


def test_time_passes_from_the_head_when_it_is_ahead(chain: EmbeddedChain) -> None:
    chain.mine(5)
    chain.advance(timedelta(seconds=10))
    assert chain.clock() == START + timedelta(seconds=15)


@pytest.mark.parametrize("span", [timedelta(), timedelta(seconds=-1)])
def test_time_does_not_pass_backwards(chain: EmbeddedChain, span: timedelta) -> None:
    with pytest.raises(ValueError, match="forwards only"):
        chain.advance(span)


def test_estimate_is_made_for_the_time_of_the_chain(
    chain: EmbeddedChain, network: Network, stranger: Address
) -> None:
    chain.advance(timedelta(days=400))
    # Deploys code that reverts unless TIMESTAMP is at least that of the head.
    head = int(network.head().timestamp.timestamp())
    code = f"63{head:08x}4210600b57005b5f5ffd"
    transaction: TxParams = {"from": stranger, "data": HexStr("0x" + code)}
    assert network.web3.eth.estimate_gas(transaction) > 21_000


# --- The pool ---


def test_transactions_wait_while_mining_is_paused(
    chain: EmbeddedChain, network: Network, stranger: Address
) -> None:
    with chain.mining_paused():
        chain.fund(stranger, 5)
        chain.fund(stranger, 6)
        assert balance(network, stranger) == 0
        assert network.head().number == 0
    assert balance(network, stranger) == 11
    assert network.head().number == 1


def test_waiting_transactions_count_as_pending_alone(chain: EmbeddedChain) -> None:
    signer = chain.funded_signer()
    eth = chain.network().web3.eth
    sender = Sender(chain.network(), signer)
    with chain.mining_paused():
        sender.send(eth.contract(abi=[], bytecode=HexStr("0x00")).constructor(), wait=False)
        assert eth.get_transaction_count(signer.address, "pending") == 1
        assert eth.get_transaction_count(signer.address, "latest") == 0


def test_pause_within_a_pause_mines_nothing(
    chain: EmbeddedChain, network: Network, stranger: Address
) -> None:
    with chain.mining_paused():
        with chain.mining_paused():
            chain.fund(stranger, 5)
        assert network.head().number == 0
    assert network.head().number == 1


def test_mining_by_hand_takes_in_what_waits(
    chain: EmbeddedChain, network: Network, stranger: Address
) -> None:
    with chain.mining_paused():
        chain.fund(stranger, 5)
        chain.mine()
        assert balance(network, stranger) == 5


@pytest.mark.parametrize("nonce", [0, 2])
def test_transaction_is_refused_when_its_nonce_is_not_the_next(
    chain: EmbeddedChain, network: Network, nonce: int
) -> None:
    signer = chain.funded_signer()
    eth = network.web3.eth
    payment = paying(signer.address)
    eth.send_raw_transaction(signer.sign_transaction(payment))
    with pytest.raises(Web3Exception, match=f"nonce {nonce} where 1 is next"):
        eth.send_raw_transaction(signer.sign_transaction({**payment, "nonce": nonce}))
    assert eth.get_transaction_count(signer.address) == 1


# --- Points of return ---


def test_reverting_takes_back_blocks_money_and_time(
    chain: EmbeddedChain, network: Network, stranger: Address
) -> None:
    chain.mine()
    snapshot, head = chain.snapshot(), network.head()
    chain.fund(stranger, 5)
    chain.advance(timedelta(days=1))
    chain.revert(snapshot)
    assert network.head() == head
    assert balance(network, stranger) == 0
    assert chain.clock() == head.timestamp


def test_reverting_to_the_first_block_takes_back_everything(
    chain: EmbeddedChain, network: Network
) -> None:
    snapshot = chain.snapshot()
    chain.mine(3)
    chain.revert(snapshot)
    chain.mine()
    assert network.head().number == 1
    assert network.web3.eth.chain_id == 1337


def test_reverting_drops_what_waits(
    chain: EmbeddedChain, network: Network, stranger: Address
) -> None:
    snapshot = chain.snapshot()
    with chain.mining_paused():
        chain.fund(stranger, 5)
        chain.revert(snapshot)
    assert balance(network, stranger) == 0


def test_blocks_mined_after_reverting_are_other_blocks(
    chain: EmbeddedChain, network: Network
) -> None:
    snapshot = chain.snapshot()
    chain.mine()
    before = network.head()
    chain.revert(snapshot)
    chain.mine()
    assert network.head().number == before.number
    assert network.head().hash != before.hash


def test_receipt_is_gone_when_its_block_was_reverted(
    chain: EmbeddedChain, network: Network, stranger: Address
) -> None:
    snapshot = chain.snapshot()
    chain.fund(stranger)
    (transaction,) = network.web3.eth.get_block("latest")["transactions"]
    assert isinstance(transaction, bytes)
    network.web3.eth.get_transaction_receipt(transaction)
    chain.revert(snapshot)
    chain.mine(2)
    with pytest.raises(Web3Exception, match="not found"):
        network.web3.eth.get_transaction_receipt(transaction)


# --- Threads, money, and what it needs ---


def test_many_threads_share_a_chain(chain: EmbeddedChain) -> None:
    accounts = [LocalSigner.create().address for _ in range(24)]

    def fund(account: Address) -> int:
        chain.fund(account, 7)
        return balance(chain.network(), account)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(fund, accounts)) == [7] * 24
    assert chain.network().head().number == 24


def test_transaction_is_refused_when_nobody_can_pay_it(chain: EmbeddedChain) -> None:
    poor = Sender(chain.network(), LocalSigner.create())
    call = chain.network().web3.eth.contract(abi=[], bytecode=HexStr("0x00")).constructor()
    with pytest.raises(TransportError, match="balance"):
        poor.send(call)


def test_import_says_what_to_install_when_py_evm_is_missing() -> None:
    program = "import sys; sys.modules['eth_tester'] = None; import medaccord.chain.embedded"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == (
        "ImportError: the embedded chain needs py-evm and eth-tester: "
        "pip install 'medaccord[embedded]'"
    )
