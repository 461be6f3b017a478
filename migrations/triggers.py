"""Rows that never change: triggers in the words of SQLite, PostgreSQL and MariaDB.

SQLite drops a table's triggers when batch mode copies it: whoever alters such a table calls `never` again afterwards,
and tests/test_migrations.py asks for every name in TRIGGERS.
"""

from __future__ import annotations

from alembic import op

TRIGGERS: list[str] = [
    "audit_entry_no_update", "audit_entry_no_delete", "rules_version_no_update", "rules_version_no_delete",
    "ballot_no_update", "ballot_no_delete", "draw_line_no_update", "draw_line_no_delete",
    "draw_no_update", "draw_no_delete", "award_no_update", "award_no_delete",
    "ticket_no_insert", "ticket_no_update", "ticket_no_delete", "person_merge_no_update", "person_merge_no_delete",
    "ballot_decision_no_update", "ballot_decision_no_delete",
    "log_leaf_no_update", "log_leaf_no_delete", "log_node_no_update", "log_node_no_delete", "log_head_no_update", "log_head_no_delete",
    "ticket_event_no_update", "ticket_event_no_delete",
]
FROZEN = "(SELECT frozen_at FROM campaign WHERE id = {row}.campaign_id) IS NOT NULL"


def never(table: str, event: str, message: str, when: str = "") -> None:
    """Refuse `event` (insert, update or delete) on `table`, always or where the SQL condition `when` over NEW and OLD holds."""
    name, dialect = f"{table}_no_{event}", op.get_bind().dialect.name
    {"sqlite": _sqlite, "postgresql": _postgresql}.get(dialect, _mysql)(name, table, event.upper(), message, when)


def _sqlite(name: str, table: str, event: str, message: str, when: str) -> None:
    condition = f"WHEN {when} " if when else ""
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {condition}BEGIN SELECT RAISE(ABORT, '{message}'); END")


def _postgresql(name: str, table: str, event: str, message: str, when: str) -> None:
    body = f"RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation';"
    body = f"IF {when} THEN {body} END IF;" if when else body
    given_back = "OLD" if event == "DELETE" else "NEW"
    op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN {given_back}; END $$")
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


def _mysql(name: str, table: str, event: str, message: str, when: str) -> None:
    signal = f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{message}'"
    body = f"IF {when} THEN {signal}; END IF" if when else signal
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW BEGIN {body}; END")


def drop_table(table: str) -> None:
    """Drop a table with its triggers; on PostgreSQL their functions would stay behind and stand in the way of the next upgrade."""
    op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for name in (name for name in TRIGGERS if name.startswith(f"{table}_no_")):
            op.execute(f"DROP FUNCTION IF EXISTS {name}()")


def differs(*columns: str) -> str:
    """A condition: any of these columns is about to change. None of them may be NULL."""
    return " OR ".join(f"NEW.{column} <> OLD.{column}" for column in columns)
