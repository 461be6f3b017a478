"""What people were told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from wxbackend.extensions import Id, Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("id", Id, nullable=False),
        sa.Column("identity_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("text", sa.String(length=600), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("errcode", sa.Integer(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.CheckConstraint("state IN ('queued', 'sent', 'refused', 'unsure')", name=op.f("ck_notice_state")),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name=op.f("fk_notice_identity_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    op.create_index(op.f("ix_notice_identity_id"), "notice", ["identity_id"], unique=False)


def downgrade() -> None:
    op.drop_table("notice")
