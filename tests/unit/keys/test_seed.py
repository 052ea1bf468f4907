"""Seed phrases: the same words, the same accounts, everywhere."""

from __future__ import annotations

import copy
import pickle
import traceback

import pytest

from medaccord.core.errors import InvalidInput
from medaccord.keys import Seed

# The phrase that Hardhat and Foundry publish with the accounts they derive from it.
WORDS = "test test test test test test test test test test test junk"
ACCOUNTS = (
    "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
)


@pytest.mark.parametrize(("index", "expected"), list(enumerate(ACCOUNTS)))
def test_accounts_are_those_of_every_other_wallet(index: int, expected: str) -> None:
    assert Seed.parse(WORDS).account(index).address == expected


def test_fresh_phrase_is_read_back_to_the_same_accounts() -> None:
    seed = Seed.create()
    words = seed.unsafe_words()
    assert len(words.split()) == 12
    assert Seed.parse(words).account(5).address == seed.account(5).address


def test_fresh_phrases_differ() -> None:
    assert Seed.create().unsafe_words() != Seed.create().unsafe_words()


def test_phrase_is_read_when_typed_in_a_persons_way() -> None:
    typed = "  Test test TEST test test test\ntest test test test  test junk "
    assert Seed.parse(typed).account(0).address == ACCOUNTS[0]


def test_phrase_is_read_when_its_words_are_numbered() -> None:
    numbered = " ".join(f"{at}. {word}" for at, word in enumerate(WORDS.split(), start=1))
    assert Seed.parse(numbered).unsafe_words() == WORDS


@pytest.mark.parametrize(
    "words",
    [
        "",
        "test",
        WORDS.replace("junk", "test"),
        WORDS.replace("junk", "joke"),
        WORDS.replace("junk", "jnuk"),
        WORDS.removesuffix(" junk"),
    ],
)
def test_phrase_is_refused_when_a_word_is_wrong(words: str) -> None:
    with pytest.raises(InvalidInput, match="no seed phrase"):
        Seed.parse(words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            WORDS.removesuffix(" junk"),
            "11 of them, and a phrase has 12, 15, 18, 21 or 24",
        ),
        (WORDS.replace("junk", "jnuk"), "the spelling of word 12, which no list"),
        (WORDS.replace("test test test ", "tset test tets ", 1), "the spelling of word 1, 3,"),
        (WORDS.replace("junk", "joke"), "one of them is another than it should be"),
    ],
)
def test_refusal_tells_which_word_is_wrong_and_not_what_it_is(words: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        Seed.parse(words)


def test_refusal_does_not_repeat_the_words() -> None:
    with pytest.raises(InvalidInput) as caught:
        Seed.parse("correct horse battery staple")
    assert "horse" not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("index", [-1, 2**31])
def test_account_is_refused_when_the_index_is_out_of_range(index: int) -> None:
    with pytest.raises(InvalidInput, match="they run from 0"):
        Seed.parse(WORDS).account(index)


def test_last_account_is_derived() -> None:
    seed = Seed.parse(WORDS)
    assert seed.account(2**31 - 1).address not in (ACCOUNTS[0], seed.account(2**31 - 2).address)


def test_words_are_not_shown() -> None:
    assert "test" not in repr(Seed.parse(WORDS))


def test_seed_is_neither_pickled_nor_copied() -> None:
    for copy_of in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="neither pickled nor copied"):
            copy_of(Seed.create())
