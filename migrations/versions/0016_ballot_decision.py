"""Which live ballots count: decisions that never change; how many people voted, as last counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.triggers import drop_table, never
from wxbackend.extensions import Id, Instant

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ballot_decision",
        sa.Column("id", Id, nullable=False),
        sa.Column("ballot_id", Id, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("verdict", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("rule", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.CheckConstraint("n >= 1", name=op.f("ck_ballot_decision_n")),
        sa.CheckConstraint("verdict IN ('quarantined', 'released', 'rejected', 'voided')", name=op.f("ck_ballot_decision_verdict")),
        sa.ForeignKeyConstraint(["ballot_id"], ["ballot.id"], name=op.f("fk_ballot_decision_ballot_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ballot_decision")),
        sa.UniqueConstraint("ballot_id", "n", name=op.f("uq_ballot_decision_ballot_id_n")),
    )
    op.create_index("ix_ballot_decision_campaign_id_id", "ballot_decision", ["campaign_id", "id"], unique=False)
    op.create_table(
        "turnout",
        sa.Column("campaign_id", Id, autoincrement=False, nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_turnout")),
    )
    never("ballot_decision", "update", "a decision on a ballot will never change")
    never("ballot_decision", "delete", "a decision on a ballot will never change")


def downgrade() -> None:
    op.drop_table("turnout")
    drop_table("ballot_decision")
