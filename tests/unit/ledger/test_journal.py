"""Tables whose newest changes can be taken back, block by block."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medaccord.ledger.journal import Journal, Log, Table

CHANGES = st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc"), st.integers()))


@given(blocks=st.lists(CHANGES, max_size=6), undone=st.integers(0, 6))
def test_undo_gives_what_the_blocks_before_had_given(
    blocks: list[list[tuple[int, str, int]]], undone: int
) -> None:
    def apply(upto: int) -> tuple[Journal, Table[str, int], Log[str, int]]:
        journal = Journal()
        table: Table[str, int] = Table(journal)
        log: Log[str, int] = Log(journal)
        for number, changes in enumerate(blocks[:upto], start=1):
            journal.begin(number)
            for kind, key, value in changes:
                if kind:
                    table.put(key, value)
                else:
                    log.append(key, value)
        return journal, table, log

    kept = max(len(blocks) - undone, 0)
    journal, table, log = apply(len(blocks))
    _, expected_table, expected_log = apply(kept)

    journal.undo_after(kept)

    assert table.items() == expected_table.items()
    assert log.items() == expected_log.items()


def test_undo_is_refused_when_it_was_forgotten() -> None:
    journal = Journal()
    table: Table[str, int] = Table(journal)
    for number in (1, 2, 3):
        journal.begin(number)
        table.put("a", number)
    journal.forget_until(2)
    with pytest.raises(LookupError, match="up to block 2"):
        journal.undo_after(1)
    journal.undo_after(2)
    assert table.get("a") == 2
