"""Freeze, two people's numbers, one draw: on a real database."""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.draws.conftest import BULLETIN, DRAWN, FREEZE, LINE, NUMBERS, OPENS, VOTING, everywhere, make_campaign, make_voter
from wxbackend import jobs
from wxbackend.accounts.models import Staff
from wxbackend.audit.models import AuditEntry
from wxbackend.campaigns.models import Campaign
from wxbackend.draws import rules, shown
from wxbackend.draws import service as draws
from wxbackend.draws.models import Award, Draw, DrawLine, NumberEntry
from wxbackend.draws.verify import verify
from wxbackend.extensions import db
from wxbackend.problems import Invalid
from wxbackend.submissions import service as submissions
from wxbackend.tickets import service as tickets

SECOND = timedelta(seconds=1)


def numbers(*reds: int, blue: int = 6, issue: str = "2022005") -> list[dict[str, Any]]:
    return [{"source": "ssq", "issue": issue, "groups": [list(reds), [blue]]}]


def drawn(campaign: Campaign, desk: Any) -> Draw:
    draw = draws.freeze(campaign, FREEZE)
    assert draws.enter_numbers(draw, desk.xiaoli, NUMBERS, BULLETIN, DRAWN) is draws.Entered.SEALED
    assert draws.enter_numbers(draw, desk.laochen, NUMBERS, BULLETIN, DRAWN) is draws.Entered.DRAWN
    db.session.commit()
    return draw


def at_once(app: Any, deed: Callable[[], Any], times: int = 6) -> list[Any]:
    """The deed in as many threads as `times`, each with a session and transaction of its own; results or exceptions."""
    db.session.rollback()   # on SQLite an open transaction of ours would keep everybody out
    gate, said = threading.Barrier(times), []

    def go() -> None:
        with app.app_context():
            gate.wait()
            try:
                said.append(deed())
                db.session.commit()
            except Exception as e:
                db.session.rollback()
                said.append(e)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=go) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


# ---- the freeze ----

def test_nothing_is_frozen_a_moment_too_early(campaign):
    with pytest.raises(draws.NotYet, match="1月11日（周二）18:00封存"):
        draws.freeze(campaign, FREEZE - timedelta(microseconds=1))
    with pytest.raises(draws.NotYet):
        draws.of(campaign)


def test_the_list_is_every_live_ticket_of_everybody_in_the_draw(campaign):
    draw = draws.freeze(campaign, FREEZE)
    lines = draws.lines_of(draw)
    assert [line[:16] for line in lines] == [ticket.ticket_id for ticket in tickets.live(campaign)]
    assert lines == sorted(lines) and len(set(lines)) == draw.tickets == 50 and draw.persons == 20
    assert (draw.root, draw.list_sha256) == (rules.list_root(lines), rules.list_sha256(lines))
    assert campaign.frozen_at == FREEZE and draw.public_id == "reform-2021-1"


def test_who_did_not_enter_withdrew_or_lost_a_ticket_is_not_in_it(campaign):
    bystander, leaver, loser = make_voter(campaign, 50, days=2, enters=False), make_voter(campaign, 51), make_voter(campaign, 52, days=2)
    submissions.erase(submissions.entrant(campaign, leaver.id), VOTING)
    tickets.revoke(tickets.of(campaign, loser.id)[0], "not-yours", VOTING)
    draw = draws.freeze(campaign, FREEZE)
    counts = select(DrawLine.person_id, func.count()).where(DrawLine.draw_id == draw.id).group_by(DrawLine.person_id)
    mine = dict(db.session.execute(counts).all())
    assert (mine.get(bystander.id), mine.get(leaver.id), mine[loser.id]) == (None, None, 1)


def test_one_phone_is_one_person_by_the_tag_of_whoever_came_first(campaign):
    first, second = make_voter(campaign, 60, days=2, phone="13900000000"), make_voter(campaign, 61, days=3, phone="13900000000")
    draw = draws.freeze(campaign, FREEZE)
    tags = set(db.session.scalars(select(DrawLine.person_tag).where(DrawLine.person_id.in_((first.id, second.id)))))
    assert tags == {tickets.person_tag(campaign.ticket_key, first.public_id)} and draw.persons == 21


def test_excluded_phones_leave_with_tag_and_class_of_reason_only(campaign, desk):
    cousin = make_voter(campaign, 70, days=2, phone="13900000001")
    assert draws.exclude(campaign, ["13900000001", "13900000002"], "relative", desk.laochen, VOTING) == 2
    assert draws.exclude(campaign, ["13900000001"], "staff", desk.laochen, VOTING) == 0
    draw = draws.freeze(campaign, FREEZE)
    assert draw.excluded == [{"person": tickets.person_tag(campaign.ticket_key, cousin.public_id), "reason": "relative"}]
    assert draw.persons == 20


def test_nobody_is_excluded_after_the_freeze(campaign, desk):
    with pytest.raises(draws.ExclusionTooLate):
        draws.exclude(campaign, ["13800000001"], "staff", desk.laochen, FREEZE)


def test_no_ticket_is_given_or_taken_after_the_freeze(campaign):
    draws.freeze(campaign, FREEZE)
    with pytest.raises(tickets.AlreadyFrozen):
        tickets.grant(campaign, make_voter(make_campaign("later"), 80).id, VOTING.date(), "vote", FREEZE + SECOND)
    with pytest.raises(tickets.AlreadyFrozen):
        tickets.revoke(tickets.live(campaign)[0], "not-yours", FREEZE + SECOND)


def test_the_worker_freezes_by_itself_when_the_instant_comes(campaign):
    jobs.run_due(FREEZE - SECOND)
    with pytest.raises(draws.NotYet):
        draws.of(campaign)
    jobs.run_due(FREEZE + SECOND)
    assert draws.of(campaign).frozen_at == FREEZE + SECOND


@everywhere
def test_of_freezes_at_once_one_makes_the_draw(app, campaign):
    campaign_id = campaign.id
    said = at_once(app, lambda: draws.freeze(db.session.get_one(Campaign, campaign_id), FREEZE).id)
    assert len(set(said)) == 1, said
    assert db.session.scalar(select(func.count()).select_from(DrawLine)) == 50
    assert db.session.scalar(select(func.count()).where(AuditEntry.verb == "draw.frozen")) == 1


def test_a_campaign_without_tickets_freezes_an_empty_list(app, desk):
    draw = drawn(make_campaign(), desk)
    assert draw.tickets == 0 and draws.awards(draw) == [] and verify(json.loads(draw.transcript))


# ---- the numbers ----

def test_the_first_entry_stays_sealed(campaign, desk):
    draw = draws.freeze(campaign, FREEZE)
    draws.enter_numbers(draw, desk.xiaoli, NUMBERS, BULLETIN, DRAWN)
    entry = db.session.scalars(select(NumberEntry)).one()
    assert "03.08" not in entry.sealed and not draw.is_drawn and draw.entropy is None
    assert [one.staff.name for one in draws.entries(draw)] == ["小李"] and draws.evidence(draw) == []


def test_the_same_person_is_not_two(campaign, desk):
    draw = draws.freeze(campaign, FREEZE)
    draws.enter_numbers(draw, desk.xiaoli, NUMBERS, BULLETIN, DRAWN)
    with pytest.raises(draws.SamePerson):
        draws.enter_numbers(draw, desk.xiaoli, NUMBERS, BULLETIN, DRAWN)


def test_who_only_reviews_types_no_numbers(campaign, desk):
    with pytest.raises(draws.NotYourNumbers):
        draws.enter_numbers(draws.freeze(campaign, FREEZE), desk.aming, NUMBERS, BULLETIN, DRAWN)


def test_two_that_differ_are_both_void_and_it_is_written_down(campaign, desk):
    draw = draws.freeze(campaign, FREEZE)
    draws.enter_numbers(draw, desk.xiaoli, numbers(3, 8, 15, 21, 27, 32), BULLETIN, DRAWN)
    assert draws.enter_numbers(draw, desk.laochen, NUMBERS, BULLETIN, DRAWN) is draws.Entered.DIFFERENT
    assert draw.round == 2 and draws.entries(draw) == [] and not draw.is_drawn
    written = select(AuditEntry.facts).where(AuditEntry.verb == "draw.numbers-entered").order_by(AuditEntry.id)
    facts = [json.loads(f) for f in db.session.scalars(written)]
    assert [f["outcome"] for f in facts] == ["sealed", "different"] and "03.08" not in json.dumps(facts)
    assert draws.enter_numbers(draw, desk.laochen, NUMBERS, BULLETIN, DRAWN) is draws.Entered.SEALED
    assert draws.enter_numbers(draw, desk.xiaoli, NUMBERS, BULLETIN, DRAWN) is draws.Entered.DRAWN


@pytest.mark.parametrize("typed", [
    numbers(1, 2, 3, 4, 5, 34), numbers(1, 2, 3, 4, 5, 5), numbers(1, 2, 3, 4, 5), numbers(3, 8, 15, 21, 27, 33, issue="2022006"),
    [{"source": "dlt", "issue": "22005", "groups": [[1, 2, 3, 4, 5], [1, 2]]}], NUMBERS * 2, [],
], ids=["too-high", "twice", "five", "issue", "other-game", "two-sources", "none"])
def test_numbers_that_are_not_of_the_named_drawing_are_refused(campaign, desk, typed):
    draw = draws.freeze(campaign, FREEZE)
    with pytest.raises(Invalid) as caught:
        draws.enter_numbers(draw, desk.xiaoli, typed, BULLETIN, DRAWN)
    assert caught.value.facts["errors"][0]["pointer"].startswith("#/numbers") and draws.entries(draw) == []


def test_numbers_come_after_the_drawing_where_its_hour_is_known(app, desk):
    campaign = make_campaign(entropy=[{"source": "ssq", "issue": "2022005", "drawn_at": "2022-01-11T21:15:00+08:00"}])
    draw = draws.freeze(campaign, FREEZE)
    with pytest.raises(draws.NotYet, match="还没有开奖"):
        draws.enter_numbers(draw, desk.xiaoli, NUMBERS, BULLETIN, FREEZE + SECOND)
    assert draws.enter_numbers(draw, desk.xiaoli, NUMBERS, BULLETIN, DRAWN) is draws.Entered.SEALED


@everywhere
def test_a_grant_racing_the_freeze_is_in_the_list_or_refused(app, campaign):
    owner, campaign_id = make_voter(campaign, 90).id, campaign.id
    db.session.commit()
    turn = itertools.count()

    def deed() -> Any:
        n, mine = next(turn), db.session.get_one(Campaign, campaign_id)
        if n == 3:
            return draws.freeze(mine, FREEZE).public_id
        return tickets.grant(mine, owner, VOTING.date(), "vote", FREEZE - SECOND, n=10 + n).ticket_id

    said = at_once(app, deed, times=8)
    refused = [one for one in said if isinstance(one, Exception)]
    assert "reform-2021-1" in said and all(isinstance(one, tickets.AlreadyFrozen) for one in refused), said
    listed = [line[:16] for line in draws.lines_of(draws.by_public_id("reform-2021-1"))]
    assert listed == [ticket.ticket_id for ticket in tickets.live(campaign)] and len(listed) == 51 + 7 - len(refused)


@everywhere
def test_two_people_pressing_at_once_draw_once(app, campaign, desk):
    draws.freeze(campaign, FREEZE)
    db.session.commit()
    people = iter([desk.xiaoli.id, desk.laochen.id] * 3)

    def enter() -> Any:
        staff = db.session.get_one(Staff, next(people))
        return draws.enter_numbers(draws.by_public_id("reform-2021-1"), staff, NUMBERS, BULLETIN, DRAWN)

    said = at_once(app, enter)
    kinds = Counter(type(one).__name__ if isinstance(one, Exception) else one.value for one in said)
    assert kinds["sealed"] == 1 and kinds["drawn"] >= 1 and set(kinds) <= {"sealed", "drawn", "SamePerson"}, said
    db.session.expire_all()
    assert db.session.scalar(select(func.count()).select_from(Award)) == 9
    assert db.session.scalar(select(func.count()).where(AuditEntry.verb == "draw.drawn")) == 1


# ---- the draw ----

@everywhere
def test_the_transcript_verifies_and_awards_say_the_same(app, campaign, desk):
    draw = drawn(campaign, desk)
    db.session.expire_all()
    document = json.loads(draws.transcript(draw))
    assert verify(document) and document["entropy"] == draw.entropy == LINE
    rows = document["result"]["winners"] + document["result"]["alternates"]
    owners = dict(db.session.execute(select(DrawLine.ticket_id, DrawLine.person_id)).all())
    assert [(a.rank, a.ticket_id, a.person_id, a.tier, a.box) for a in draws.awards(draw)] == [
        (r["rank"], r["ticket"], owners[r["ticket"]], r.get("tier"), r.get("box")) for r in rows]
    assert Counter(a.kind for a in draws.awards(draw)) == {"winner": 5, "alternate": 4}


def test_a_second_run_changes_not_one_byte(campaign, desk):
    draw = drawn(campaign, desk)
    before = draws.transcript(draw)
    assert draws.enter_numbers(draw, desk.xiaoli, numbers(1, 2, 3, 4, 5, 6), BULLETIN, DRAWN + SECOND) is draws.Entered.DRAWN
    draws.run(draw, "ssq:2022005=01.02.03.04.05.06./06./", DRAWN + SECOND)
    db.session.commit()
    db.session.expire_all()
    assert draws.transcript(draw) == before and draw.entropy == LINE and len(draws.awards(draw)) == 9


def test_a_list_changed_behind_our_back_is_never_drawn(campaign, desk):
    draw = draws.freeze(campaign, FREEZE)
    db.session.scalars(select(DrawLine).where(DrawLine.position == 7)).one().person_tag = "0" * 16
    db.session.flush()
    with pytest.raises(RuntimeError, match="fingerprint"):
        draws.run(draw, LINE, DRAWN)


def test_one_phone_wins_once(app, desk):
    campaign = make_campaign(prizes=30)
    for number in range(1, 9):
        make_voter(campaign, number, days=3, phone="13900000000" if number > 3 else None)
    draw = drawn(campaign, desk)
    assert len(draws.awards(draw)) == 4


def test_no_personal_data_is_in_the_transcript(campaign, desk):
    draw = draws.freeze(campaign, FREEZE)
    frozen = draws.transcript(draw)
    after = draws.transcript(drawn(campaign, desk))
    for number in range(1, 21):
        for secret in (f"138{number:08d}", f"{number:032x}", submissions.phone_hash(f"138{number:08d}")):
            assert secret not in frozen + after
    assert "张" not in frozen + after and "小李" not in after and "openid" not in after


def test_winners_are_named_only_by_their_own_tick(campaign, desk):
    draw = drawn(campaign, desk)
    [(prize, rows)] = shown.winners(draw)
    entrants = [submissions.entrant(campaign, award.person_id) for award in draws.awards(draw)[:5]]
    assert prize == "青年文化盲盒" and [row.who for row in rows] == [
        "张*三" if "show-name" in entrant.consents else submissions.named(entrant).masked_phone for entrant in entrants]
    assert all("****" in row.who or row.who == "张*三" for row in rows)
    submissions.erase(submissions.entrant(campaign, draws.awards(draw)[0].person_id), DRAWN)
    assert shown.winners(draw)[0][1][0].who == "已退出公示"


def test_the_instants_of_the_example_are_in_order():
    assert OPENS < VOTING < FREEZE < DRAWN
