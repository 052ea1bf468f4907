"""Generations of keys, the state of streams, erasure, imported files, transactions on their way.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ADDRESS = sa.String(42)
_DIGEST = sa.LargeBinary(32)
_INSTANT = sa.DateTime(timezone=True)
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OWNER = sa.String(64)

_SEALED = {  # and whose each row is
    "record_version": "owner",
    "record_index": "owner",
    "audit_entry": "patient_ref",
    "request_inbox": "patient",
    "terms_opening": "patient",
    "reason_opening": "patient",
}


def upgrade() -> None:
    """Add what is new; what was sealed was sealed to everybody's first key."""
    for table, whose in _SEALED.items():
        op.add_column(
            table, sa.Column("key_generation", sa.Integer(), nullable=False, server_default="1")
        )
        op.create_index(f"ix_{table}_generation", table, [whose, "key_generation"])
    op.add_column("batch", sa.Column("state", _DIGEST))
    op.create_table(
        "imported_file",
        sa.Column("file", _DIGEST, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("resources", sa.Integer(), nullable=False),
        sa.Column("imported_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("file", name=op.f("pk_imported_file")),
    )
    op.create_table(
        "key_store",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", _DIGEST, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_key_store_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_store")),
    )
    op.create_table(
        "erasure",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("owner", _OWNER, nullable=False),
        sa.Column("record", _DIGEST),
        sa.Column("upto_generation", sa.Integer()),
        sa.Column("erased_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
    )
    op.create_index(op.f("ix_erasure_owner"), "erasure", ["owner"])
    op.create_table(
        "legal_hold",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("owner", _OWNER, nullable=False),
        sa.Column("record", _DIGEST),
        sa.Column("placed_at", _INSTANT, nullable=False),
        sa.Column("lifted_at", _INSTANT),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(length=80), nullable=False),
        sa.Column("key_generation", sa.Integer(), nullable=False, server_default="1"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_hold")),
    )
    op.create_index(op.f("ix_legal_hold_owner"), "legal_hold", ["owner"])
    op.create_table(
        "outgoing_transaction",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("genesis_hash", _DIGEST, nullable=False),
        sa.Column("sender", _ADDRESS, nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(128)),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("prepared_at", _INSTANT, nullable=False),
        sa.Column("settled_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_transaction")),
        sa.UniqueConstraint(
            "genesis_hash",
            "sender",
            "nonce",
            name=op.f("uq_outgoing_transaction_genesis_hash_sender_nonce"),
        ),
    )
    op.create_index("ix_outgoing_transaction_unsettled", "outgoing_transaction", ["settled_at"])
    op.create_table(
        "outgoing_attempt",
        sa.Column("hash", _DIGEST, nullable=False),
        sa.Column("transaction_id", _KEY, nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("max_fee", sa.String(32), nullable=False),
        sa.Column("max_priority_fee", sa.String(32), nullable=False),
        sa.Column("sent_at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["outgoing_transaction.id"],
            name=op.f("fk_outgoing_attempt_transaction_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_outgoing_attempt")),
    )
    op.create_index(
        op.f("ix_outgoing_attempt_transaction_id"), "outgoing_attempt", ["transaction_id"]
    )
