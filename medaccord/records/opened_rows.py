"""What sealed rows say, kept in memory for as long as they are asked for again and again."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from medaccord.core.errors import KeyMissing
from medaccord.records.pseudonyms import Owner
from medaccord.records.sealer import Columns, Sealer

__all__ = ["OpenedRows"]

T = TypeVar("T")


class OpenedRows(Generic[T]):
    """Opens sealed rows of one kind. Any number of threads may share it.

    A row is read from the database for each answer. What it said before counts only where every
    byte of it is as it was, so that a row that was changed or moved is opened and fails; and only
    where its key is still there, so that a key that was retired or erased opens nothing any more.
    What an erased key opened is forgotten when it is next asked for, or when others take its place.
    """

    def __init__(self, sealer: Sealer, *, most_bytes: int) -> None:
        """Keep nothing yet.

        Args:
            sealer: opens the rows.
            most_bytes: length of all ciphertexts kept together; what is kept beside each takes
                several times its length.
        """
        self._sealer = sealer
        self._most = most_bytes
        self._kept: OrderedDict[bytes, tuple[bytes, bytes, int, T]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def open(self, owner: Owner, columns: Columns, context: bytes, read: Callable[[bytes], T]) -> T:
        """What a row says.

        Args:
            owner: whose it is.
            columns: the row as it was read from the database for this answer.
            context: as of `Sealer.open`.
            read: makes of the plaintext what is kept, the same for the same context. It is shared:
                nobody changes it.

        Raises:
            KeyMissing: the key was retired or erased.
            DecryptionFailed: the row was changed or moved.
        """
        generation, wrapped_key = columns["key_generation"], columns["wrapped_key"]
        ciphertext = columns["ciphertext"]
        with self._lock:
            known = self._kept.get(context)
            if known is not None:
                self._kept.move_to_end(context)
        if known is not None and known[:3] == (ciphertext, wrapped_key, generation):
            try:
                self._sealer.keys.private(owner, generation)
            except KeyMissing:
                with self._lock:
                    self._drop(context)
                raise
            return known[3]
        value = read(self._sealer.open(owner, columns, context))
        with self._lock:
            self._drop(context)
            self._kept[context] = ciphertext, wrapped_key, generation, value
            self._bytes += len(ciphertext)
            while self._bytes > self._most and len(self._kept) > 1:
                self._drop(next(iter(self._kept)))
        return value

    def _drop(self, context: bytes) -> None:
        known = self._kept.pop(context, None)
        if known is not None:
            self._bytes -= len(known[0])
