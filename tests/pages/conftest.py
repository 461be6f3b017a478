"""阿美 opens the campaign in WeChat; her forms are read from the pages and sent back as a browser without script would."""

from __future__ import annotations

import random
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from unittest import mock

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import factories
from wxbackend.captcha import colour
from wxbackend.captcha import service as captcha_service

WECHAT = "Mozilla/5.0 (Linux; Android 10) MicroMessenger/8.0"


class Form(HTMLParser):
    """The fields of a page's forms as they stand: hidden and typed values, what is ticked, all names seen."""

    def __init__(self, page: str):
        super().__init__()
        self.values: dict[str, str] = {}
        self.names: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        field = dict(attrs)
        name = field.get("name")
        if tag not in ("input", "button") or not name:
            return
        self.names.add(name)
        if tag == "input" and (field.get("type") not in ("radio", "checkbox") or "checked" in field):
            self.values[name] = field.get("value") or ""


@pytest.fixture
def campaign(app: Flask, at: Callable[..., Any]) -> Any:
    at(factories.NOON)
    factories.make_campaign(slug="futian-2022-other")   # noise: another campaign
    return factories.make_campaign()


@pytest.fixture
def browser(app: Flask) -> Callable[..., FlaskClient]:
    """A browser of somebody: ``browser("阿美")`` is logged in inside WeChat, ``browser()`` is nobody outside."""
    def open_as(name: str | None = None, wechat: bool | None = None) -> FlaskClient:
        client = app.test_client()
        if name:
            client.set_cookie("wxv", factories.token_for(factories.make_voter(name)))
        if wechat if wechat is not None else bool(name):
            client.environ_base["HTTP_USER_AGENT"] = WECHAT
        return client

    return open_as


@pytest.fixture
def amei(browser: Callable[..., FlaskClient]) -> FlaskClient:
    return browser("阿美")


@pytest.fixture
def answer() -> Any:
    """The answer of every captcha made in this test, by fixing its chance."""
    with mock.patch.object(captcha_service, "choose", lambda: random.Random(7)):
        yield colour.puzzle(random.Random(7)).answer


def send(client: FlaskClient, page_url: str, to: str | None = None, **changed: Any) -> Any:
    """Open a page, fill in its form and send it; None leaves a field out."""
    form = Form(client.get(page_url).get_data(as_text=True)).values | changed
    return client.post(to or page_url.split("?")[0], data={k: v for k, v in form.items() if v is not None})
