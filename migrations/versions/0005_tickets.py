"""Chances earned; none after the freeze."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.triggers import FROZEN, drop_table, never
from wxbackend.extensions import Id, Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ticket",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("ticket_id", sa.String(length=16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("activity", sa.String(length=20), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("granted_at", Instant(), nullable=False),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.Column("revoked_why", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_ticket_campaign_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_ticket_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket")),
        sa.UniqueConstraint(
            "campaign_id", "person_id", "day", "activity", "n", name=op.f("uq_ticket_campaign_id_person_id_day_activity_n")
        ),
        sa.UniqueConstraint("campaign_id", "ticket_id", name=op.f("uq_ticket_campaign_id_ticket_id")),
    )
    op.create_index("ix_ticket_person_id", "ticket", ["person_id"], unique=False)
    never("ticket", "insert", "the list of tickets is frozen", FROZEN.format(row="NEW"))
    never("ticket", "update", "the list of tickets is frozen", FROZEN.format(row="OLD"))
    never("ticket", "delete", "the list of tickets is frozen", FROZEN.format(row="OLD"))


def downgrade() -> None:
    drop_table("ticket")
