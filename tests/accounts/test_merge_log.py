"""The log of merges, which only grows, and the tidying of what comes late."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.accounts.conftest import HOUR, U, learn, log, take_part
from tests.factories import NOON
from wxbackend import jobs
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Identity
from wxbackend.campaigns.rules import Grade
from wxbackend.extensions import db
from wxbackend.jobs.models import Job
from wxbackend.submissions.models import ChatEntry


def test_the_log_only_grows_and_names_nobody(campaign, account, mini):
    take_part(campaign, account, NOON)
    take_part(campaign, mini, NOON + HOUR, "陈美", "13800000005")
    openids = [account.identity.openid, mini.identity.openid]
    learn(account)
    (entry,) = log()
    said = json.dumps(entry.facts, ensure_ascii=False)
    assert not any(secret in said for secret in (*openids, U, "13800000005", "陈", *(g.value for g in Grade)))
    assert not any(word in said for word in ("grade", "phone", "name"))
    for statement in ("UPDATE person_merge SET why = 'x'", "DELETE FROM person_merge"):
        with pytest.raises(DBAPIError, match="never change"):
            db.session.execute(text(statement))
        db.session.rollback()


def test_what_was_written_under_the_old_person_after_the_merge_is_brought_over(campaign, account, mini):
    """A request that had the old person in its hands wrote after the merge; the job looks until nothing is left."""
    gone = mini.person_id
    learn(account)
    db.session.add(ChatEntry(campaign_id=campaign.id, person_id=gone, chosen_at=NOON))
    db.session.add(Identity(person_id=gone, appid="wxlate", openid="oLate", first_seen_at=NOON))
    db.session.commit()
    at = NOON + 2 * HOUR
    for _ in range(4):
        at += timedelta(minutes=5)
        jobs.run_due(at)
    assert [db.session.query(model).filter_by(person_id=gone).count() for model in (ChatEntry, Identity)] == [0, 0]
    assert [(m.why, m.facts["chats_moved"]) for m in log()] == [("unionid", 0), ("late", 1)]
    assert db.session.query(Job).filter_by(kind="accounts.tidy-merge", done_at=None).count() == 0   # it ends by itself


def test_tidying_finds_nothing_after_a_merge_even_of_conflicts(campaign, account, mini):
    take_part(campaign, account, NOON)
    take_part(campaign, mini, NOON + HOUR, phone="13800000005")
    gone = mini.person_id
    learn(account)
    assert not accounts.tidy(gone, NOON + 3 * HOUR) and not accounts.tidy(account.person_id, NOON + 3 * HOUR) and len(log()) == 1
