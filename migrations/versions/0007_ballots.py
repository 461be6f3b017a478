"""The ballot box and its count; a ballot never changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.triggers import differs, drop_table, never
from wxbackend.extensions import Id, Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ballot",
        sa.Column("id", Id, nullable=False),
        sa.Column("receipt_id", sa.String(length=16), nullable=False),
        sa.Column("captcha_hash", sa.String(length=64), nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("subject_id", Id, nullable=False),
        sa.Column("quota_key", sa.String(length=20), nullable=False),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("void_no", sa.Integer(), nullable=False),
        sa.Column("grade", sa.String(length=4), nullable=False),
        sa.Column("source_code", sa.String(length=20), nullable=False),
        sa.Column("door", sa.String(length=12), nullable=False),
        sa.Column("degraded", sa.Boolean(), nullable=False),
        sa.Column("cast_at", Instant(), nullable=False),
        sa.CheckConstraint("grade IN ('优', '良', '中', '差')", name=op.f("ck_ballot_grade")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ballot")),
        sa.UniqueConstraint("captcha_hash", name=op.f("uq_ballot_captcha_hash")),
        sa.UniqueConstraint("person_id", "quota_key", "day", "void_no", name=op.f("uq_ballot_person_id_quota_key_day_void_no")),
        sa.UniqueConstraint("receipt_id", name=op.f("uq_ballot_receipt_id")),
    )
    op.create_table(
        "ballot_batch",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ballot_batch")),
    )
    op.create_table(
        "tally",
        sa.Column("subject_id", Id, autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("grade", sa.String(length=4), nullable=False),
        sa.Column("shard", sa.String(length=12), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", "day", "grade", "shard", name=op.f("pk_tally")),
    )
    # A merge of two persons changes person_id and void_no; nothing else ever changes.
    never(
        "ballot",
        "update",
        "a ballot never changes",
        differs(
            "id",
            "receipt_id",
            "captcha_hash",
            "campaign_id",
            "subject_id",
            "quota_key",
            "day",
            "grade",
            "source_code",
            "door",
            "degraded",
            "cast_at",
        ),
    )
    never("ballot", "delete", "a ballot never changes")


def downgrade() -> None:
    op.drop_table("tally")
    op.drop_table("ballot_batch")
    drop_table("ballot")
