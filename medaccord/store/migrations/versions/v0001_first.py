"""The first version of the database.

Revision ID: 0001
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ADDRESS = sa.String(42)
_DIGEST = sa.LargeBinary(32)
_INSTANT = sa.DateTime(timezone=True)
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OWNER = sa.String(64)


def upgrade() -> None:
    """Make every table of the first version."""
    op.create_table(
        "audit_anchor",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("topic", _DIGEST, nullable=False),
        sa.Column("root", _DIGEST, nullable=False),
        sa.Column("prepared_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_anchor")),
    )
    op.create_table(
        "audit_entry",
        sa.Column("relationship", _DIGEST, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("patient_ref", _OWNER, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("commitment", _DIGEST, nullable=False),
        sa.Column("head", _DIGEST, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(length=80), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_audit_entry_number_from_one")),
        sa.PrimaryKeyConstraint("relationship", "number", name=op.f("pk_audit_entry")),
    )
    op.create_index(op.f("ix_audit_entry_patient_ref"), "audit_entry", ["patient_ref"])
    op.create_table(
        "batch",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("patient_ref", _OWNER, nullable=False),
        sa.Column("topic", _DIGEST, nullable=False),
        sa.Column("root", _DIGEST, nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
        sa.Column("prepared_at", _INSTANT, nullable=False),
        sa.Column("transaction_hash", _DIGEST),
        sa.Column("block_number", sa.BigInteger()),
        sa.Column("block_hash", _DIGEST),
        sa.Column("anchored_at", _INSTANT),
        sa.CheckConstraint(
            "(anchored_at IS NULL) = (transaction_hash IS NULL)"
            " AND (anchored_at IS NULL) = (block_number IS NULL)"
            " AND (anchored_at IS NULL) = (block_hash IS NULL)",
            name=op.f("ck_batch_anchored_whole"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
    )
    op.create_index(op.f("ix_batch_topic"), "batch", ["topic"])
    op.create_index("ix_batch_unanchored", "batch", ["anchored_at"])
    op.create_table(
        "directory_profile",
        sa.Column("hash", _DIGEST, nullable=False),
        sa.Column("account", _ADDRESS, nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_directory_profile")),
    )
    op.create_table(
        "enrolment_attempt",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("account", _ADDRESS, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment_attempt")),
    )
    op.create_index(op.f("ix_enrolment_attempt_at"), "enrolment_attempt", ["at"])
    op.create_table(
        "enrolment_code",
        sa.Column("code", _DIGEST, nullable=False),
        sa.Column("patient_ref", _OWNER, nullable=False),
        sa.Column("issued_at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.Column("used_at", _INSTANT),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_enrolment_code")),
    )
    op.create_table(
        "ledger_block",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", _DIGEST, nullable=False),
        sa.Column("timestamp", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ledger_block")),
    )
    op.create_table(
        "ledger_chain",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("genesis_hash", _DIGEST, nullable=False),
        sa.Column("registry", _ADDRESS, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_ledger_chain_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_chain")),
    )
    op.create_table(
        "patient_account",
        sa.Column("account", _ADDRESS, nullable=False),
        sa.Column("patient_ref", _OWNER, nullable=False),
        sa.Column("enrolled_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_patient_account")),
    )
    op.create_index(op.f("ix_patient_account_patient_ref"), "patient_account", ["patient_ref"])
    op.create_table(
        "pending_revocation",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("account", _ADDRESS, nullable=False),
        sa.Column("subject", sa.String(length=66), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.Column("settled_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_revocation")),
        sa.UniqueConstraint(
            "kind",
            "account",
            "subject",
            "number",
            name=op.f("uq_pending_revocation_kind_account_subject_number"),
        ),
    )
    op.create_table(
        "reason_opening",
        sa.Column("emergency", _DIGEST, nullable=False),
        sa.Column("patient", _ADDRESS, nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(length=80), nullable=False),
        sa.PrimaryKeyConstraint("emergency", name=op.f("pk_reason_opening")),
    )
    op.create_index(op.f("ix_reason_opening_patient"), "reason_opening", ["patient"])
    op.create_table(
        "record_index",
        sa.Column("owner", _OWNER, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(length=80), nullable=False),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_record_index")),
    )
    op.create_table(
        "request_inbox",
        sa.Column("digest", _DIGEST, nullable=False),
        sa.Column("patient", _ADDRESS, nullable=False),
        sa.Column("requester", _ADDRESS, nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(length=80), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_request_inbox")),
    )
    op.create_index(op.f("ix_request_inbox_patient"), "request_inbox", ["patient"])
    op.create_table(
        "sign_in_nonce",
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("account", _ADDRESS, nullable=False),
        sa.Column("by", _ADDRESS, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.Column("used_at", _INSTANT),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_sign_in_nonce")),
    )
    op.create_index(op.f("ix_sign_in_nonce_expires_at"), "sign_in_nonce", ["expires_at"])
    op.create_table(
        "terms_opening",
        sa.Column("consent", _DIGEST, nullable=False),
        sa.Column("patient", _ADDRESS, nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(length=80), nullable=False),
        sa.PrimaryKeyConstraint("consent", name=op.f("pk_terms_opening")),
    )
    op.create_index(op.f("ix_terms_opening_patient"), "terms_opening", ["patient"])
    op.create_table(
        "token",
        sa.Column("hash", _DIGEST, nullable=False),
        sa.Column("account", _ADDRESS, nullable=False),
        sa.Column("by", _ADDRESS, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_token")),
    )
    op.create_index(op.f("ix_token_expires_at"), "token", ["expires_at"])
    op.create_table(
        "audit_anchor_entry",
        sa.Column("anchor_id", _KEY, nullable=False),
        sa.Column("relationship", _DIGEST, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("head", _DIGEST, nullable=False),
        sa.ForeignKeyConstraint(
            ["anchor_id"],
            ["audit_anchor.id"],
            name=op.f("fk_audit_anchor_entry_anchor_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("anchor_id", "relationship", name=op.f("pk_audit_anchor_entry")),
    )
    op.create_table(
        "ledger_event",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("transaction_hash", _DIGEST, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["block_number"],
            ["ledger_block.number"],
            name=op.f("fk_ledger_event_block_number"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_ledger_event")),
    )
    op.create_table(
        "record_version",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("owner", _OWNER, nullable=False),
        sa.Column("record", _DIGEST, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("batch_id", _KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(length=80), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_record_version_version_from_one")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batch.id"], name=op.f("fk_record_version_batch_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_version")),
        sa.UniqueConstraint(
            "batch_id", "position", name=op.f("uq_record_version_batch_id_position")
        ),
        sa.UniqueConstraint(
            "owner", "record", "version", name=op.f("uq_record_version_owner_record_version")
        ),
    )
