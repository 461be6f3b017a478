"""What holds for every verb: its call on the wire, odd answers, trouble, and silence about secrets."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs
from werkzeug.wrappers import Response

from tests.wechat.test_client import STALE, TOKEN, everything_told
from tests.wechat.verbs import OK, SECRETS, VERBS, Verb
from wxbackend import wechat
from wxbackend.problems import Problem
from wxbackend.wechat import calls, endpoints, features

EVERY = pytest.mark.parametrize("verb", VERBS, ids=lambda v: v.name)
MISSING = object()
ODD_VALUES = [MISSING, None, [], {}, "", "x", 7.5, True, -1, "\ud800", "x" * 5000, [[]], 10 ** 30]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "PAUSE_SECONDS", 0)


def asked(host: Any, verb: Verb) -> list[dict[str, Any]]:
    return [ask for ask in host.asked if ask["path"] == verb.endpoint.path]


def outcome(verb: Verb) -> Any:
    """What the verb returned, or the Problem it raised; anything else fails the test."""
    try:
        return verb.call()
    except Problem as problem:
        return problem


def test_every_verb_that_asks_wechat_is_in_the_table():
    callable_verbs = {name for name in wechat.__all__ if name.islower() and callable(getattr(wechat, name))}
    silent = {"account", "ask_again", "can", "check_echo", "checked_menu", "fit", "meaning", "miniprogram", "oauth_url", "open_callback",
              "seal_reply", "seal_transfer", "switched_off"}
    assert callable_verbs - silent == {verb.name for verb in VERBS}
    elsewhere = {endpoints.STABLE_TOKEN, endpoints.AUTHORIZE, endpoints.MENU_MADE}
    assert set(endpoints.ALL) - elsewhere == {verb.endpoint for verb in VERBS}


@EVERY
def test_a_good_answer_becomes_the_verbs_own(app, wechat_host, verb):
    wechat_host.say(verb.endpoint.path, verb.answer())
    made = verb.call()
    assert verb.made is None or made == verb.made
    call, = asked(wechat_host, verb)
    assert call["method"] == verb.endpoint.method
    assert ("access_token" in call["args"]) is not verb.is_tokenless
    if call["method"] == "POST":
        assert call["type"] == "application/json" and json.loads(call["body"])
        assert "\\u" not in call["body"]


def mutations(good: Any) -> Iterator[Any]:
    """`good` with one value at a time, at any depth, replaced by an odd one."""
    if isinstance(good, dict):
        for key, value in good.items():
            for odd in ODD_VALUES:
                yield {k: v for k, v in (good | {key: odd}).items() if v is not MISSING}
            for inner in mutations(value):
                yield good | {key: inner}
    if isinstance(good, list):
        for n, value in enumerate(good):
            for odd in (*ODD_VALUES[1:], *mutations(value)):
                yield [*good[:n], odd, *good[n + 1:]]


@EVERY
def test_an_answer_with_one_odd_field_is_read_or_is_a_problem(app, wechat_host, verb):
    good = verb.good if isinstance(verb.good, dict) else {"video_url": "http://x", "errcode": 0}
    kinds: set[type] = set()
    for odd in mutations(good):
        features.switch_on([*features.OF_ACCOUNT, *features.OF_MINIPROGRAM])
        app.extensions.pop("wechat_tickets", None)
        wechat.signing.store.drop("wechat:ticket:wxaccount")
        wechat_host.say(verb.endpoint.path, Response(json.dumps(odd)))
        made = outcome(verb)
        right = (Problem, dict) if verb.name == "jssdk" else (Problem, type(verb.made))
        assert isinstance(made, right) or made is None and verb.name in ("unionid_of", "risk_rank"), odd
        assert isinstance(made, Problem) or str(made).isprintable() or isinstance(made, bytes), odd
        kinds.add(type(made))
    assert kinds & {wechat.WeChatAway, wechat.MediaLost, wechat.CodeRefused}


NO_ANSWERS = {
    "html": Response("<html>busy</html>", content_type="text/html"), "502": Response("<html>502</html>", 502),
    "list": Response("[1]", content_type="application/json"), "number": Response("7"), "text": Response('"ok"'), "null": Response("null"),
    "empty": Response(""), "nothing": {}, "errcode of letters": Response('{"errcode": "x"}'), "errcode a list": {"errcode": [0]},
    "errcode beyond numbers": Response('{"errcode": 1e999}'), "deep": Response('{"a":' * 50_000), "deep list": Response("[" * 100_000),
    "a long number": Response('{"errcode": ' + "9" * 10_000 + "}"), "long": Response(b" " * 2_000_000),
    "bytes": Response(b"\xff\xfe\x00", content_type="application/json"),
    "redirect": Response("", 302, {"Location": "http://127.0.0.1:9/"}), "picture": Response(b"GIF89a", content_type="image/gif"),
    "no picture": Response(b"<html>", content_type="image/jpeg"),
}


@EVERY
def test_an_answer_that_is_none_is_wechat_away(app, wechat_host, verb):
    for trouble, answer in NO_ANSWERS.items():
        wechat_host.say(verb.endpoint.path, answer)
        made = outcome(verb)
        if verb.name == "download_media":   # what a file looks like is judged by whoever opens it
            assert isinstance(made, bytes | wechat.WeChatAway | wechat.MediaLost | wechat.MediaTooLarge), trouble
        elif verb.needs_nothing and trouble == "nothing":
            assert made is None or made == ""
        else:
            assert isinstance(made, wechat.WeChatAway | wechat.MediaTooLarge), trouble


@EVERY
@pytest.mark.parametrize("errcode", [40097, "40097"])
def test_an_errcode_counts_as_a_number_or_as_a_text(app, wechat_host, verb, errcode):
    wechat_host.say(verb.endpoint.path, {"errcode": errcode, "errmsg": "invalid args rid: 61725984-6126f6f9-040f19c4"})
    with pytest.raises(wechat.WeChatRefused) as caught:
        verb.call()
    assert (caught.value.errcode, caught.value.rid, caught.value.kind) == (40097, "61725984-6126f6f9-040f19c4", wechat.Kind.PERMANENT)


@EVERY
def test_an_answer_without_errmsg_is_refused_as_well(app, wechat_host, verb):
    wechat_host.say(verb.endpoint.path, {"errcode": 40097})
    with pytest.raises(wechat.WeChatRefused):
        verb.call()


@EVERY
def test_busy_is_asked_again_where_asking_twice_does_no_harm(app, wechat_host, verb):
    wechat_host.say(verb.endpoint.path, {"errcode": -1, "errmsg": "system error"})
    made = outcome(verb)
    assert isinstance(made, wechat.CodeRefused if verb.is_code else wechat.WeChatAway)
    assert len(asked(wechat_host, verb)) == (2 if verb.endpoint.is_repeatable else 1)


def test_what_is_sent_is_never_asked_twice():
    sends = {"send_text", "send_subscribe", "send_template", "login_code", "oauth_code", "phone_of", "check_media", "scene_qr"}
    assert {verb.name for verb in VERBS if not verb.endpoint.is_repeatable} == sends


def test_a_read_that_was_busy_once_succeeds(app, wechat_host):
    wechat_host.say("/wxa/getuserriskrank", {"errcode": -1}, {"risk_rank": 2})
    assert wechat.risk_rank("oMei", "203.0.113.5") == 2


@EVERY
def test_48001_switches_the_feature_off_for_a_day_and_says_so_once(app, wechat_host, verb):
    wechat_host.say(verb.endpoint.path, {"errcode": 48001, "errmsg": "api unauthorized"})
    with capture_logs() as logs:
        for _ in range(2):
            made = outcome(verb)
            assert isinstance(made, wechat.NotGranted) or (verb.name, made) in (("unionid_of", None), ("risk_rank", None))
    if not verb.endpoint.feature or verb.name in ("login_code", "oauth_code"):   # no door is closed by one odd answer
        assert len(asked(wechat_host, verb)) == 2 and (not verb.endpoint.feature or wechat.can(verb.endpoint.feature))
        return
    assert not wechat.can(verb.endpoint.feature)
    assert len(asked(wechat_host, verb)) == 1
    assert [entry["feature"] for entry in logs if entry["log_level"] == "error"] == [verb.endpoint.feature]


@EVERY
def test_a_token_refused_for_ever_is_renewed_once(app, wechat_host, verb):
    wechat_host.say(verb.endpoint.path, STALE)
    with pytest.raises(wechat.WeChatRefused) as caught:
        verb.call()
    assert caught.value.errcode == 40001
    assert (len(asked(wechat_host, verb)), wechat_host.times(TOKEN)) == ((1, 0) if verb.is_tokenless else (2, 2))
    assert caught.value.kind is (wechat.Kind.OPERATOR if verb.is_tokenless else wechat.Kind.RETRY)


@EVERY
def test_without_a_mini_program_nothing_is_asked_in_its_name(make_app, wechat_host, verb):
    wechat_host.say(verb.endpoint.path, verb.answer())
    app = make_app(wechat_host.url, miniprogram_appid="", miniprogram_secret="", miniprogram_token="", miniprogram_aes_key="")
    with app.app_context():
        if not verb.is_miniprogram:
            assert verb.made is None or verb.call() == verb.made
            return
        with pytest.raises(wechat.NoMiniProgram) as caught:
            verb.call()
        assert caught.value.status == 404 and not wechat.can(verb.endpoint.feature)
    assert wechat_host.asked == []


@EVERY
@pytest.mark.parametrize("place", ["verb", "token"])
def test_a_host_that_hangs_is_given_up_in_time(make_app, wechat_host, verb, place):
    if place == "token" and verb.is_tokenless:
        return
    app = make_app(wechat_host.url, wechat_timeout_seconds=0.2)
    wechat_host.say(verb.endpoint.path, verb.answer())
    wechat_host.say(verb.endpoint.path if place == "verb" else TOKEN, lambda ask: time.sleep(1.5) or {})
    began = time.monotonic()
    with app.app_context():
        made = outcome(verb)
    assert isinstance(made, wechat.WeChatAway)
    assert made.unsure is (place == "verb" and verb.name != "jssdk")   # there it is a ticket that did not come
    assert time.monotonic() - began < 1.2


TROUBLES: dict[str, Any] = {
    "closed": None, "502": Response("", 502), "html": Response("<html>SECRET-A TOKEN-1</html>"), "stale": STALE,
    "odd": {"errcode": [7]}, "nothing": {}, "redirect": Response("", 302, {"Location": "http://127.0.0.1:9/?secret=SECRET-A"}),
    "refused": {"errcode": 40003, "errmsg": "invalid openid oMeiMeiMei TOKEN-1 CODE-1 hint: [SECRET-A] rid: 61725984-6126f6f9-040f19c4"},
    "unknown": {"errcode": 99999, "errmsg": "oMeiMeiMei TOKEN-1"}, "48001": {"errcode": 48001, "errmsg": "TOKEN-1"},
    "busy": {"errcode": -1}, "hang": lambda ask: time.sleep(0.6) or {}, "good": OK,
}


@EVERY
def test_no_log_line_and_no_error_tells_a_secret(make_app, wechat_host, caplog, verb):
    caplog.set_level(logging.DEBUG)
    apps = {url: make_app(url, wechat_timeout_seconds=0.3) for url in (wechat_host.url, "http://127.0.0.1:9")}
    for trouble, answer in TROUBLES.items():
        wechat_host.say(verb.endpoint.path, verb.answer() if trouble == "good" else answer)
        app = apps["http://127.0.0.1:9" if trouble == "closed" else wechat_host.url]
        with app.app_context(), capture_logs() as logs:
            features.switch_on([*features.OF_ACCOUNT, *features.OF_MINIPROGRAM])
            made = outcome(verb)
        told = everything_told(made) + str(made.to_dict()) if isinstance(made, Problem) else ""
        told += str(logs) + "".join(record.getMessage() for record in caplog.records) + caplog.text
        assert [word for word in SECRETS if word in told] == [], trouble
        if trouble not in ("good", "nothing", "48001"):
            assert isinstance(made, Problem), trouble


def test_what_verbs_return_does_not_tell_by_its_repr(app, wechat_host):
    for verb in VERBS:
        wechat_host.say(verb.endpoint.path, verb.answer())
        made = verb.call()
        if isinstance(made, wechat.WxUser | wechat.Follower):
            assert [word for word in SECRETS if word in repr(made)] == []


def test_the_table_of_secrets_would_notice(app, wechat_host):
    """The net has no hole: each secret of the table is really on the wire or in an answer."""
    for verb in VERBS:
        wechat_host.say(verb.endpoint.path, verb.answer())
        verb.call()
    wire = str(wechat_host.asked) + str([verb.good for verb in VERBS]) + wechat_host.url
    assert [word for word in SECRETS if word not in wire] == []


def test_texts_with_control_characters_and_escapes_go_out_as_characters(app, wechat_host):
    wechat_host.say("/cgi-bin/message/custom/send", OK)
    wechat.send_text("oMei", "您好\x08\x00\u0085 \\u4e2d 🎉 𠮷\ud800 一行\n二行")
    body = wechat_host.asked[-1]["body"]
    assert not re.search(r"\\u[0-9a-fA-F]{4}", body)
    assert json.loads(body)["text"]["content"] == "您好\u0085 ＼u4e2d 🎉 𠮷 一行\n二行"


