"""The numbered migrations on the three databases: they make what the models say, with their triggers, and can be taken back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import String, inspect, text
from sqlalchemy.exc import DBAPIError

from migrations.triggers import TRIGGERS
from tests.conftest import create_database, emptied_database
from tests.factories import NOON, cast, document, enter, make_campaign, make_voter
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Identity, Person
from wxbackend.ballots.log import service as ballot_log
from wxbackend.ballots.log.models import LogNode
from wxbackend.draws import freeze as freezing
from wxbackend.draws.models import Award
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions
from wxbackend.wechat import WxUser

VERSIONS = Path(__file__).parent.parent / "migrations" / "versions"
STANDING = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
    "mysql": "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def empty_app(request, make_app):
    """An app on a database of its own in which nothing is yet."""
    app = make_app(database_url="" if request.param == "sqlite" else create_database(request.param))
    with app.app_context():
        if request.param == "sqlite":
            Path(db.engine.url.database or "").unlink()
        yield app
        db.session.remove()


def triggers() -> set[str]:
    found = set(db.session.scalars(text(STANDING[db.engine.dialect.name])))
    db.session.rollback()   # on SQLite even a look holds the write lock
    return found


def test_upgrade_makes_what_the_models_say_and_downgrade_leaves_nothing(empty_app):
    upgrade()
    check()   # exits where the models differ
    assert triggers() == set(TRIGGERS)
    assert lengths_in_database() == lengths_in_models()
    downgrade(revision="base")
    assert set(inspect(db.engine).get_table_names()) == {"alembic_version"} and triggers() == set()
    upgrade()   # nothing was left lying about that stands in the way
    assert triggers() == set(TRIGGERS)


def test_no_step_takes_away_a_trigger_of_an_earlier_one(empty_app):
    """On SQLite a batch change copies its table and drops the triggers with the old one; elsewhere a table that is made anew loses them."""
    standing: set[str] = set()
    for path in sorted(VERSIONS.glob("*.py")):
        upgrade(revision=path.stem[:4])
        now = triggers()
        assert standing <= now, (path.stem, standing - now)
        standing = now
    assert standing == set(TRIGGERS)


def test_tickets_and_campaigns_from_before_the_log_are_taken_into_it(empty_app):
    upgrade(revision="0016")
    day, at = "2022-01-06", "2022-01-06 04:00:00"
    db.session.execute(text(
        "INSERT INTO campaign (id, slug, title, mode, zone, opens_at, closes_at, evidence_until, freeze_at, quota, results, captcha, "
        "doors, alternates, publicity_days, entropy, content, ticket_key_sealed, published_at, created_at) "
        "VALUES (1, 'old', 't', 'hosted', 'Asia/Shanghai', :at, '2022-01-08 01:00:00', '2022-01-09 01:00:00', '2022-01-11 10:00:00', "
        "'subject', 'hidden', 'colour', '[]', 1, 1, '[]', '{}', '', :at, :at)"), {"at": at})
    db.session.execute(text("INSERT INTO person (id, public_id, created_at) VALUES (1, 'p', :at)"), {"at": at})
    columns = "(campaign_id, person_id, ticket_id, day, activity, n, granted_at, revoked_at, revoked_why)"
    for n, gone in ((1, None), (2, at)):
        db.session.execute(text(f"INSERT INTO ticket {columns} VALUES (1, 1, :ticket, :day, 'vote', :n, :at, :gone, :why)"),   # noqa: S608
                           {"ticket": f"t{n}", "day": day, "n": n, "at": at, "gone": gone, "why": gone and "本人退出"})
    db.session.commit()
    upgrade()
    events = db.session.execute(text("SELECT ticket_id, verb, why FROM ticket_event ORDER BY id")).all()
    assert [tuple(event) for event in events] == [("t1", "granted", ""), ("t2", "granted", ""), ("t2", "revoked", "本人退出")]
    assert db.session.scalars(text("SELECT payload FROM job WHERE kind = 'ballots.log'")).all() == ['{"campaign": "old"}']
    db.session.rollback()


def lengths_in_models() -> dict[str, int]:
    """{"person.public_id": 32}: `check` compares no types, and a column shorter than its model cuts or refuses."""
    return {f"{t.name}.{c.name}": c.type.length for t in db.metadata.sorted_tables for c in t.columns if type(c.type) is String}


def lengths_in_database() -> dict[str, int]:
    seen = inspect(db.engine)
    columns = {f"{t.name}.{c['name']}": c["type"] for t in db.metadata.sorted_tables for c in seen.get_columns(t.name)}
    return {name: getattr(columns[name], "length", None) for name in lengths_in_models()}


def test_migrations_are_numbered_without_a_fork():
    files = sorted(path.stem for path in VERSIONS.glob("*.py"))
    assert [name[:4] for name in files] == [f"{n:04d}" for n in range(1, len(files) + 1)]
    for n, name in enumerate(files, 1):
        source = (VERSIONS / f"{name}.py").read_text(encoding="utf-8")
        assert re.search(rf'^revision = "{n:04d}"$', source, re.M), name
        assert re.search(r"^down_revision = " + ("None" if n == 1 else f'"{n - 1:04d}"') + "$", source, re.M), name


REFUSED = {
    "audit_entry_no_update": "UPDATE audit_entry SET actor = 'nobody'",
    "audit_entry_no_delete": "DELETE FROM audit_entry",
    "rules_version_no_update": "UPDATE rules_version SET canonical = '{}'",
    "rules_version_no_delete": "DELETE FROM rules_version",
    "ballot_no_update": "UPDATE ballot SET day = '2022-01-05'",
    "ballot_no_delete": "DELETE FROM ballot",
    "draw_line_no_update": "UPDATE draw_line SET person_tag = 'x'",
    "draw_line_no_delete": "DELETE FROM draw_line",
    "draw_no_update": "UPDATE draw SET seed = 'another'",
    "draw_no_delete": "DELETE FROM draw",
    "award_no_update": "UPDATE award SET person_id = person_id",
    "award_no_delete": "DELETE FROM award",
    "ticket_no_insert": "INSERT INTO ticket (campaign_id, person_id, ticket_id, day, activity, n, granted_at) "
                        "SELECT campaign_id, person_id, 'later', day, activity, 2, granted_at FROM ticket",
    "ticket_no_update": "UPDATE ticket SET revoked_why = 'why'",
    "ticket_no_delete": "DELETE FROM ticket",
    "person_merge_no_update": "UPDATE person_merge SET why = 'late'",
    "person_merge_no_delete": "DELETE FROM person_merge",
    "ballot_decision_no_update": "UPDATE ballot_decision SET verdict = 'released'",
    "ballot_decision_no_delete": "DELETE FROM ballot_decision",
    "log_leaf_no_update": "UPDATE log_leaf SET data = 'rules|1|'",
    "log_leaf_no_delete": "DELETE FROM log_leaf",
    "log_node_no_update": "UPDATE log_node SET hash = 'x'",
    "log_node_no_delete": "DELETE FROM log_node",
    "log_head_no_update": "UPDATE log_head SET root = 'x'",
    "log_head_no_delete": "DELETE FROM log_head",
    "ticket_event_no_update": "UPDATE ticket_event SET why = 'why'",
    "ticket_event_no_delete": "DELETE FROM ticket_event",
}


def test_each_trigger_refuses(any_app):
    """After vote, freeze and draw nothing of it changes, whoever writes to the database."""
    assert set(REFUSED) == set(TRIGGERS)
    draw = a_campaign_that_was_drawn()
    for name, statement in REFUSED.items():
        with pytest.raises(DBAPIError) as refused:
            db.session.execute(text(statement))
        db.session.rollback()
        assert re.search("never change|is frozen|stays drawn", str(refused.value.orig)), (name, refused.value)
    assert draw.tickets == 1


def a_campaign_that_was_drawn():
    campaign, amei, chen = make_campaign(), make_voter("阿美"), make_voter("老陈")
    cast(campaign, amei)
    cast(campaign, chen)   # voided by the merge, which is a decision on it
    enter(campaign, amei)
    submissions.tap(campaign, amei.person_id, None, NOON)
    accounts.merge(amei.person_id, chen.person_id, NOON, "unionid")
    db.session.commit()
    ballot_log.keep_up(campaign, NOON)
    db.session.add(LogNode(campaign_id=campaign.id, level=8, number=0, hash="0" * 64))   # made of 256 lines, and never changed either
    db.session.commit()
    draw = freezing.freeze(campaign, campaign.freeze_at)
    db.session.add(Award(draw_id=draw.id, rank=1, kind="alternate", person_id=amei.person_id, ticket_id="t"))
    draw.state, draw.seed, draw.transcript, draw.drawn_at = "drawn", "s", "{}", campaign.freeze_at
    db.session.commit()
    return draw


def test_tickets_of_a_running_campaign_may_change(any_app):
    """The trigger looks at the ticket's own campaign, not at any other."""
    a_campaign_that_was_drawn()
    other, amei = make_campaign(slug="futian-2022-other"), make_voter("阿美")
    cast(other, amei)
    enter(other, amei)
    ticket_row = submissions.tap(other, amei.person_id, None, NOON).ticket_row_id
    db.session.commit()
    db.session.execute(text("UPDATE ticket SET revoked_why = 'test' WHERE id = :id"), {"id": ticket_row})
    db.session.execute(text("UPDATE submission SET ticket_row_id = NULL WHERE ticket_row_id = :id"), {"id": ticket_row})
    db.session.execute(text("DELETE FROM ticket WHERE id = :id"), {"id": ticket_row})
    db.session.commit()


def test_a_merge_may_move_a_ballot_and_nothing_else_of_it(any_app):
    campaign, amei, chen = make_campaign(), make_voter("阿美"), make_voter("老陈")
    cast(campaign, amei)
    db.session.execute(text("UPDATE ballot SET person_id = :chen, void_no = 1"), {"chen": chen.person_id})
    db.session.commit()
    with pytest.raises(DBAPIError, match="never changes"):
        db.session.execute(text("UPDATE ballot SET person_id = :amei, grade = '差'"), {"amei": amei.person_id})
    db.session.rollback()


def test_names_that_differ_by_a_capital_letter_are_two(any_app):
    """openids are case-sensitive; MariaDB's usual collation is not."""
    upper, lower = (accounts.login(WxUser("wxa", openid), NOON) for openid in ("oAbCdEfGhIjKlMnOpQrStUv", "oabcdefghijklmnopqrstuv"))
    db.session.commit()
    assert upper.person_id != lower.person_id
    assert db.session.query(Identity).count() == db.session.query(Person).count() == 2


def test_every_text_of_mariadb_compares_exactly(make_app, tmp_path_factory):
    query = ("SELECT table_name, column_name, collation_name FROM information_schema.columns WHERE table_schema = DATABASE() "
             "AND collation_name <> 'utf8mb4_bin' AND table_name <> 'alembic_version'")
    with make_app(database_url=emptied_database("mariadb", tmp_path_factory)).app_context():
        assert [tuple(row) for row in db.session.execute(text(query))] == []


def test_instants_and_large_texts_come_back_whole(any_app):
    """Microseconds and 64 kB: where engines cut silently (see stack.md)."""
    long = "长" * 80_000
    campaign = make_campaign(content=document()["content"] | {"greeting": "您好"})
    campaign.rules_versions[0].canonical   # noqa: B018  loaded before the raw insert below
    db.session.execute(text("INSERT INTO rules_version (campaign_id, version, canonical, sha256, box_salt_sealed, published_at) "
                            "SELECT campaign_id, 2, :long, sha256, '', published_at FROM rules_version"), {"long": long})
    person = Person(public_id="x", unionid=None, created_at=NOON.replace(microsecond=999_999))
    db.session.add(person)
    db.session.commit()
    db.session.expire_all()
    assert (person.created_at, campaign.rules_versions[1].canonical) == (NOON.replace(microsecond=999_999), long)
