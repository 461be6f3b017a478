"""Messages kept as they arrive, links of the message-first door."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from wxbackend.extensions import Id, Instant, LongText

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

NEW = ("app", "state", "action", "tries", "sealed")


def upgrade() -> None:
    with op.batch_alter_table("inbox_message") as table:
        table.alter_column("reply", existing_type=sa.String(1000), type_=sa.String(2048), existing_nullable=False)
        table.add_column(sa.Column("app", sa.String(12), nullable=False, server_default="account"))
        table.add_column(sa.Column("state", sa.String(6), nullable=False, server_default="done"))
        table.add_column(sa.Column("action", sa.String(10), nullable=False, server_default=""))
        table.add_column(sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("sealed", LongText, nullable=True))
        table.create_check_constraint(op.f("ck_inbox_message_state"), "state IN ('new', 'done', 'stuck')")
        table.create_index("ix_inbox_message_state_arrived_at", ["state", "arrived_at"], unique=False)
    op.create_table(
        "entry_link",
        sa.Column("id", Id, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("identity_id", Id, nullable=False),
        sa.Column("slug", sa.String(length=40), nullable=False),
        sa.Column("source_code", sa.String(length=20), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("bound_at", Instant(), nullable=True),
        sa.Column("bound_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name=op.f("fk_entry_link_identity_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_entry_link_token_hash")),
    )
    op.create_index(op.f("ix_entry_link_identity_id"), "entry_link", ["identity_id"], unique=False)
    op.create_index(op.f("ix_entry_link_expires_at"), "entry_link", ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("entry_link")
    with op.batch_alter_table("inbox_message") as table:
        table.drop_index("ix_inbox_message_state_arrived_at")
        table.drop_constraint(op.f("ck_inbox_message_state"), type_="check")
        for name in NEW:
            table.drop_column(name)
        table.alter_column("reply", existing_type=sa.String(2048), type_=sa.String(1000), existing_nullable=False)
