"""Requests that were denied by their patient, or cancelled by whoever asked.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add how a request was closed; those that are there were not."""
    op.add_column("request_inbox", sa.Column("closed_as", sa.String(16)))
    op.create_index(op.f("ix_request_inbox_requester"), "request_inbox", ["requester"])
