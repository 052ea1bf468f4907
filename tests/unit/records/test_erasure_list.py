"""The erasure list: what was appended is there, whatever was torn off or changed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from medaccord.core.errors import InvalidDocument, KeyStoreFailed, StoreFailed
from medaccord.core.identifiers import Digest
from medaccord.records import Owner
from medaccord.records.erasure_list import ErasureLine, ErasureList

AT = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def line(number: int = 1, record: bytes | None = None) -> ErasureLine:
    return ErasureLine(
        owner=Owner(number.to_bytes(32).hex()),
        record=None if record is None else Digest(record),
        upto_generation=number,
        erased_at=AT,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "erasures.jsonl"


def test_lines_come_back_in_order_when_appended(tmp_path: Path) -> None:
    lines = (line(1), line(2, b"r" * 32), line(3))
    for each in lines:
        ErasureList(tmp_path).append(each)
    assert ErasureList(tmp_path).lines() == lines


def test_list_is_empty_when_nothing_was_erased(tmp_path: Path) -> None:
    assert ErasureList(tmp_path).lines() == ()


def test_list_is_for_its_owner_alone_when_made(tmp_path: Path, path: Path) -> None:
    ErasureList(tmp_path).append(line())
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("torn", [1, 20, 100])
def test_torn_last_line_counts_as_undecided_when_power_was_cut(
    tmp_path: Path, path: Path, torn: int
) -> None:
    erasures = ErasureList(tmp_path)
    erasures.append(line(1))
    whole = path.stat().st_size
    erasures.append(line(2))
    path.write_bytes(path.read_bytes()[: whole + torn])
    assert erasures.lines() == (line(1),)


def test_torn_last_line_is_overwritten_when_the_next_is_appended(
    tmp_path: Path, path: Path
) -> None:
    erasures = ErasureList(tmp_path)
    erasures.append(line(1))
    path.write_bytes(path.read_bytes() + b'{"owner":"00')
    erasures.append(line(2))
    assert erasures.lines() == (line(1), line(2))


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "no json", '{"owner":"zz","record":null,"uptoGeneration":1}']
)
def test_list_is_refused_with_its_line_when_it_was_changed(
    tmp_path: Path, path: Path, text: str
) -> None:
    erasures = ErasureList(tmp_path)
    erasures.append(line(1))
    path.write_text(f"{path.read_text()}{text}\n")
    erasures.append(line(3))
    with pytest.raises(InvalidDocument) as caught:
        erasures.lines()
    assert caught.value.line == 2


def test_append_is_refused_when_the_key_store_is_gone(tmp_path: Path) -> None:
    with pytest.raises(KeyStoreFailed, match="the key store is not at"):
        ErasureList(tmp_path / "gone").append(line())
    assert not (tmp_path / "gone").exists()


def test_lines_are_refused_when_the_key_store_is_gone(tmp_path: Path) -> None:
    with pytest.raises(KeyStoreFailed, match="the key store is not at"):
        ErasureList(tmp_path / "gone").lines()


def test_append_is_refused_when_the_list_cannot_be_written(tmp_path: Path, path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreFailed, match=r"erasures\.jsonl cannot be used .*nothing was decided"):
        ErasureList(tmp_path).append(line())


def test_no_line_is_lost_when_many_append_at_once(tmp_path: Path) -> None:
    lines = [line(number) for number in range(1, 41)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: ErasureList(tmp_path).append(each), lines))
    assert set(ErasureList(tmp_path).lines()) == set(lines)
