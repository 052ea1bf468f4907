"""Every error of the package, as one tree; where one is not defined here, its module is named.

MedaccordError
├ InvalidInput               something handed in is not what it must be; the message says what to do
│ ├ InvalidIdentifier        an address, a digest or an account name
│ ├ InvalidDocument          JSON text, or a document of ours
│ ├ InvalidTerms             the terms of a consent
│ ├ InvalidScope             a SMART scope
│ ├ InvalidBundle            a FHIR Bundle
│ ├ InvalidResource          a FHIR resource that breaks R4, or says what we have no words for
│ ├ InvalidRequest           a request for access, or the parameters of a call
│ ├ InvalidSignIn            an EIP-4361 sign-in message
│ ├ InvalidDeployment        the record of a deployment
│ ├ InvalidSetting           a setting of the environment, of .env or of the command line
│ ├ WrongPassphrase          a passphrase that does not open the file it was given for
│ ├ NotFound                 gatekeeper.errors: no such thing, or none the asker may know of
│ ├ Conflict                 gatekeeper.errors: it is there already, in another state
│ ├ BodyTooLarge             gatekeeper.errors: a request longer than any honest one
│ ├ WrongMediaType           gatekeeper.errors: a body of a type that is not taken
│ ├ TokenRefused             gatekeeper.errors: a token request gets no token
│ ├ NotAcceptable            gatekeeper.errors: an answer not to be had in the form asked for
│ ├ RequestTooSlow           gatekeeper.errors: a request that did not come in within its time
│ └ TooManyRequests          gatekeeper.errors: a limit was reached
├ TransportError             a node or a gatekeeper is out of reach, or answered badly
├ ContractReverted           a contract refused; one subclass per ABI error stands in chain.reverts
├ KeyMissing                 the key is not, or no longer, in the key store
├ KeyStoreFailed             the key store is gone, another one, or damaged
├ StoreFailed                the database is out of reach, full, or held by somebody else too long
├ ErasureRefused             a legal hold forbids to erase
├ HistoryMoved               ledger.history: another process follows the chain into the database
├ StoryBroken                demo.story: a check of the story failed, which is a defect
├ Overloaded                 gatekeeper.errors: more is asked at once than can be answered
├ EnrolmentRefused           gatekeeper.errors: the enrolment code opens nothing
├ AccessRefused              a gatekeeper does not release what was asked for
└ VerificationFailed         something does not check
  ├ CommitmentMismatch       a document is not the one committed to
  ├ ProofMismatch            a record or an entry is not under the root it is said to be under
  │ └ RecordSuperseded       an older version of a record was served as the newest
  ├ LogMismatch              an audit log was cut, changed, reordered or replaced
  ├ ReceiptMismatch          a receipt does not fit what it is the receipt for
  ├ SignatureMismatch        a signature is malformed, malleable or by somebody else
  ├ DecryptionFailed         a sealed record was changed, moved, or is sealed to another key
  └ DeploymentMismatch       the chain, or the code on it, is not what the deployment record says
"""

from collections.abc import Mapping

from medaccord.core.refusals import Refusal

__all__ = [
    "AccessRefused",
    "CommitmentMismatch",
    "ContractReverted",
    "DecryptionFailed",
    "DeploymentMismatch",
    "ErasureRefused",
    "InvalidBundle",
    "InvalidDeployment",
    "InvalidDocument",
    "InvalidIdentifier",
    "InvalidInput",
    "InvalidRequest",
    "InvalidResource",
    "InvalidScope",
    "InvalidSetting",
    "InvalidSignIn",
    "InvalidTerms",
    "KeyMissing",
    "KeyStoreFailed",
    "LogMismatch",
    "MedaccordError",
    "ProofMismatch",
    "ReceiptMismatch",
    "RecordSuperseded",
    "SignatureMismatch",
    "StoreFailed",
    "TransportError",
    "VerificationFailed",
    "WrongPassphrase",
]


class MedaccordError(Exception):
    """Root of every error that this package raises on purpose."""


class InvalidInput(MedaccordError):
    """Something handed in is not what it must be.

    Attributes:
        problem: One line that says what is wrong and what to do about it.
    """

    def __init__(self, problem: str) -> None:
        """Say what is wrong and what to do about it."""
        super().__init__(problem)
        self.problem = problem


class InvalidIdentifier(InvalidInput):
    """Text or bytes that are no address, digest or account name."""


class InvalidDocument(InvalidInput):
    """Text that is no JSON as we accept it, or no document of the profile it claims.

    Attributes:
        line: Line of the fault, counted from 1; None where it is not known.
        column: Column of the fault in characters, counted from 1; None where it is not known.
    """

    def __init__(self, problem: str, *, line: int | None = None, column: int | None = None) -> None:
        """Say what is wrong, and where in the text."""
        where = "" if line is None else f" (line {line}, column {column})"
        super().__init__(problem + where)
        self.line = line
        self.column = column


class InvalidTerms(InvalidInput):
    """Terms of a consent that are malformed, or of an unknown profile."""


class InvalidScope(InvalidInput):
    """A SMART scope outside what we grant."""


class InvalidBundle(InvalidInput):
    """A file or body that is no FHIR Bundle of one patient."""


class InvalidResource(InvalidInput):
    """A FHIR resource that breaks a rule of R4, or says what we have no words for.

    Attributes:
        faults: Each element at fault by its path, and what is wrong with it; in the order of the
            paths.
    """

    def __init__(self, faults: Mapping[str, str]) -> None:
        """Name every element at fault."""
        self.faults = dict(sorted(faults.items()))
        super().__init__("; ".join(f"{path}: {problem}" for path, problem in self.faults.items()))


class InvalidRequest(InvalidInput):
    """A request for access, or parameters of a call, that cannot be answered as they stand."""


class InvalidSignIn(InvalidInput):
    """Text that is no EIP-4361 message of the closed grammar we accept."""


class InvalidDeployment(InvalidInput):
    """A deployment record that is missing, malformed or incomplete."""


class InvalidSetting(InvalidInput):
    """A setting that is missing or malformed; the message names it, never a secret's value."""


class WrongPassphrase(InvalidInput):
    """A passphrase that does not open the file it was given for."""


class TransportError(MedaccordError):
    """A node or a gatekeeper could not be reached, or its answer made no sense."""


class ContractReverted(MedaccordError):
    """A contract refused a call; its subclasses carry the values of the contract's own error."""


class KeyMissing(MedaccordError):
    """The key asked for is not in the key store: never made there, or erased."""


class KeyStoreFailed(MedaccordError):
    """The key store is gone, is another one than expected, or a file of it is damaged.

    No key is ever made in the place of one that cannot be read.
    """


class StoreFailed(MedaccordError):
    """The database is out of reach, full, or held by somebody else for too long."""


class ErasureRefused(MedaccordError):
    """Something must not be erased: a legal hold is on it. Nothing was erased."""


class AccessRefused(MedaccordError):
    """A gatekeeper does not release what was asked for.

    Attributes:
        reason: The coded reason.
        detail: One sentence for a person, free of anything about records not released.
        consent: Id of the consent that does not lead to it; None where it is about none.
    """

    def __init__(self, reason: Refusal, detail: str, *, consent: bytes | None = None) -> None:
        """Give the coded reason, one sentence for a person, and the consent it is about."""
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
        self.consent = consent


class VerificationFailed(MedaccordError):
    """Something that was checked does not check; nothing it covers may be relied on."""


class CommitmentMismatch(VerificationFailed):
    """A document and a salt do not open the commitment they are handed in with."""


class ProofMismatch(VerificationFailed):
    """A leaf, an entry or a record is not where its proof says it is."""


class RecordSuperseded(ProofMismatch):
    """The chain says that a record has a newer version than the one served as the newest.

    Attributes:
        version: The version served.
        latest: The newest version, as the steward anchored it.
    """

    def __init__(self, version: int, latest: int) -> None:
        """Name both versions."""
        super().__init__(f"version {version} was served as the newest, which is version {latest}")
        self.version = version
        self.latest = latest


class LogMismatch(VerificationFailed):
    """An audit log is not the one its head stands for.

    Attributes:
        number: Number of the first entry that does not fit, counted from 1.
    """

    def __init__(self, number: int, problem: str) -> None:
        """Name the entry and what is wrong with it."""
        super().__init__(f"entry {number}: {problem}")
        self.number = number


class ReceiptMismatch(VerificationFailed):
    """A receipt does not fit the answer, the steward or the log it is held against."""


class SignatureMismatch(VerificationFailed):
    """A signature is of wrong length, malleable (high s), or by another key than it must be."""


class DecryptionFailed(VerificationFailed):
    """A sealed record was changed, belongs elsewhere, or is sealed to another key."""


class DeploymentMismatch(VerificationFailed):
    """The chain connected to, or the code at an address, is not what the deployment record says."""
