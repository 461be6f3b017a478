"""What Redis has to say about many votes at once: session, flag, limit and the value that serves once."""

from __future__ import annotations

import pytest

from tests.store.test_contract import together
from wxbackend import store
from wxbackend.store import Admission, Limit

AMEI, CHEN = "a" * 32, "c" * 32
LIMIT = Limit("vote", 3, 60)


def session_of(owner: str) -> str:
    return f"{{{store.shard_of(owner)}}}:session:{owner[:4]}"


def come(owner: str, once: str = "captcha:1", flag: str = "voted:s1") -> Admission:
    return Admission(session_of(owner), flag, "mine", 60, once, LIMIT)


@pytest.fixture
def known(app):
    """Both have a session; 阿美 has three captchas, 老陈 one."""
    for owner in (AMEI, CHEN):
        store.put(session_of(owner), owner + "|7|", 60)
    for n in (1, 2, 3):
        store.put(store.name_of(AMEI, f"captcha:{n}"), f"picture {n}", 60)
    store.put(store.name_of(CHEN, "captcha:1"), "another picture", 60)
    return app


def test_each_is_answered_for_herself_and_in_order(known):
    amei, chen, stranger = store.admit([come(AMEI), come(CHEN), come("e" * 32)])
    assert (amei.word, amei.session, amei.value) == ("passed", AMEI + "|7|", "picture 1")
    assert (chen.word, chen.value) == ("passed", "another picture")
    assert (stranger.word, stranger.session) == ("unknown", "")


def test_nobody_asking_is_nobody_answered(known):
    assert store.admit([]) == []


def test_the_flag_refuses_before_anything_is_counted_or_taken(known):
    store.admit([come(AMEI)])
    assert [store.admit([come(AMEI, "captcha:2")])[0].word for _ in range(5)] == ["flagged"] * 5
    assert store.get(store.name_of(AMEI, "captcha:2")) == "picture 2"
    assert store.get(store.name_of(AMEI, "voted:s1")) == "mine"


def test_the_value_serves_once_and_nobody_elses_is_touched(known):
    first, again = store.admit([come(AMEI), come(AMEI, flag="voted:s2")])
    assert (first.word, again.word) == ("passed", "spent")
    assert store.get(store.name_of(CHEN, "captcha:1")) == "another picture"


def test_without_the_value_no_flag_goes_up(known):
    assert store.admit([come(AMEI, "captcha:9")])[0].word == "spent"
    assert store.get(store.name_of(AMEI, "voted:s1")) is None


def test_tries_are_counted_with_those_that_came_one_by_one(known):
    for _ in range(2):
        assert store.take([Limit(store.name_of(AMEI, "vote"), 3, 60)]).allowed
    assert store.admit([come(AMEI, "captcha:9")])[0].word == "spent"   # the third
    (often,) = store.admit([come(AMEI)])
    assert often.word == "often" and 1 <= often.retry_after_seconds <= 120
    assert store.get(store.name_of(AMEI, "captcha:1")) == "picture 1"


def test_a_session_that_is_to_be_asked_for_again_is_unknown(known):
    store.put(session_of(AMEI), "-", 60)
    assert store.admit([come(AMEI)])[0].word == "unknown"


def test_of_eight_at_once_one_passes(known):
    words = together(known, 8, lambda _i: store.admit([come(AMEI)])[0].word)
    assert words.count("passed") == 1 and set(words) <= {"passed", "flagged"}


def test_a_server_that_forgot_its_scripts_is_taught_them_again(known):
    store.admit([come(CHEN)])
    known.extensions["store"].run(lambda c: c.script_flush())
    assert [one.word for one in store.admit([come(AMEI), come(CHEN)])] == ["passed", "flagged"]


def test_shards_are_few_and_an_owners_values_share_one():
    shards = {store.shard_of(f"{n:032x}") for n in range(20_000)}
    assert len(shards) > 3_900 and all(len(shard) == 3 for shard in shards)
    assert store.name_of(AMEI, "x").startswith(session_of(AMEI).partition("}")[0])
