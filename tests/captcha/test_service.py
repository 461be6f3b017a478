"""The protocol, in Redis and in the SQL rows that stand in for it."""

from __future__ import annotations

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tests.captcha.conftest import AT, make_captcha_app
from tests.store.test_trouble import listening
from wxbackend import captcha, store
from wxbackend.captcha import CaptchaExpired, CaptchaWrong, TooOften, rules
from wxbackend.captcha.models import CaptchaChallenge
from wxbackend.extensions import db, reads_only
from wxbackend.store.connection import PAUSE_SECONDS

AMEI, PASSER = ("阿美", "reform-2021", "ballot"), ("路人", "reform-2021", "ballot")


def rows() -> int:
    count = db.session.scalar(select(func.count()).select_from(CaptchaChallenge))
    db.session.commit()
    return count or 0


def wrong(answer: str) -> str:
    return answer[:-1] + ("2" if answer[-1] != "2" else "3")


def test_a_challenge_is_a_picture_a_question_and_ten_minutes(app, answer):
    challenge = captcha.make(*AMEI, AT)
    assert rules.ID.fullmatch(challenge.id)
    assert challenge.expires_at == AT + timedelta(minutes=10)
    assert challenge.prompt.startswith("请输入图中") and challenge.prompt.endswith("色的数字")
    assert challenge.alt == "彩色数字图片" and challenge.family == "colour"
    kind, _, data = challenge.image_data_url.partition(",")
    assert kind == "data:image/jpeg;base64" and base64.b64decode(data).startswith(b"\xff\xd8")
    assert answer not in challenge.prompt


def test_the_other_kind_is_a_sum(app):
    challenge = captcha.make(*AMEI, AT, family="arithmetic")
    assert challenge.prompt == "请算一算，输入得数" and challenge.alt == "算式图片"
    with pytest.raises(ValueError):
        captcha.make(*AMEI, AT, family="os")


def test_a_captcha_serves_once(app, answer):
    challenge = captcha.make(*AMEI, AT)
    captcha.make(*PASSER, AT)
    captcha.redeem(challenge.id, answer, *AMEI, AT)
    with pytest.raises(CaptchaExpired):
        captcha.redeem(challenge.id, answer, *AMEI, AT)


def test_of_eight_at_once_one_passes(app, answer):
    for _ in range(3):
        challenge = captcha.make(*AMEI, AT)
        db.session.remove()
        gate = threading.Barrier(8)

        def one(_i, challenge_id=challenge.id, gate=gate):
            with app.app_context():
                gate.wait()
                try:
                    captcha.redeem(challenge_id, answer, *AMEI, AT)
                except CaptchaExpired:
                    return "expired"
                return "passed"

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(one, range(8))) == ["expired"] * 7 + ["passed"]


def test_a_wrong_answer_burns_the_picture(app, answer):
    challenge = captcha.make(*AMEI, AT)
    with pytest.raises(CaptchaWrong) as caught:
        captcha.redeem(challenge.id, wrong(answer), *AMEI, AT)
    assert caught.value.status == 422 and caught.value.said == "没对上，已换了一张新的。看不清就点“换一种”。"
    db.session.rollback()   # as an edge does after a refusal
    with pytest.raises(CaptchaExpired):
        captcha.redeem(challenge.id, answer, *AMEI, AT)


@pytest.mark.parametrize("typed", ["", " ", "99999999", "红", "\ud800", "9" * 5000])
def test_odd_answers_are_only_wrong(app, answer, typed):
    challenge = captcha.make(*AMEI, AT)
    with pytest.raises(CaptchaWrong):
        captcha.redeem(challenge.id, typed, *AMEI, AT)


def test_full_width_digits_and_blanks_are_accepted(app, answer):
    challenge = captcha.make(*AMEI, AT)
    full_width = " ".join(chr(ord(d) + 0xFEE0) for d in answer)
    captcha.redeem(challenge.id, f" {full_width} ", *AMEI, AT)


@pytest.mark.parametrize("other", [("路人", *AMEI[1:]), (AMEI[0], "other-campaign", AMEI[2]), (*AMEI[:2], "login")])
def test_a_foreign_captcha_looks_expired_and_stays_its_owners(app, answer, other):
    challenge = captcha.make(*AMEI, AT)
    for typed in (answer, wrong(answer)):
        with pytest.raises(CaptchaExpired):
            captcha.redeem(challenge.id, typed, *other, AT)
    captcha.redeem(challenge.id, answer, *AMEI, AT)


@pytest.mark.parametrize("seconds, passes", [(599, True), (600, False), (86_400, False)])
def test_ten_minutes_are_half_open(app, answer, seconds, passes):
    later = timedelta(seconds=seconds)
    challenge = captcha.make(*AMEI, AT)
    if passes:
        captcha.redeem(challenge.id, answer, *AMEI, AT + later)
        return
    with pytest.raises(CaptchaExpired) as caught:
        captcha.redeem(challenge.id, answer, *AMEI, AT + later)
    assert caught.value.said == "这张图放久了，已换新的，您的选择还在。"


@pytest.mark.parametrize("unknown", ["", "x", "r" + "0" * 32, "s" + "0" * 32, "r" + "0" * 31, "红" * 33, "r" + "0" * 33, "s'; --"])
def test_an_unknown_id_is_expired(app, unknown):
    with pytest.raises(CaptchaExpired):
        captcha.redeem(unknown, "2", *AMEI, AT)


def test_thirty_pictures_in_ten_minutes_are_enough(app):
    for _ in range(30):
        captcha.make(*AMEI, AT, family="arithmetic")
    with pytest.raises(TooOften) as caught:
        captcha.make(*AMEI, AT)
    problem = caught.value
    assert (problem.status, problem.type) == (429, "too-often")
    assert problem.facts["retry_after"] >= 1 and problem.headers["Retry-After"] == str(problem.facts["retry_after"])
    assert problem.said.startswith("点得有点快，歇") and problem.said.endswith("分钟再来。")
    captcha.make(*PASSER, AT)


def test_the_hash_for_the_ballot_is_stable_and_tells_nothing():
    one = captcha.mac_of("r" + "0" * 32)
    assert one == captcha.mac_of("r" + "0" * 32) and len(one) == 64
    assert one != captcha.mac_of("r" + "1" * 32)


def test_answers_come_from_the_machines_chance_by_default(app):
    import random
    assert isinstance(captcha.service.choose(), random.SystemRandom)


def test_only_a_mac_is_kept(app, answer):
    challenge = captcha.make(*AMEI, AT)
    if challenge.id[0] == "s":
        kept = db.session.scalars(select(CaptchaChallenge)).one().mac
    else:
        kept = store.get(store.name_of("阿美", captcha.once_name(challenge.id, *AMEI[1:]))).partition(":")[2]
    assert len(kept) == 64 and set(kept) <= set("0123456789abcdef")


# what concerns the stand-in alone

@pytest.fixture
def hung(tmp_path):
    """An app whose Redis accepts and never answers."""
    with listening(None) as url:
        app = make_captcha_app(tmp_path, url)
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


def test_a_hung_redis_costs_a_moment_and_not_the_vote(hung, answer):
    started = time.monotonic()
    challenge = captcha.make(*AMEI, AT)
    captcha.redeem(challenge.id, answer, *AMEI, AT)
    print(f"make and redeem with a hung Redis: {(time.monotonic() - started) * 1000:.0f} ms")
    assert challenge.id[0] == "s" and rows() == 0


def test_a_page_that_only_reads_can_show_a_captcha_without_redis(hung, answer):
    token = reads_only.set(True)
    try:
        rows()
        challenge = captcha.make(*AMEI, AT)
        assert reads_only.get() is True
    finally:
        reads_only.reset(token)
    db.session.rollback()
    captcha.redeem(challenge.id, answer, *AMEI, AT)


def test_rows_nobody_answered_are_swept(hung):
    for minutes in (0, 5):
        captcha.make(*AMEI, AT + timedelta(minutes=minutes))
    assert captcha.sweep(AT + timedelta(minutes=10)) == 1
    assert rows() == 1


def test_a_picture_made_without_redis_is_redeemed_after_its_return(start_server, answer, tmp_path):
    url, process = start_server()
    process.kill()
    process.wait()
    with make_captcha_app(tmp_path, url).app_context():
        without = captcha.make(*AMEI, AT)
        start_server()
        time.sleep(PAUSE_SECONDS + 0.1)
        with_it = captcha.make(*AMEI, AT)
        assert (without.id[0], with_it.id[0]) == ("s", "r")
        captcha.redeem(without.id, answer, *AMEI, AT)
        captcha.redeem(with_it.id, answer, *AMEI, AT)


def test_a_picture_made_with_redis_counts_as_expired_while_it_is_away(start_server, answer, tmp_path):
    url, process = start_server()
    with make_captcha_app(tmp_path, url).app_context():
        challenge = captcha.make(*AMEI, AT)
        process.kill()
        process.wait()
        with pytest.raises(CaptchaExpired):
            captcha.redeem(challenge.id, answer, *AMEI, AT)
        fresh = captcha.make(*AMEI, AT)
        captcha.redeem(fresh.id, answer, *AMEI, AT)
