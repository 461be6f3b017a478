"""One person from two: where a merged person went, what was in conflict, which doors a campaign has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.triggers import drop_table, never
from wxbackend.extensions import Id, Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BOTH_DOORS = '["account", "miniprogram"]'


def upgrade() -> None:
    _add_merged_into()
    op.create_index(op.f("ix_person_merged_into_id"), "person", ["merged_into_id"], unique=False)
    op.create_table(
        "person_merge",
        sa.Column("id", Id, nullable=False),
        sa.Column("kept_id", Id, nullable=False),
        sa.Column("absorbed_id", Id, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("why", sa.String(length=20), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["absorbed_id"], ["person.id"], name=op.f("fk_person_merge_absorbed_id")),
        sa.ForeignKeyConstraint(["kept_id"], ["person.id"], name=op.f("fk_person_merge_kept_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_merge")),
    )
    op.create_index(op.f("ix_person_merge_absorbed_id"), "person_merge", ["absorbed_id"], unique=False)
    op.create_index(op.f("ix_person_merge_kept_id"), "person_merge", ["kept_id"], unique=False)
    op.add_column("voter_token", sa.Column("door", sa.String(length=12), nullable=False, server_default=""))
    # Campaigns that stand keep both doors; MySQL takes a default for JSON only as an expression.
    is_mysql = op.get_bind().dialect.name in ("mysql", "mariadb")
    default = sa.text(f"('{BOTH_DOORS}')") if is_mysql else BOTH_DOORS
    op.add_column("campaign", sa.Column("doors", sa.JSON(), nullable=False, server_default=default))
    never("person_merge", "update", "what was merged stays on record and will never change")
    never("person_merge", "delete", "what was merged stays on record and will never change")


def _add_merged_into() -> None:
    # SQLite adds a column with its reference in one breath; batch mode would copy the table and drop the one that others point to.
    if op.get_bind().dialect.name == "sqlite":
        op.execute("ALTER TABLE person ADD COLUMN merged_into_id INTEGER CONSTRAINT fk_person_merged_into_id REFERENCES person (id)")
        return
    op.add_column("person", sa.Column("merged_into_id", Id, nullable=True))
    op.create_foreign_key(op.f("fk_person_merged_into_id"), "person", "person", ["merged_into_id"], ["id"])


def downgrade() -> None:
    op.drop_column("campaign", "doors")
    op.drop_column("voter_token", "door")
    drop_table("person_merge")
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f("fk_person_merged_into_id"), "person", type_="foreignkey")
    op.drop_index(op.f("ix_person_merged_into_id"), table_name="person")
    op.drop_column("person", "merged_into_id")
