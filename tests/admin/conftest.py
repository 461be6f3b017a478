"""A staff member at her desk: a client that is logged in and sends the form's token, as a browser does."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask, g
from PIL import Image
from sqlalchemy import select
from werkzeug.serving import make_server

from tests import factories
from wxbackend.accounts.models import Staff
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import Submission

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Desk:
    """`get` and `post` as somebody; `post` fetches a fresh token from the login page first."""

    def __init__(self, app: Flask, username: str):
        self.client, self.app, self.username = app.test_client(), app, username
        self.log_in(username)

    def at(self, instant: datetime) -> Desk:
        """Move the clock and log in again, since sessions end after some hours."""
        self.app.extensions["clock"].fixed = instant
        self.log_in(self.username)
        return self

    def log_in(self, username: str, password: str = factories.PASSWORD, **fields: str) -> Any:
        return self.post("/admin/login", username=username, password=password, **fields)

    def token(self) -> str:
        found = TOKEN.search(self.get("/admin/login").text)
        assert found
        return found[1]

    def get(self, path: str) -> Any:
        return self._asked("GET", path)

    def post(self, path: str, **fields: Any) -> Any:
        return self._asked("POST", path, data=fields | {"csrf_token": self.token()})

    def _asked(self, method: str, path: str, **values: Any) -> Any:
        for name in list(g):   # the test's own app context outlives requests, which have nothing in common
            g.pop(name)
        response = self.client.open(path, method=method, **values)
        db.session.expire_all()
        return response


@pytest.fixture
def desk(app: Flask) -> Callable[[str], Desk]:
    """``desk("reviewer")``: a new member of staff of that role, logged in."""
    names = {"manager": ("xiaoli", "小李"), "reviewer": ("xiaozhou", "小周"), "auditor": ("laolin", "老林")}

    def sit(role: str = "manager") -> Desk:
        username, name = names[role]
        if app.extensions["clock"].fixed is None:
            app.extensions["clock"].fixed = factories.NOON
        if not db.session.scalar(select(Staff).where(Staff.username == username)):
            factories.make_staff(username, role, name)
        return Desk(app, username)

    return sit


@pytest.fixture
def campaign(app: Flask) -> Campaign:
    """The reference campaign, with another beside it."""
    factories.make_campaign("external", slug="noise", title="旁边的活动")
    return factories.make_campaign()


def send(campaign: Campaign, voter: Any, colour: str = "white", at: datetime = factories.NOON, phone: str = "13800000000") -> Submission:
    """A screenshot in which nothing can be read, with name and phone; it waits for a person."""
    raw = io.BytesIO()
    Image.new("RGB", (60, 120), colour).save(raw, "PNG")
    sent = submissions.receive_upload(campaign, voter, raw.getvalue(), submissions.EntryForm("张小三", phone), at)
    db.session.commit()
    return sent


def votes(campaign: Campaign, voter: Any, days: int = 2) -> list[Any]:
    """Ballots of the days up to NOON, the latest first."""
    return [factories.cast(campaign, voter, at=factories.NOON - timedelta(days=n)).receipt for n in range(days)]


@pytest.fixture
def live(app: Flask) -> Iterator[str]:
    """The app served for a real browser; its root."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(5)
