"""What is sealed, and to whom: one list, as long as the tables say."""

from medaccord.records.sealed_rows import OF_STEWARD, SEALED_TABLES
from medaccord.store import tables


def test_list_names_every_sealed_table_when_compared_with_the_database() -> None:
    sealed = {
        table.name for table in tables.metadata.tables.values() if "key_generation" in table.columns
    }
    # What the steward holds about others, under its own key: no erasure retires that.
    of_steward = {each.table.name for each in OF_STEWARD}
    assert {each.table.name for each in SEALED_TABLES} == sealed - of_steward
    assert of_steward == {"legal_hold", "webhook"}


def test_whose_names_a_pseudonym_or_an_account_when_looked_at() -> None:
    assert {each.whose.name for each in SEALED_TABLES} == {"owner", "patient_ref", "patient"}
