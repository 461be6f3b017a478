"""Whatever comes in whatever order: casts, logins, entries, taps of three identities of two people."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import timedelta

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.factories import NOON, make_campaign
from wxbackend import jobs
from wxbackend.accounts import service as accounts
from wxbackend.ballots import service as ballots
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns.rules import Grade
from wxbackend.extensions import db, settings
from wxbackend.submissions import service as submissions
from wxbackend.tickets import service as tickets
from wxbackend.wechat import WxUser

HERS, OTHERS = ("account", "mini", "old"), ("chen",)   # 阿美's three identities, and 老陈's one
DAYS = 3
deeds = st.lists(st.tuples(st.sampled_from(["cast", "cast", "login", "learn", "enter", "tap", "leave", "work"]),
                           st.sampled_from(HERS + OTHERS), st.integers(0, DAYS - 1)), max_size=25)
_turns = itertools.count()


class Story:
    """One example: fresh people in a campaign that is there already, and what they did."""

    def __init__(self, campaign):
        self.campaign, self.turn, self.minutes = campaign, next(_turns), 0
        self.cast: dict[tuple[str, int], list] = {}     # (human, day) → receipt ids in the order of casting
        for who in HERS + OTHERS:
            self.login(who, None)

    def at(self):
        self.minutes += 1
        return NOON + timedelta(minutes=self.minutes)

    def login(self, who, unionid):
        appid = settings.miniprogram_appid if who == "mini" else f"wx{who}" if who == "old" else settings.account_appid
        identity = accounts.login(WxUser(appid, f"o{who}{self.turn}", unionid), self.at())
        db.session.commit()
        return identity

    def person(self, who):
        return self.login(who, None).person_id

    def do(self, deed, who, day):
        getattr(self, "do_" + deed)(who, day)
        db.session.commit()

    def do_cast(self, who, day):
        at, subject = self.at() + timedelta(days=day - 1), self.campaign.subjects[0]
        key, grade = ballots.quota_key(self.campaign, subject), Grade.GOOD if who == "mini" else Grade.POOR
        vote = ballots.Vote(self.campaign.id, subject.id, key, self.person(who), self.campaign.day(at), grade,
                            f"{self.turn}-{self.minutes}".ljust(64, "0"), "", "h5")
        (outcome,) = ballots.cast_many([vote], at)
        if not isinstance(outcome, ballots.AlreadyVoted):
            self.cast.setdefault((human(who), day), []).append((at, outcome.receipt.receipt_id))

    def do_login(self, who, day):
        self.login(who, f"u-{human(who)}-{self.turn}" if day else None)

    def do_learn(self, who, day):
        accounts.learn_unionid(self.login(who, None), f"u-{human(who)}-{self.turn}", self.at())

    def do_enter(self, who, day):
        submissions.enter(self.campaign, self.person(who), submissions.EntryForm("陈小美", f"1380000000{day}"), self.at())

    def do_tap(self, who, day):
        try:
            submissions.tap(self.campaign, self.person(who), NOON.date() + timedelta(days=day - 1), self.at())
        except (submissions.NotEntered, submissions.NoBallotThatDay):
            db.session.rollback()

    def do_leave(self, who, day):
        try:
            submissions.withdraw(self.campaign, self.person(who), self.at())
        except submissions.NotEntered:
            db.session.rollback()

    def do_work(self, who, day):
        jobs.run_due(self.at())


def human(who):
    return "amei" if who in HERS else "chen"


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds)
def test_one_person_has_one_ballot_and_one_ticket_a_day_once_it_is_known_who_she_is(app, deeds):
    campaign = make_campaign(slug=f"story-{next(_turns)}")
    story = Story(campaign)
    for deed in deeds:
        story.do(*deed)
        assert ballots.recount(campaign) == []
    for who in HERS + OTHERS:
        story.do_learn(who, 0)
    db.session.commit()
    ids = {name: {story.person(who) for who in whose} for name, whose in (("amei", HERS), ("chen", OTHERS))}
    assert {name: len(found) for name, found in ids.items()} == {"amei": 1, "chen": 1} and ids["amei"] != ids["chen"]
    check_ballots(campaign, story, {found.pop(): name for name, found in ids.items()})


def check_ballots(campaign, story, names):
    assert ballots.recount(campaign) == []
    live = db.session.query(Ballot).filter_by(campaign_id=campaign.id, void_no=0).all()
    assert {(names[b.person_id], (b.day - NOON.date()).days + 1): b.receipt_id for b in live} == {
        key: min(found)[1] for key, found in story.cast.items()}   # the earliest of each day, one for each, none lost
    assert len(live) == len(story.cast)
    assert db.session.query(Ballot).filter_by(campaign_id=campaign.id).count() == sum(map(len, story.cast.values()))
    for person_id in names:
        days = Counter(t.day for t in tickets.of(campaign, person_id))
        assert not days or max(days.values()) == 1
        assert len(submissions.entries_of(campaign, person_id)) <= 1
