"""What a gatekeeper in service needs: purposes of tokens, limits, tallies, matching, notices.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ADDRESS = sa.String(42)
_DIGEST = sa.LargeBinary(32)
_INSTANT = sa.DateTime(timezone=True)
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OWNER = sa.String(64)


def upgrade() -> None:
    """Add what is new. Whoever is signed in signs in again: tokens say now what they are for."""
    op.drop_table("sign_in_nonce")
    op.drop_table("token")
    op.add_column("record_index", sa.Column("values_format", sa.String(32)))
    op.create_table(
        "spent_nonce",
        sa.Column("hash", _DIGEST, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_spent_nonce")),
    )
    op.create_index(op.f("ix_spent_nonce_expires_at"), "spent_nonce", ["expires_at"])
    op.create_table(
        "token",
        sa.Column("hash", _DIGEST, nullable=False),
        sa.Column("account", _ADDRESS, nullable=False),
        sa.Column("by", _ADDRESS, nullable=False),
        sa.Column("key", sa.String(64)),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_token")),
    )
    op.create_index(op.f("ix_token_account"), "token", ["account"])
    op.create_index(op.f("ix_token_expires_at"), "token", ["expires_at"])
    op.create_table(
        "relayed_action",
        sa.Column("what", _DIGEST, nullable=False),
        sa.Column("account", _ADDRESS, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("what", name=op.f("pk_relayed_action")),
    )
    op.create_index("ix_relayed_action_account_at", "relayed_action", ["account", "at"])
    op.create_table(
        "refusal_tally",
        sa.Column("relationship", _DIGEST, nullable=False),
        sa.Column("requester", _ADDRESS, nullable=False),
        sa.Column("patient_ref", _OWNER, nullable=False),
        sa.Column("since", _INSTANT, nullable=False),
        sa.Column("logged", sa.Integer(), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("last_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("relationship", "requester", name=op.f("pk_refusal_tally")),
    )
    op.create_index(op.f("ix_refusal_tally_patient_ref"), "refusal_tally", ["patient_ref"])
    op.create_table(
        "match_term",
        sa.Column("patient_ref", _OWNER, nullable=False),
        sa.Column("value", _DIGEST, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("patient_ref", "value", name=op.f("pk_match_term")),
    )
    op.create_index(op.f("ix_match_term_value"), "match_term", ["value"])
    op.create_table(
        "match_attempt",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("account", _ADDRESS, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_attempt")),
    )
    op.create_index("ix_match_attempt_account_at", "match_attempt", ["account", "at"])
    op.create_table(
        "notice",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("account", _ADDRESS, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(66), nullable=False),
        sa.Column("actor", _ADDRESS),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint(
            "account", "kind", "subject", name=op.f("uq_notice_account_kind_subject")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notice_account_id", "notice", ["account", "id"])
    op.create_table(
        "webhook",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("account", _ADDRESS, nullable=False),
        sa.Column("made_at", _INSTANT, nullable=False),
        sa.Column("delivered_upto", _KEY, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", _INSTANT, nullable=False),
        sa.Column("stopped_at", _INSTANT),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(length=80), nullable=False),
        sa.Column("key_generation", sa.Integer(), nullable=False, server_default="1"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )
    op.create_index(op.f("ix_webhook_account"), "webhook", ["account"])
    op.create_index("ix_record_version_record", "record_version", ["record"])
    op.add_column("pending_revocation", sa.Column("shown_at", sa.BigInteger()))
    op.create_index("ix_pending_revocation_unsettled", "pending_revocation", ["settled_at"])
    op.create_index("ix_pending_revocation_shown_at", "pending_revocation", ["shown_at"])
