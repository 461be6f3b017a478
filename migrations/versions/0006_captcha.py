"""Challenges kept while Redis is away."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from wxbackend.extensions import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "captcha_challenge",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_captcha_challenge")),
    )
    op.create_index(op.f("ix_captcha_challenge_expires_at"), "captcha_challenge", ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("captcha_challenge")
