"""What is kept open counts only while the row is as it was and its key is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from medaccord.core.errors import DecryptionFailed, KeyMissing
from medaccord.keys import FolderPatientKeys
from medaccord.records import Owner, Sealer
from medaccord.records.opened_rows import OpenedRows
from medaccord.records.sealer import SealedColumns

OWNER = Owner("ab" * 32)
PLACE = b"row 1"


@pytest.fixture
def keys(tmp_path: Path) -> FolderPatientKeys:
    made = FolderPatientKeys(tmp_path / "keys")
    made.create(OWNER)
    return made


@pytest.fixture
def sealer(keys: FolderPatientKeys) -> Sealer:
    return Sealer(keys)


class Reader:
    """Counts what it is given to read."""

    def __init__(self) -> None:
        self.read: list[bytes] = []

    def __call__(self, text: bytes) -> bytes:
        self.read.append(text)
        return text


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def kept(sealer: Sealer, most: int = 10_000) -> tuple[OpenedRows[bytes], Reader]:
    return OpenedRows(sealer, most_bytes=most), Reader()


def test_row_is_opened_once_when_it_is_as_it_was(sealer: Sealer) -> None:
    rows, reader = kept(sealer)
    row = sealer.seal(OWNER, b"said", PLACE)
    assert [rows.open(OWNER, row, PLACE, reader) for _ in range(3)] == [b"said"] * 3
    assert reader.read == [b"said"]


def test_row_is_opened_anew_when_it_was_written_again(sealer: Sealer) -> None:
    rows, reader = kept(sealer)
    rows.open(OWNER, sealer.seal(OWNER, b"before", PLACE), PLACE, reader)
    after = sealer.seal(OWNER, b"after", PLACE)
    assert rows.open(OWNER, after, PLACE, reader) == b"after"


@pytest.mark.parametrize(
    "change",
    [
        lambda row: {**row, "ciphertext": flipped(row["ciphertext"])},
        lambda row: {**row, "wrapped_key": flipped(row["wrapped_key"])},
    ],
    ids=["ciphertext", "wrapped_key"],
)
def test_row_does_not_open_when_a_byte_of_it_was_changed(
    sealer: Sealer, change: Callable[[SealedColumns], SealedColumns]
) -> None:
    rows, reader = kept(sealer)
    row = sealer.seal(OWNER, b"said", PLACE)
    rows.open(OWNER, row, PLACE, reader)
    with pytest.raises(DecryptionFailed):
        rows.open(OWNER, change(row), PLACE, reader)


def test_row_does_not_open_in_another_place_when_it_was_moved(sealer: Sealer) -> None:
    rows, reader = kept(sealer)
    row = sealer.seal(OWNER, b"said", PLACE)
    rows.open(OWNER, row, PLACE, reader)
    with pytest.raises(DecryptionFailed):
        rows.open(OWNER, row, b"row 2", reader)


def test_row_does_not_open_when_another_process_erased_its_key(
    sealer: Sealer, tmp_path: Path
) -> None:
    rows, reader = kept(sealer)
    row = sealer.seal(OWNER, b"said", PLACE)
    rows.open(OWNER, row, PLACE, reader)
    FolderPatientKeys(tmp_path / "keys").erase(OWNER)
    with pytest.raises(KeyMissing):
        rows.open(OWNER, row, PLACE, reader)


def test_row_does_not_open_when_its_generation_was_retired(
    sealer: Sealer, keys: FolderPatientKeys
) -> None:
    rows, reader = kept(sealer)
    row = sealer.seal(OWNER, b"said", PLACE)
    rows.open(OWNER, row, PLACE, reader)
    keys.retire(OWNER, keys.renew(OWNER).generation)
    with pytest.raises(KeyMissing):
        rows.open(OWNER, row, PLACE, reader)


def test_oldest_row_is_forgotten_when_there_are_more_bytes_than_may_be_kept(
    sealer: Sealer,
) -> None:
    rows, reader = kept(sealer, most=100)
    places = [b"row 1", b"row 2"]
    sealed = [sealer.seal(OWNER, b"x" * 50, place) for place in places]
    for row, place in zip(sealed, places, strict=True):
        rows.open(OWNER, row, place, reader)
    rows.open(OWNER, sealed[1], places[1], reader)
    assert len(reader.read) == 2
    rows.open(OWNER, sealed[0], places[0], reader)
    assert len(reader.read) == 3
