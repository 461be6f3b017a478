"""Every outside part can be away: what goes on, what waits, and that nothing is lost."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from tests.factories import NOON, PASSWORD, bearer, make_campaign, make_staff, make_voter, staff_bearer
from tests.journeys.conftest import ANSWER, World, free_port
from wxbackend.ballots import batches
from wxbackend.ballots.models import Ballot
from wxbackend.extensions import db

VOTES = "/api/v1/campaigns/futian-2021-reform"


@pytest.fixture
def without_redis(make_app, monkeypatch):
    """A Redis that does not answer."""
    import random
    monkeypatch.setattr("wxbackend.captcha.service.choose", lambda: random.Random(7))
    app = make_app(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    with app.app_context():
        app.extensions["clock"].fixed = NOON
        make_campaign()
        yield app
        db.session.remove()


def test_votes_go_on_while_redis_is_away_and_are_marked(without_redis):
    client, headers = without_redis.test_client(), bearer(make_voter())
    captcha = client.post(f"{VOTES}/captchas", json={}, headers=headers).json
    body = {"grade": "优", "captcha_id": captcha["captcha_id"], "captcha_answer": ANSWER}
    first, again = (client.post(f"{VOTES}/ballots", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json["receipt_code"] == again.json["receipt_code"]
    assert db.session.query(Ballot.degraded).scalar() is True


def test_a_wrong_answer_is_burnt_without_redis_too(without_redis):
    client, headers = without_redis.test_client(), bearer(make_voter())
    captcha = client.post(f"{VOTES}/captchas", json={}, headers=headers).json
    body = {"grade": "优", "captcha_id": captcha["captcha_id"], "captcha_answer": "000"}
    wrong = client.post(f"{VOTES}/ballots", json=body, headers=headers)
    assert wrong.json["type"] == "/problems/captcha-wrong" and wrong.json["captcha"]["image"].startswith("data:image/")
    late = client.post(f"{VOTES}/ballots", json=body | {"captcha_answer": ANSWER}, headers=headers)
    assert late.json["type"] == "/problems/captcha-expired"


def test_staff_read_but_do_not_act_while_redis_is_away(without_redis):
    headers = staff_bearer(make_staff())
    client = without_redis.test_client()
    assert client.get("/api/v1/staff/campaigns", headers=headers).status_code == 200
    refused = client.post("/api/v1/staff/campaigns/futian-2021-reform/publish", headers=headers)
    assert (refused.status_code, refused.json["type"]) == (503, "/problems/staff-acts-wait")
    login = client.post("/api/v1/staff/login", json={"username": "xiaoli", "password": PASSWORD})
    assert (login.status_code, login.json["type"]) == (503, "/problems/login-away")


def test_nobody_new_comes_in_while_redis_is_away(without_redis):
    client = without_redis.test_client()
    mini = client.post("/api/v1/login/miniprogram", json={"code": "any"})
    assert (mini.status_code, mini.json["type"]) == (503, "/problems/login-away")
    state = client.get("/login/h5").location.partition("state=")[2].partition("&")[0].partition("#")[0]
    page = client.get("/login/h5/callback", query_string={"code": "any", "state": state})
    assert page.status_code == 503 and "现在登录不了" in page.text


def test_readiness_tells_the_operator(without_redis):
    ready = without_redis.test_client().get("/readyz")
    assert ready.status_code == 200 and ready.json == {"database": True, "redis": False, "storage": True}


def test_a_database_lost_after_the_captcha_was_spent_costs_no_second_look(small_world: World, monkeypatch):
    with small_world.app.app_context():
        make_campaign()
    small_world.at(NOON)
    mini, write, falls = small_world.mini(small_world.person("阿美")), batches.write, [True, True]

    def fall_twice(*args):
        if falls:
            falls.pop()
            raise OperationalError("INSERT", {}, Exception("connection refused"))
        return write(*args)

    monkeypatch.setattr(batches, "write", fall_twice)
    lost = mini.vote("futian-2021-reform")
    assert (lost.status_code, lost.json()["type"]) == (503, "/problems/vote-not-kept")
    assert lost.headers["Retry-After"] and "connection" not in lost.text
    fresh = lost.json()["captcha"]["captcha_id"]
    assert mini.vote("futian-2021-reform", captcha_id=fresh).status_code == 201


def test_wechat_away_at_login_is_a_calm_sentence(small_world: World):
    person = small_world.person("阿美")
    small_world.sim("fail-next", path="/sns/jscode2session", http=502, times=3)
    import requests
    code = small_world.sim("login-code", person=person["id"])["code"]
    answer = requests.post(f"{small_world.url}/api/v1/login/miniprogram", json={"code": code}, timeout=20)
    assert answer.status_code == 503 and answer.json()["type"] == "/problems/wechat-away"
    assert small_world.app.extensions["settings"].miniprogram_secret not in answer.text


def test_a_picture_is_fetched_later_when_wechat_is_away(small_world: World):
    import base64
    from datetime import timedelta

    from tests.journeys.test_api import plain_picture
    with small_world.app.app_context():
        make_campaign("external")
    small_world.at(NOON)
    amei = small_world.person("阿美")
    small_world.sim("fail-next", path="/cgi-bin/media/get", http=503, times=2)
    small_world.sim("send", person=amei["id"], image_base64=base64.b64encode(plain_picture()).decode())
    small_world.sim("send", person=amei["id"], text="张三 13800000000")
    small_world.work()
    assert "收好了" not in small_world.heard(amei)[-1]
    for minutes in (2, 10, 30):
        small_world.at(NOON + timedelta(minutes=minutes))
        small_world.work()
    assert "截图收好了" in small_world.heard(amei)[-1]


def test_a_forged_or_unsigned_callback_changes_nothing(small_world: World):
    amei = small_world.person("阿美")
    small_world.at(NOON)
    for how in ("unsigned", "wrong-signature", "wrong-token", "wrong-key", "plain", "old"):
        answer = small_world.sim("forge", person=amei["id"], text="张三 13800000000", how=how)
        assert answer["status"] == 403, how
    assert small_world.heard(amei) == []
