"""The ballot log: lines, tree, heads; what became of tickets; audit kits."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from migrations.triggers import drop_table, never
from wxbackend.extensions import Id, Instant, LongText

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

GROWS = {"log_leaf": "a line of the log will never change", "log_node": "the tree of the log will never change",
         "log_head": "a head of the log will never change", "ticket_event": "what became of a ticket will never change"}


def upgrade() -> None:
    _tickets()
    _log()
    _kits()
    for table, message in GROWS.items():
        never(table, "update", message)
        never(table, "delete", message)
    _begin()


def _tickets() -> None:
    op.create_table(
        "ticket_event",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("ticket_row_id", Id, nullable=False),
        sa.Column("ticket_id", sa.String(length=16), nullable=False),
        sa.Column("person_id", Id, nullable=False),
        sa.Column("verb", sa.String(length=8), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("activity", sa.String(length=20), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("evidence", sa.String(length=64), nullable=False),
        sa.Column("why", sa.String(length=80), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.CheckConstraint("verb IN ('granted', 'revoked')", name=op.f("ck_ticket_event_verb")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_event")),
    )
    op.create_index("ix_ticket_event_campaign_id", "ticket_event", ["campaign_id"], unique=False)
    columns = "campaign_id, ticket_row_id, ticket_id, person_id, verb, day, activity, n, evidence, why, at"
    row = "campaign_id, id, ticket_id, person_id, '{verb}', day, activity, n, '', {why}, {at}"
    op.execute(f"INSERT INTO ticket_event ({columns}) SELECT {row.format(verb='granted', why=chr(39) * 2, at='granted_at')} "
               "FROM ticket ORDER BY id")
    op.execute(f"INSERT INTO ticket_event ({columns}) SELECT {row.format(verb='revoked', why='revoked_why', at='revoked_at')} "
               "FROM ticket WHERE revoked_at IS NOT NULL ORDER BY id")


def _log() -> None:
    op.create_table(
        "log_leaf",
        sa.Column("campaign_id", Id, autoincrement=False, nullable=False),
        sa.Column("seq", Id, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("ref", Id, nullable=False),
        sa.Column("data", sa.String(length=400), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("receipt_hash", sa.String(length=64), nullable=True),
        sa.CheckConstraint("kind IN ('vote', 'void', 'decision', 'grant', 'revoke', 'rules')", name=op.f("ck_log_leaf_kind")),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_log_leaf_seq")),
        sa.PrimaryKeyConstraint("campaign_id", "seq", name=op.f("pk_log_leaf")),
        sa.UniqueConstraint("campaign_id", "kind", "ref", name=op.f("uq_log_leaf_campaign_id_kind_ref")),
        sa.UniqueConstraint("receipt_hash", name=op.f("uq_log_leaf_receipt_hash")),
    )
    op.create_table(
        "log_node",
        sa.Column("campaign_id", Id, autoincrement=False, nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", Id, autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "level", "number", name=op.f("pk_log_node")),
    )
    op.create_table(
        "log_head",
        sa.Column("campaign_id", Id, autoincrement=False, nullable=False),
        sa.Column("number", Id, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=5), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("size", Id, nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("body", LongText, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("prev_sha256", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.CheckConstraint("kind IN ('hour', 'day', 'close', 'last')", name=op.f("ck_log_head_kind")),
        sa.PrimaryKeyConstraint("campaign_id", "number", name=op.f("pk_log_head")),
        sa.UniqueConstraint("campaign_id", "prev_sha256", name=op.f("uq_log_head_campaign_id_prev_sha256")),
        sa.UniqueConstraint("campaign_id", "sha256", name=op.f("uq_log_head_campaign_id_sha256")),
    )
    op.create_table(
        "log_cursor",
        sa.Column("campaign_id", Id, autoincrement=False, nullable=False),
        sa.Column("ballots_to", Id, nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_log_cursor")),
    )


def _kits() -> None:
    op.create_table(
        "log_kit",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("named", sa.JSON(), nullable=False),
        sa.Column("asked_by", Id, nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("approved_by", Id, nullable=True),
        sa.Column("approved_at", Instant(), nullable=True),
        sa.Column("key_sealed", sa.String(length=200), nullable=False),
        sa.Column("made_at", Instant(), nullable=True),
        sa.Column("file_sha256", sa.String(length=64), nullable=False),
        sa.CheckConstraint("approved_by IS NULL OR approved_by <> asked_by", name=op.f("ck_log_kit_two_people")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_log_kit_campaign_id")),
        sa.ForeignKeyConstraint(["asked_by"], ["staff.id"], name=op.f("fk_log_kit_asked_by")),
        sa.ForeignKeyConstraint(["approved_by"], ["staff.id"], name=op.f("fk_log_kit_approved_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_kit")),
    )
    for column in ("campaign_id", "asked_by", "approved_by"):
        op.create_index(f"ix_log_kit_{column}", "log_kit", [column], unique=False)


def _begin() -> None:
    """Campaigns published before there was a log get theirs: everything they hold waits to be entered."""
    job = sa.table("job", *(sa.column(name) for name in ("kind", "payload", "attempts", "last_error")), sa.column("run_at", Instant()))
    published = sa.text("SELECT slug FROM campaign WHERE published_at IS NOT NULL ORDER BY id")
    now = datetime.now(UTC)
    for slug in op.get_bind().execute(published).scalars().all():
        op.get_bind().execute(job.insert().values(kind="ballots.log", payload=json.dumps({"campaign": slug}), attempts=0, last_error="",
                                                  run_at=now))


def downgrade() -> None:
    op.execute("DELETE FROM job WHERE kind IN ('ballots.log', 'ballots.log-kit')")
    op.drop_table("log_kit")
    op.drop_table("log_cursor")
    for table in reversed(GROWS):
        drop_table(table)
