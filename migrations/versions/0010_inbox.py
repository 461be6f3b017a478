"""Messages answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from wxbackend.extensions import Id, Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inbox_message",
        sa.Column("id", Id, nullable=False),
        sa.Column("dedupe_key", sa.String(length=160), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("reply", sa.String(length=1000), nullable=False),
        sa.Column("arrived_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox_message")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_inbox_message_dedupe_key")),
    )
    op.create_index(op.f("ix_inbox_message_arrived_at"), "inbox_message", ["arrived_at"], unique=False)


def downgrade() -> None:
    op.drop_table("inbox_message")
