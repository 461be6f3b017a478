"""Two people's numbers, one draw: on a real database."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.draws.conftest import BULLETIN, DRAWN, FREEZE, LINE, NUMBERS, OPENS, VOTING, at_once, everywhere, make_campaign, make_voter
from wxbackend.accounts.models import Staff
from wxbackend.audit.models import AuditEntry
from wxbackend.campaigns.models import Campaign
from wxbackend.draws import service as draws
from wxbackend.draws import shown
from wxbackend.draws.models import Award, Draw, DrawLine, NumberEntry
from wxbackend.draws.verify import verify
from wxbackend.extensions import db
from wxbackend.problems import Invalid
from wxbackend.submissions import service as submissions

SECOND = timedelta(seconds=1)


def numbers(*reds: int, blue: int = 6, issue: str = "2022005") -> list[dict[str, Any]]:
    return [{"source": "ssq", "issue": issue, "groups": [list(reds), [blue]]}]


def drawn(campaign: Campaign, desk: Any) -> Draw:
    draw = draws.freeze(campaign, FREEZE)
    assert draws.enter_numbers(draw, desk.xiaoli, NUMBERS, BULLETIN, DRAWN) is draws.Entered.SEALED
    assert draws.enter_numbers(draw, desk.laochen, NUMBERS, BULLETIN, DRAWN) is draws.Entered.DRAWN
    db.session.commit()
    return draw


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
    written = select(AuditEntry).where(AuditEntry.verb.startswith("draw.numbers-")).order_by(AuditEntry.id)
    deeds = [(e.verb, json.loads(e.facts)["outcome"]) for e in db.session.scalars(written) if "03.08" not in e.facts]
    assert deeds == [("draw.numbers-entered", "sealed"), ("draw.numbers-differed", "different")]
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
    db.session.add(DrawLine(draw_id=draw.id, position=51, ticket_id="f" * 16, person_tag="0" * 16, person_id=1))
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
    submissions.erase(campaign, submissions.entrant(campaign, draws.awards(draw)[0].person_id), DRAWN)
    assert shown.winners(draw)[0][1][0].who == "已退出公示"


def test_the_instants_of_the_example_are_in_order():
    assert OPENS < VOTING < FREEZE < DRAWN


def test_a_campaign_without_tickets_freezes_an_empty_list(app, desk):
    draw = drawn(make_campaign(), desk)
    assert draw.tickets == 0 and draws.awards(draw) == [] and verify(json.loads(draw.transcript))
