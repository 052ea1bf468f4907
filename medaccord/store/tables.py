"""Every table, as SQLAlchemy Core sees it; `migrations` makes them.

Readable without a key from outside the database are pseudonyms, times, sizes and what is on chain;
all else stands in a `ciphertext`, its data key in a `wrapped_key` (`medaccord.core.envelope`).
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from medaccord.store.columns import ADDRESS, DIGEST, KEY, OWNER, Instant, sealed
from medaccord.store.metadata import metadata as metadata

# --- Patients ---

enrolment_code = Table(
    "enrolment_code",
    metadata,
    Column("code", DIGEST, primary_key=True),  # keyed hash of the code, never the code
    Column("patient_ref", OWNER, nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
)

enrolment_attempt = Table(
    "enrolment_attempt",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("account", ADDRESS, nullable=False),
    Column("at", Instant, nullable=False, index=True),
)

patient_account = Table(
    "patient_account",
    metadata,
    Column("account", ADDRESS, primary_key=True),
    Column("patient_ref", OWNER, nullable=False, index=True),
    Column("enrolled_at", Instant, nullable=False),
)

# --- Records ---

batch = Table(
    "batch",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("patient_ref", OWNER, nullable=False),
    Column("topic", DIGEST, nullable=False, index=True),
    Column("root", DIGEST, nullable=False),  # what is anchored
    Column("leaves", LargeBinary, nullable=False),  # salted, 32 bytes each; outlives an erasure
    Column("state", DIGEST),  # root over the newest versions; NULL in batches of version 0001
    Column("prepared_at", Instant, nullable=False),
    Column("transaction_hash", DIGEST),
    Column("block_number", BigInteger),
    Column("block_hash", DIGEST),
    Column("anchored_at", Instant),
    CheckConstraint(
        "(anchored_at IS NULL) = (transaction_hash IS NULL)"
        " AND (anchored_at IS NULL) = (block_number IS NULL)"
        " AND (anchored_at IS NULL) = (block_hash IS NULL)",
        name="anchored_whole",
    ),
)

record_version = Table(
    "record_version",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("owner", OWNER, nullable=False),
    Column("record", DIGEST, nullable=False),  # keyed hash of "Type/id"
    Column("version", Integer, nullable=False),
    Column("batch_id", KEY, ForeignKey("batch.id"), nullable=False),
    Column("position", Integer, nullable=False),  # of its leaf in the batch, from 0
    *sealed(),
    UniqueConstraint("owner", "record", "version"),
    UniqueConstraint("batch_id", "position"),
    CheckConstraint("version >= 1", name="version_from_one"),
)

record_index = Table(
    "record_index",
    metadata,
    Column("owner", OWNER, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("values_format", String(32)),  # how its search values were told; NULL where it has none
    *sealed(),
)

imported_file = Table(
    "imported_file",
    metadata,
    Column("file", DIGEST, primary_key=True),  # keyed hash of its bytes
    Column("size", BigInteger, nullable=False),  # in bytes
    Column("resources", Integer, nullable=False),
    Column("imported_at", Instant, nullable=False),
)

# --- Keys: they are outside; here is only which store of them is the one ---

key_store = Table(
    "key_store",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", DIGEST, nullable=False),  # keyed hash, under the steward's own secret
    CheckConstraint("id = 1", name="one_row"),
)

# --- Erasure: what was erased here, and what must not be ---

erasure = Table(
    "erasure",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("owner", OWNER, nullable=False, index=True),
    Column("record", DIGEST),  # keyed hash of "Type/id"; NULL where it was all of the owner's
    Column("upto_generation", Integer),  # what was sealed to later keys is not meant
    Column("erased_at", Instant, nullable=False),
)

legal_hold = Table(
    "legal_hold",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("owner", OWNER, nullable=False, index=True),
    Column("record", DIGEST),  # NULL where it is on all of the owner's
    Column("placed_at", Instant, nullable=False),
    Column("lifted_at", Instant),
    *sealed(),  # the reason, sealed to the steward's own key
)

# --- Audit log ---

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("relationship", DIGEST, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("patient_ref", OWNER, nullable=False, index=True),  # whose key seals it
    Column("at", Instant, nullable=False),
    Column("commitment", DIGEST, nullable=False),
    Column("head", DIGEST, nullable=False),
    *sealed(),
    CheckConstraint("number >= 1", name="number_from_one"),
)

audit_anchor = Table(
    "audit_anchor",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("topic", DIGEST, nullable=False),
    Column("root", DIGEST, nullable=False),  # whether it was appended, the chain alone says
    Column("prepared_at", Instant, nullable=False),
)

audit_anchor_entry = Table(
    "audit_anchor_entry",
    metadata,
    Column("anchor_id", KEY, ForeignKey("audit_anchor.id", ondelete="CASCADE"), primary_key=True),
    Column("relationship", DIGEST, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("head", DIGEST, nullable=False),
)

# --- Requests and openings ---

request_inbox = Table(
    "request_inbox",
    metadata,
    Column("digest", DIGEST, primary_key=True),
    Column("patient", ADDRESS, nullable=False, index=True),
    Column("requester", ADDRESS, nullable=False, index=True),
    Column("received_at", Instant, nullable=False),
    Column("closed_as", String(16)),  # denied or cancelled; null while it may be answered
    *sealed(),
)

terms_opening = Table(
    "terms_opening",
    metadata,
    Column("consent", DIGEST, primary_key=True),
    Column("patient", ADDRESS, nullable=False, index=True),
    Column("received_at", Instant, nullable=False),
    *sealed(),
)

reason_opening = Table(
    "reason_opening",
    metadata,
    Column("emergency", DIGEST, primary_key=True),
    Column("patient", ADDRESS, nullable=False, index=True),
    Column("received_at", Instant, nullable=False),
    *sealed(),
)

# --- Ledger: public, from the chain or on its way there ---

ledger_chain = Table(
    "ledger_chain",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("chain_id", BigInteger, nullable=False),
    Column("genesis_hash", DIGEST, nullable=False),
    Column("registry", ADDRESS, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

ledger_block = Table(
    "ledger_block",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", DIGEST, nullable=False),
    Column("timestamp", Instant, nullable=False),
)

ledger_event = Table(
    "ledger_event",
    metadata,
    Column("block_number", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", Integer, primary_key=True, autoincrement=False),
    Column("transaction_hash", DIGEST, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("fields", Text, nullable=False),
    ForeignKeyConstraint(["block_number"], ["ledger_block.number"], ondelete="CASCADE"),
)

pending_revocation = Table(
    "pending_revocation",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("account", ADDRESS, nullable=False),
    Column("subject", String(66), nullable=False),  # consent id, grantee, or empty
    Column("number", String(20), nullable=False),  # epoch or serial in decimal: up to 64 bits
    Column("document", Text, nullable=False),  # the signed action, to be sent again
    Column("received_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("shown_at", BigInteger),  # height up to which blocks were final then; others are behind
    UniqueConstraint("kind", "account", "subject", "number"),
)

# --- Transactions on their way ---

outgoing_transaction = Table(
    "outgoing_transaction",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("genesis_hash", DIGEST, nullable=False),  # a nonce belongs to one chain
    Column("sender", ADDRESS, nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("purpose", String(128)),  # what it is for: at most one of a purpose is on its way
    Column("document", Text, nullable=False),  # the transaction without its fees, JSON
    Column("prepared_at", Instant, nullable=False),
    Column("settled_at", Instant),  # mined and final, or its nonce was taken by another
    UniqueConstraint("genesis_hash", "sender", "nonce"),
)

outgoing_attempt = Table(
    "outgoing_attempt",
    metadata,
    Column("hash", DIGEST, primary_key=True),
    Column(
        "transaction_id",
        KEY,
        ForeignKey("outgoing_transaction.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("raw", LargeBinary, nullable=False),
    Column("max_fee", String(32), nullable=False),  # wei a unit of gas, in decimal
    Column("max_priority_fee", String(32), nullable=False),
    Column("sent_at", Instant, nullable=False),
)

# --- Signing in, and what is allowed only so often ---

spent_nonce = Table(
    "spent_nonce",
    metadata,
    Column("hash", DIGEST, primary_key=True),  # of what may be used once: a nonce, a jti
    Column("expires_at", Instant, nullable=False, index=True),
)

token = Table(
    "token",
    metadata,
    Column("hash", DIGEST, primary_key=True),
    Column("account", ADDRESS, nullable=False, index=True),
    Column("by", ADDRESS, nullable=False),
    Column("key", String(64)),  # thumbprint of the JWK signed in with; NULL for an Ethereum key
    Column("purpose", String(16), nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

relayed_action = Table(
    "relayed_action",
    metadata,
    Column("what", DIGEST, primary_key=True),  # names the action, however often it is handed in
    Column("account", ADDRESS, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_relayed_action_account_at", "account", "at"),
)

refusal_tally = Table(
    "refusal_tally",
    metadata,
    Column("relationship", DIGEST, primary_key=True),
    Column("requester", ADDRESS, primary_key=True),
    Column("patient_ref", OWNER, nullable=False, index=True),
    Column("since", Instant, nullable=False),  # where the span counted in begins
    Column("logged", Integer, nullable=False),  # lines of their own within it
    Column("counted", BigInteger, nullable=False),  # those after them, not yet told in a line
    Column("last_at", Instant, nullable=False),
)

# --- Matching patients, for emergencies ---

match_term = Table(
    "match_term",
    metadata,
    Column("patient_ref", OWNER, primary_key=True),
    # keyed hash of an identifier, or of name and day of birth; of the owner, that it was looked at
    Column("value", DIGEST, primary_key=True, index=True),
    Column("revision", BigInteger, nullable=False),  # of the index that it was told from
)

match_attempt = Table(
    "match_attempt",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("account", ADDRESS, nullable=False),  # of the organisation that asked
    Column("at", Instant, nullable=False),
    Index("ix_match_attempt_account_at", "account", "at"),
)

# --- Notices ---

notice = Table(
    "notice",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("account", ADDRESS, nullable=False),  # who is told
    Column("kind", String(16), nullable=False),
    Column("subject", String(66), nullable=False),  # consent, request, emergency or line of the log
    Column("actor", ADDRESS),
    Column("at", Instant, nullable=False),
    UniqueConstraint("account", "kind", "subject"),
    Index("ix_notice_account_id", "account", "id"),
    sqlite_autoincrement=True,  # an id is never used again: whoever reads on would miss the second
)

webhook = Table(
    "webhook",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("account", ADDRESS, nullable=False, index=True),
    Column("made_at", Instant, nullable=False),
    Column("delivered_upto", KEY, nullable=False),  # id of the last notice it took
    Column("failures", Integer, nullable=False),  # in a row
    Column("next_at", Instant, nullable=False),  # not before this
    Column("stopped_at", Instant),  # given up, until its account says otherwise
    *sealed(),  # address and secret, sealed to the steward's own key
)

# --- Directory: public profiles ---

directory_profile = Table(
    "directory_profile",
    metadata,
    Column("hash", DIGEST, primary_key=True),
    Column("account", ADDRESS, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("published_at", Instant, nullable=False),
)

Index("ix_batch_unanchored", batch.c.anchored_at)
Index("ix_record_version_record", record_version.c.record)  # asked for by its name alone

# What is still wrapped to an older key is found without reading what is sealed.
Index("ix_record_version_generation", record_version.c.owner, record_version.c.key_generation)
Index("ix_record_index_generation", record_index.c.owner, record_index.c.key_generation)
Index("ix_audit_entry_generation", audit_entry.c.patient_ref, audit_entry.c.key_generation)
Index("ix_request_inbox_generation", request_inbox.c.patient, request_inbox.c.key_generation)
Index("ix_terms_opening_generation", terms_opening.c.patient, terms_opening.c.key_generation)
Index("ix_reason_opening_generation", reason_opening.c.patient, reason_opening.c.key_generation)
Index("ix_outgoing_transaction_unsettled", outgoing_transaction.c.settled_at)
Index("ix_pending_revocation_unsettled", pending_revocation.c.settled_at)
Index("ix_pending_revocation_shown_at", pending_revocation.c.shown_at)
