"""Notices: that something happened which an account is told of, and where to look.

A notice is a hint. What it tells of is read where it stands, on the chain, in the inbox or in the
log: what was mined may be taken back by a reorganisation, the notice of it is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from medaccord.core.documents import DocumentReader, instant_text, members_of
from medaccord.core.errors import InvalidDocument
from medaccord.core.identifiers import Address

__all__ = ["MAX_SUBJECT", "Notice", "NoticeKind"]

MAX_SUBJECT: Final = 66
"""Characters of the longest subject: a digest in hex."""

_MEMBERS: Final = ("id", "account", "kind", "subject", "actor", "at")


class NoticeKind(StrEnum):
    """What an account is told of; in brackets what the subject is then.

    A patient is told of all of them, the grantee of grants and revocations.
    """

    REQUEST = "request"
    """An organisation asks for access (digest of the request)."""

    GRANT = "grant"
    """A consent was granted (its id)."""

    REVOCATION = "revocation"
    """A consent was revoked (its id), or all of an account's (account and new epoch: `0x…/2`)."""

    RECOVERY = "recovery"
    """Guardians began to hand the account to another key (account and which one: `0x…/0`)."""

    EMERGENCY = "emergency"
    """An organisation opened emergency access (digest of the opening)."""

    READ = "read"
    """Records were released (number of the line in the patient's log)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice to one account.

    Attributes:
        id: grows with each notice of a gatekeeper; 1 or more. Ids are never used twice.
        account: who is told.
        kind: of what.
        subject: what it is about, as its kind says; at most `MAX_SUBJECT` characters.
        actor: the account that did it: a patient's for grants and revocations, an organisation's
            for the others; of a recovery the key that the account goes to; None where that is not
            known.
        at: when it happened: the time of the block, or of the gatekeeper.
    """

    id: int
    account: Address
    kind: NoticeKind
    subject: str
    actor: Address | None
    at: datetime

    def document(self) -> dict[str, Any]:
        """The notice in JSON: the same in a page, in an event of a stream and in a webhook."""
        return {
            "id": self.id,
            "account": self.account,
            "kind": self.kind.value,
            "subject": self.subject,
            "actor": self.actor,
            "at": instant_text(self.at),
        }

    @classmethod
    def parse(cls, source: bytes | str | Mapping[str, Any]) -> Self:
        """Read what `document` writes.

        Raises:
            InvalidDocument: It is malformed, or its kind is unknown.
        """
        reader = DocumentReader(members_of(source), what="the notice", required=_MEMBERS)
        kind, subject = reader.text("kind"), reader.text("subject")
        if kind not in set(NoticeKind):
            raise InvalidDocument(
                f"{kind!r} is no kind of notice; they are {', '.join(NoticeKind)}"
            )
        if not 0 < len(subject) <= MAX_SUBJECT:
            raise InvalidDocument(f"the subject of a notice has 1 to {MAX_SUBJECT} characters")
        return cls(
            id=reader.integer("id", minimum=1),
            account=reader.address("account"),
            kind=NoticeKind(kind),
            subject=subject,
            actor=None if reader.null("actor") else reader.address("actor"),
            at=reader.instant("at"),
        )
