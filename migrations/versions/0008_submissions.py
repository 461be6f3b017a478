"""Entrants and their evidence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from wxbackend.extensions import Id, Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chat_entry",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("chosen_at", Instant(), nullable=True),
        sa.Column("notified_at", Instant(), nullable=True),
        sa.Column("held_sealed", sa.String(length=800), nullable=False),
        sa.Column("held_until", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_chat_entry_campaign_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_chat_entry_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_entry")),
        sa.UniqueConstraint("campaign_id", "person_id", name=op.f("uq_chat_entry_campaign_id_person_id")),
    )
    op.create_index(op.f("ix_chat_entry_held_until"), "chat_entry", ["held_until"], unique=False)
    op.create_index("ix_chat_entry_person_id", "chat_entry", ["person_id"], unique=False)
    op.create_table(
        "entrant",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("name_sealed", sa.String(length=400), nullable=False),
        sa.Column("phone_sealed", sa.String(length=200), nullable=False),
        sa.Column("phone_hash", sa.String(length=64), nullable=False),
        sa.Column("age_band", sa.String(length=8), nullable=False),
        sa.Column("guardian_sealed", sa.String(length=600), nullable=False),
        sa.Column("consents", sa.JSON(), nullable=False),
        sa.Column("consent_version", sa.String(length=64), nullable=False),
        sa.Column("consented_at", Instant(), nullable=False),
        sa.Column("withdrawn_at", Instant(), nullable=True),
        sa.CheckConstraint("age_band IN ('18+', '14-17', '<14', 'unsaid')", name=op.f("ck_entrant_age_band")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_entrant_campaign_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_entrant_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entrant")),
        sa.UniqueConstraint("campaign_id", "person_id", name=op.f("uq_entrant_campaign_id_person_id")),
    )
    op.create_index("ix_entrant_campaign_id_phone_hash", "entrant", ["campaign_id", "phone_hash"], unique=False)
    op.create_index("ix_entrant_person_id", "entrant", ["person_id"], unique=False)
    op.create_table(
        "submission",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("evidence_at", Instant(), nullable=False),
        sa.Column("arrived_at", Instant(), nullable=False),
        sa.Column("media_id", sa.String(length=128), nullable=True),
        sa.Column("source_key", sa.String(length=120), nullable=True),
        sa.Column("image_name", sa.String(length=64), nullable=True),
        sa.Column("image_sha256", sa.String(length=64), nullable=True),
        sa.Column("receipt_id", sa.String(length=16), nullable=True),
        sa.Column("reading", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("decided_by", Id, nullable=True),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("ticket_row_id", Id, nullable=True),
        sa.CheckConstraint("channel IN ('chat', 'upload', 'tap')", name=op.f("ck_submission_channel")),
        sa.CheckConstraint(
            "state IN ('arriving', 'waiting', 'pending', 'approved', 'rejected', 'dropped')", name=op.f("ck_submission_state")
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_submission_campaign_id")),
        sa.ForeignKeyConstraint(["decided_by"], ["staff.id"], name=op.f("fk_submission_decided_by")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_submission_person_id")),
        sa.ForeignKeyConstraint(["ticket_row_id"], ["ticket.id"], name=op.f("fk_submission_ticket_row_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission")),
        sa.UniqueConstraint("source_key", name=op.f("uq_submission_source_key")),
    )
    op.create_index("ix_submission_campaign_id_image_sha256", "submission", ["campaign_id", "image_sha256"], unique=False)
    op.create_index("ix_submission_campaign_id_state", "submission", ["campaign_id", "state"], unique=False)
    op.create_index("ix_submission_decided_by", "submission", ["decided_by"], unique=False)
    op.create_index("ix_submission_person_id", "submission", ["person_id"], unique=False)
    op.create_index(op.f("ix_submission_receipt_id"), "submission", ["receipt_id"], unique=False)
    op.create_index("ix_submission_ticket_row_id", "submission", ["ticket_row_id"], unique=False)


def downgrade() -> None:
    op.drop_table("submission")
    op.drop_table("entrant")
    op.drop_table("chat_entry")
