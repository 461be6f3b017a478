"""The doctor's own messages: sealed as WeChat seals, and a try of plaintext that the site knows for the doctor's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from simulator import crypto
from tests.conftest import KEY
from wxbackend import alarms, wechat
from wxbackend.alarms.models import Alarm
from wxbackend.doctor import wire
from wxbackend.extensions import db


def test_the_doctors_try_of_plaintext_never_rings_nor_shouts(clinic):
    """No alarm is opened, not even one that is settled afterwards, and the log of the site says whose try it was."""
    c = clinic()
    query, body = {}, b""
    with c.app.app_context():
        query, body = wire.plain_message("account", datetime.now(UTC))
    with capture_logs() as logs:
        assert c.app.test_client().post("/wechat/callback/account", query_string=query, data=body).status_code == 403
    assert [(line["log_level"], "doctor" in line.get("reason", "")) for line in logs] == [("warning", True)]
    with c.app.app_context():
        assert db.session.scalars(select(Alarm)).all() == []


@pytest.mark.parametrize("nonce", ["0" * 40, "a" * 24 + "0" * 16, "汉" * 40, "doctor", ""])
def test_nobody_else_silences_the_alarm_of_plaintext(clinic, nonce):
    c = clinic()
    with c.app.app_context():
        query = wire._signed("account", datetime.now(UTC))
        token = c.app.extensions["settings"].account_token
        query |= {"nonce": nonce, "signature": wire._sign(token, query["timestamp"], nonce)}
    assert c.app.test_client().post("/wechat/callback/account", query_string=query, data=b"<xml/>").status_code == 403
    with c.app.app_context():
        assert [a.kind for a in alarms.open_alarms()] == ["callback-plaintext"]


def test_the_doctors_seal_is_wechats(app):
    """Against the product's own reading, and the simulator's own crypto."""
    at = datetime.now(UTC)
    query, body = wire.sealed_event("account", at)
    message = wechat.open_callback("account", query, body, at)
    assert (message.event, message.openid) == (wire.EVENT, wire.SENDER)
    assert crypto.decrypt(wire.seal("汉字", KEY[:43], "wx1"), KEY[:43], "wx1") == "汉字"
