"""Notices by every channel, and the credits of subscribe messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from wxbackend.extensions import Id, Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

NEW = ("facts", "url", "about", "campaign_id")


def _kept() -> tuple[sa.CheckConstraint]:
    """SQLite changes a table by copying it, and the copy would lose its check."""
    return (sa.CheckConstraint("state IN ('queued', 'sent', 'refused', 'unsure')", name=op.f("ck_notice_state")),)


def upgrade() -> None:
    with op.batch_alter_table("notice", table_args=_kept()) as table:
        table.alter_column("text", existing_type=sa.String(600), type_=sa.String(2048), existing_nullable=False)
        table.add_column(sa.Column("campaign_id", Id, nullable=True))
        table.add_column(sa.Column("about", sa.String(length=60), nullable=True))
        table.add_column(sa.Column("url", sa.String(length=300), nullable=False, server_default=""))
        table.add_column(sa.Column("facts", sa.JSON(none_as_null=True), nullable=True))
        table.create_foreign_key(op.f("fk_notice_campaign_id"), "campaign", ["campaign_id"], ["id"])
        table.create_index("ix_notice_about", ["about"], unique=True)
        table.create_index(op.f("ix_notice_campaign_id"), ["campaign_id"], unique=False)
    op.create_table(
        "notice_credit",
        sa.Column("id", Id, nullable=False),
        sa.Column("identity_id", Id, nullable=False),
        sa.Column("template_id", sa.String(length=64), nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("given_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.CheckConstraint("state IN ('available', 'used', 'refused')", name=op.f("ck_notice_credit_state")),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name=op.f("fk_notice_credit_identity_id")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_notice_credit_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_credit")),
        sa.UniqueConstraint("identity_id", "template_id", "campaign_id", name=op.f("uq_notice_credit_identity_id_template_id_campaign_id")),
    )
    op.create_index("ix_notice_credit_campaign_id", "notice_credit", ["campaign_id"], unique=False)
    op.create_table(
        "notice_attempt",
        sa.Column("id", Id, nullable=False),
        sa.Column("notice_id", Id, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("identity_id", Id, nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("holds", sa.Integer(), nullable=True),
        sa.Column("errcode", sa.Integer(), nullable=True),
        sa.Column("why", sa.String(length=20), nullable=False),
        sa.Column("msgid", sa.String(length=32), nullable=True),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("credit_id", Id, nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.CheckConstraint("channel IN ('customer', 'subscribe', 'template')", name=op.f("ck_notice_attempt_channel")),
        sa.CheckConstraint("state IN ('sent', 'refused', 'unsure', 'skipped')", name=op.f("ck_notice_attempt_state")),
        sa.CheckConstraint("(state IN ('sent', 'unsure')) = (holds IS NOT NULL)", name=op.f("ck_notice_attempt_holds")),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name=op.f("fk_notice_attempt_notice_id")),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name=op.f("fk_notice_attempt_identity_id")),
        sa.ForeignKeyConstraint(["credit_id"], ["notice_credit.id"], name=op.f("fk_notice_attempt_credit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_attempt")),
        sa.UniqueConstraint("notice_id", "channel", name=op.f("uq_notice_attempt_notice_id_channel")),
        sa.UniqueConstraint("notice_id", "holds", name=op.f("uq_notice_attempt_notice_id_holds")),
    )
    op.create_index("ix_notice_attempt_identity_id", "notice_attempt", ["identity_id"], unique=False)
    op.create_index("ix_notice_attempt_credit_id", "notice_attempt", ["credit_id"], unique=False)
    op.create_index("ix_notice_attempt_msgid", "notice_attempt", ["msgid"], unique=False)
    op.create_table(
        "chat_window",
        sa.Column("identity_id", Id, autoincrement=False, nullable=False),
        sa.Column("message_at", Instant(), nullable=True),
        sa.Column("sent_since_message", sa.Integer(), nullable=False),
        sa.Column("tap_at", Instant(), nullable=True),
        sa.Column("sent_since_tap", sa.Integer(), nullable=False),
        sa.Column("left_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name=op.f("fk_chat_window_identity_id")),
        sa.PrimaryKeyConstraint("identity_id", name=op.f("pk_chat_window")),
    )


def downgrade() -> None:
    op.drop_table("chat_window")
    op.drop_table("notice_attempt")
    op.drop_table("notice_credit")
    with op.batch_alter_table("notice", table_args=_kept()) as table:
        table.drop_constraint(op.f("fk_notice_campaign_id"), type_="foreignkey")
        table.drop_index("ix_notice_about")
        table.drop_index(op.f("ix_notice_campaign_id"))
        for name in NEW:
            table.drop_column(name)
        table.alter_column("text", existing_type=sa.String(2048), type_=sa.String(600), existing_nullable=False)
