"""Records with their proofs in files: as NDJSON, or in a folder with a file each.

| Form   | A record                                                | A steward's receipt       |
|--------|---------------------------------------------------------|---------------------------|
| NDJSON | ``{"record": {…}, "proof": {…}}``, a line               | ``{"receipt": {…}}``      |
| folder | ``Type/id.json``, and its proof ``Type/id.json.proof``  | a line, `receipts.ndjson` |

A record is written in the bytes that were anchored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from medaccord.cli.own_files import handed_in, written
from medaccord.client import ReleasedRecord
from medaccord.core.canonical import (
    Object,
    document_bytes,
    encode,
    parse_object,
    record_bytes,
)
from medaccord.core.errors import InvalidDocument, InvalidInput
from medaccord.core.proofs import RecordProof
from medaccord.core.receipts import SignedReceipt
from medaccord.core.resource_types import is_record

__all__ = ["Proven", "as_line", "read", "receipt_line", "to_folder", "to_ndjson"]

RECEIPTS: Final = "receipts.ndjson"
"""What a folder has the receipts in."""

_PROOF: Final = ".proof"
"""What a proof's name has after that of its record: the id of a record may end as it likes."""
_MOST_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A record and what is said to prove it, as a file has them; nothing is checked yet.

    Attributes:
        where: the file, and the line where there are several.
        record: its canonical bytes.
        proof: what came with it.
    """

    where: str
    record: bytes
    proof: RecordProof


def as_line(released: ReleasedRecord) -> bytes:
    """A record with its proof, on one line."""
    proof = document_bytes(released.proof.document())
    return b'{"record":' + released.record + b',"proof":' + proof + b"}\n"


def receipt_line(receipt: SignedReceipt) -> bytes:
    """A receipt, on one line."""
    return b'{"receipt":' + document_bytes(receipt.document()) + b"}\n"


def to_ndjson(path: Path, records: Iterable[ReleasedRecord], rest: Callable[[], bytes]) -> None:
    """Write records to one file as they come, whole or not at all.

    Args:
        path: the file, for this user's eyes alone.
        records: what to write.
        rest: what to write after them, asked for then.

    Raises:
        InvalidInput: it cannot be written.
    """
    with written(path) as out:
        for each in records:
            out.write(as_line(each))
        out.write(rest())


def to_folder(path: Path, records: Iterable[ReleasedRecord], rest: Callable[[], bytes]) -> None:
    """Write records to a folder, a file each; what is there of the same name is replaced.

    Args:
        path: the folder, made where there is none, for this user's eyes alone.
        records: what to write.
        rest: lines to add to those with receipts, asked for after them.

    Raises:
        InvalidInput: it cannot be written.
    """
    with _in_folder(path):
        for each in records:
            if not is_record(each.name):
                raise InvalidInput(f"{each.name!r} is no name for a file")
            kind, _, identity = each.name.partition("/")
            (path / kind).mkdir(mode=0o700, parents=True, exist_ok=True)
            with written(path / kind / f"{identity}.json") as out:
                out.write(each.record)
            with written(path / kind / f"{identity}.json{_PROOF}") as out:
                out.write(document_bytes(each.proof.document()))
        receipts = path / RECEIPTS
        before = b""
        if receipts.exists():
            before = handed_in(receipts, what="the file", limit=_MOST_BYTES)
        with written(receipts) as out:
            out.write(before + rest())


def read(path: Path, proof: Path | None = None) -> Iterator[Proven | SignedReceipt]:
    """Read what `to_ndjson` or `to_folder` wrote, or one record with its proof.

    Args:
        path: the file, or the folder.
        proof: where the proof of the one record is; unless given, beside it, `….proof`.

    Raises:
        InvalidInput: it cannot be read, or is something else.
    """
    if not path.is_dir():
        yield from _of_file(path, proof)
        return
    if proof is not None:
        raise InvalidInput("a proof is for one record: leave out --proof for a folder")
    for each in sorted(path.rglob("*.json")):
        yield _one(each, None, handed_in(each, what="the record", limit=_MOST_BYTES))
    if (path / RECEIPTS).exists():
        yield from _of_file(path / RECEIPTS, None)


def _of_file(path: Path, proof: Path | None) -> Iterator[Proven | SignedReceipt]:
    content = handed_in(path, what="the file", limit=_MOST_BYTES)
    if not content.strip():
        raise InvalidInput(f"{path} is empty: it holds neither a record nor a receipt")
    begin = content[: content.find(b"\n") + 1] or content
    if proof is not None or b'"resourceType"' in begin[:64] or not _is_line(begin):
        yield _one(path, proof, content)
        return
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            yield _from_line(f"{path}, line {number}", line)


def _is_line(text: bytes) -> bool:
    try:
        return bool({"record", "receipt"} & parse_object(text).keys())
    except InvalidDocument:  # a record that is written on several lines
        return False


def _from_line(where: str, line: bytes) -> Proven | SignedReceipt:
    with _located(where):
        members = parse_object(line)
        if members.keys() == {"receipt"}:
            return SignedReceipt.parse(encode(members["receipt"]))
        if members.keys() != {"record", "proof"} or not isinstance(members["record"], dict):
            raise InvalidDocument("it has neither a record with its proof, nor a receipt")
        return _proven(where, members["record"], encode(members["proof"]))


def _one(path: Path, proof: Path | None, content: bytes) -> Proven:
    beside = proof or path.with_name(f"{path.name}{_PROOF}")
    if proof is None and not beside.exists():
        raise InvalidInput(f"what proves {path}? There is no {beside}: name it with --proof")
    with _located(str(path)):
        resource = parse_object(content)
    with _located(str(beside)):
        return _proven(str(path), resource, handed_in(beside, what="the proof"))


def _proven(where: str, resource: Object, proof: bytes) -> Proven:
    return Proven(where=where, record=record_bytes(resource), proof=RecordProof.parse(proof))


@contextmanager
def _located(where: str) -> Iterator[None]:
    """Say where something stands that is no document."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error.problem}") from error


@contextmanager
def _in_folder(path: Path) -> Iterator[None]:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise InvalidInput(f"nothing can be written to {path}: {error.strerror}") from error
