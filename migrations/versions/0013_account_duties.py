"""Replies, menu and keywords of the account itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from wxbackend.extensions import Id, Instant

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_reply",
        sa.Column("id", Id, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("words", sa.JSON(), nullable=False),
        sa.Column("action", sa.String(length=5), nullable=False),
        sa.Column("text", sa.String(length=2048), nullable=False),
        sa.Column("campaign_id", Id, nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("hours", sa.String(length=100), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_hidden", sa.Boolean(), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=True),
        sa.Column("note", sa.String(length=300), nullable=False),
        sa.Column("stamp", sa.Integer(), nullable=False),
        sa.Column("imported_stamp", sa.Integer(), nullable=True),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.CheckConstraint("kind IN ('greeting', 'keyword', 'click', 'human', 'default')", name=op.f("ck_account_reply_kind")),
        sa.CheckConstraint("action IN ('text', 'vote', 'mine', 'human')", name=op.f("ck_account_reply_action")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_account_reply_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_reply")),
        sa.UniqueConstraint("origin", name=op.f("uq_account_reply_origin")),
    )
    op.create_index(op.f("ix_account_reply_campaign_id"), "account_reply", ["campaign_id"], unique=False)
    op.create_table(
        "account_menu",
        sa.Column("id", Id, nullable=False),
        sa.Column("state", sa.String(length=5), nullable=False),
        sa.Column("buttons", sa.JSON(), nullable=False),
        sa.Column("came_from", sa.String(length=8), nullable=False),
        sa.Column("drafted_by", sa.String(length=80), nullable=False),
        sa.Column("drafted_at", Instant(), nullable=False),
        sa.Column("published_by", sa.String(length=80), nullable=False),
        sa.Column("published_at", Instant(), nullable=True),
        sa.CheckConstraint("state IN ('draft', 'live', 'past')", name=op.f("ck_account_menu_state")),
        sa.CheckConstraint("came_from IN ('desk', 'wechat', 'template')", name=op.f("ck_account_menu_came_from")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_menu")),
    )


def downgrade() -> None:
    op.drop_table("account_menu")
    op.drop_table("account_reply")
