"""Campaigns, subjects, sources, prizes, boxes; rules that never change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.triggers import drop_table, never
from wxbackend.extensions import Id, Instant, LongText

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "campaign",
        sa.Column("id", Id, nullable=False),
        sa.Column("slug", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("mode", sa.String(length=10), nullable=False),
        sa.Column("zone", sa.String(length=40), nullable=False),
        sa.Column("opens_at", Instant(), nullable=False),
        sa.Column("closes_at", Instant(), nullable=False),
        sa.Column("evidence_until", Instant(), nullable=False),
        sa.Column("freeze_at", Instant(), nullable=False),
        sa.Column("quota", sa.String(length=10), nullable=False),
        sa.Column("results", sa.String(length=12), nullable=False),
        sa.Column("captcha", sa.String(length=16), nullable=False),
        sa.Column("alternates", sa.Integer(), nullable=False),
        sa.Column("publicity_days", sa.Integer(), nullable=False),
        sa.Column("entropy", sa.JSON(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("ticket_key_sealed", sa.String(length=200), nullable=False),
        sa.Column("published_at", Instant(), nullable=True),
        sa.Column("frozen_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.CheckConstraint("mode IN ('hosted', 'external')", name=op.f("ck_campaign_mode")),
        sa.CheckConstraint("quota IN ('subject', 'campaign')", name=op.f("ck_campaign_quota")),
        sa.CheckConstraint("results IN ('live', 'after-close', 'hidden')", name=op.f("ck_campaign_results")),
        sa.CheckConstraint(
            "opens_at < closes_at AND closes_at <= evidence_until AND evidence_until <= freeze_at", name=op.f("ck_campaign_instants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
        sa.UniqueConstraint("slug", name=op.f("uq_campaign_slug")),
    )
    op.create_table(
        "box",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("number", sa.String(length=4), nullable=False),
        sa.Column("items_sealed", sa.String(length=800), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_box_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_box")),
        sa.UniqueConstraint("campaign_id", "number", name=op.f("uq_box_campaign_id_number")),
    )
    op.create_index(op.f("ix_box_campaign_id"), "box", ["campaign_id"], unique=False)
    op.create_table(
        "prize",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("tier", sa.String(length=20), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("value_fen", sa.Integer(), nullable=False),
        sa.CheckConstraint("count > 0", name=op.f("ck_prize_count")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_prize_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prize")),
        sa.UniqueConstraint("campaign_id", "tier", name=op.f("uq_prize_campaign_id_tier")),
    )
    op.create_index(op.f("ix_prize_campaign_id"), "prize", ["campaign_id"], unique=False)
    op.create_table(
        "rules_version",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("canonical", LongText, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("box_salt_sealed", sa.String(length=200), nullable=False),
        sa.Column("published_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_rules_version_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rules_version")),
        sa.UniqueConstraint("campaign_id", "version", name=op.f("uq_rules_version_campaign_id_version")),
    )
    op.create_index(op.f("ix_rules_version_campaign_id"), "rules_version", ["campaign_id"], unique=False)
    op.create_table(
        "source",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("qr_png", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_source_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
        sa.UniqueConstraint("campaign_id", "code", name=op.f("uq_source_campaign_id_code")),
    )
    op.create_index(op.f("ix_source_campaign_id"), "source", ["campaign_id"], unique=False)
    op.create_table(
        "subject",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("grades", sa.JSON(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_subject_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject")),
        sa.UniqueConstraint("campaign_id", "key", name=op.f("uq_subject_campaign_id_key")),
    )
    op.create_index(op.f("ix_subject_campaign_id"), "subject", ["campaign_id"], unique=False)
    never("rules_version", "update", "published rules never change")
    never("rules_version", "delete", "published rules never change")


def downgrade() -> None:
    op.drop_table("subject")
    op.drop_table("source")
    drop_table("rules_version")
    op.drop_table("prize")
    op.drop_table("box")
    op.drop_table("campaign")
