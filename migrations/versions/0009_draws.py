"""Draws, their frozen lists, numbers and awards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.triggers import drop_table, never
from wxbackend.extensions import Id, Instant, LongText

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "draw",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=48), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("frozen_at", Instant(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("list_sha256", sa.String(length=64), nullable=False),
        sa.Column("tickets", sa.Integer(), nullable=False),
        sa.Column("persons", sa.Integer(), nullable=False),
        sa.Column("excluded", sa.JSON(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("entropy", LongText, nullable=True),
        sa.Column("seed", sa.String(length=64), nullable=True),
        sa.Column("transcript", LongText, nullable=True),
        sa.Column("transcript_sha256", sa.String(length=64), nullable=True),
        sa.Column("drawn_at", Instant(), nullable=True),
        sa.Column("published_at", Instant(), nullable=True),
        sa.CheckConstraint(
            "(state = 'drawn') = (transcript IS NOT NULL AND seed IS NOT NULL AND drawn_at IS NOT NULL)", name=op.f("ck_draw_whole")
        ),
        sa.CheckConstraint("state IN ('frozen', 'drawn')", name=op.f("ck_draw_state")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_draw_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draw")),
        sa.UniqueConstraint("campaign_id", "number", name=op.f("uq_draw_campaign_id_number")),
        sa.UniqueConstraint("public_id", name=op.f("uq_draw_public_id")),
    )
    op.create_table(
        "exclusion",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("phone_hash", sa.String(length=64), nullable=False),
        sa.Column("reason_class", sa.String(length=10), nullable=False),
        sa.Column("decided_by", Id, nullable=False),
        sa.Column("decided_at", Instant(), nullable=False),
        sa.CheckConstraint("reason_class IN ('staff', 'relative', 'supplier')", name=op.f("ck_exclusion_reason_class")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_exclusion_campaign_id")),
        sa.ForeignKeyConstraint(["decided_by"], ["staff.id"], name=op.f("fk_exclusion_decided_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exclusion")),
        sa.UniqueConstraint("campaign_id", "phone_hash", name=op.f("uq_exclusion_campaign_id_phone_hash")),
    )
    op.create_index("ix_exclusion_decided_by", "exclusion", ["decided_by"], unique=False)
    op.create_table(
        "award",
        sa.Column("id", Id, nullable=False),
        sa.Column("draw_id", Id, nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("ticket_id", sa.String(length=16), nullable=False),
        sa.Column("tier", sa.String(length=20), nullable=True),
        sa.Column("box", sa.String(length=4), nullable=True),
        sa.CheckConstraint("(kind = 'winner') = (tier IS NOT NULL AND box IS NOT NULL)", name=op.f("ck_award_prize")),
        sa.CheckConstraint("kind IN ('winner', 'alternate')", name=op.f("ck_award_kind")),
        sa.ForeignKeyConstraint(["draw_id"], ["draw.id"], name=op.f("fk_award_draw_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_award_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_award")),
        sa.UniqueConstraint("draw_id", "box", name="uq_award_draw_id_box"),
        sa.UniqueConstraint("draw_id", "person_id", name="uq_award_draw_id_person_id"),
        sa.UniqueConstraint("draw_id", "rank", name=op.f("uq_award_draw_id_rank")),
    )
    op.create_index("ix_award_person_id", "award", ["person_id"], unique=False)
    op.create_table(
        "draw_line",
        sa.Column("id", Id, nullable=False),
        sa.Column("draw_id", Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("ticket_id", sa.String(length=16), nullable=False),
        sa.Column("person_tag", sa.String(length=16), nullable=False),
        sa.Column("person_id", Id, nullable=False),
        sa.ForeignKeyConstraint(["draw_id"], ["draw.id"], name=op.f("fk_draw_line_draw_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_draw_line_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draw_line")),
        sa.UniqueConstraint("draw_id", "position", name=op.f("uq_draw_line_draw_id_position")),
        sa.UniqueConstraint("draw_id", "ticket_id", name="uq_draw_line_draw_id_ticket_id"),
    )
    op.create_index("ix_draw_line_person_id", "draw_line", ["person_id"], unique=False)
    op.create_table(
        "number_entry",
        sa.Column("id", Id, nullable=False),
        sa.Column("draw_id", Id, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("staff_id", Id, nullable=False),
        sa.Column("sealed", sa.String(length=2000), nullable=False),
        sa.Column("evidence_url", sa.String(length=300), nullable=False),
        sa.Column("entered_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["draw_id"], ["draw.id"], name=op.f("fk_number_entry_draw_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_number_entry_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_number_entry")),
        sa.UniqueConstraint("draw_id", "round", "staff_id", name=op.f("uq_number_entry_draw_id_round_staff_id")),
    )
    op.create_index("ix_number_entry_staff_id", "number_entry", ["staff_id"], unique=False)
    never("draw_line", "update", "the frozen list never changes")
    never("draw_line", "delete", "the frozen list never changes")
    never("draw", "update", "what was drawn stays drawn", "OLD.state = 'drawn'")
    never("draw", "delete", "what was drawn stays drawn")
    never("award", "update", "what was drawn stays drawn")
    never("award", "delete", "what was drawn stays drawn")


def downgrade() -> None:
    op.drop_table("number_entry")
    drop_table("draw_line")
    drop_table("award")
    op.drop_table("exclusion")
    drop_table("draw")
