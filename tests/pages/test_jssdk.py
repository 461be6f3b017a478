"""The signature that a page of this site asks for, so that it may call WeChat's JS-SDK."""

from __future__ import annotations

import pytest

from wxbackend import wechat
from wxbackend.extensions import settings


@pytest.fixture
def signed(monkeypatch):
    asked: list[tuple[str, bool]] = []

    def jssdk(url: str, *, was_refused: bool = False) -> dict[str, object]:
        asked.append((url, was_refused))
        return {"appId": settings.account_appid, "timestamp": 1641441600, "nonceStr": "n", "signature": "0" * 40}

    monkeypatch.setattr(wechat, "jssdk", jssdk)
    return asked


def test_a_page_gets_what_wx_config_wants(app, signed):
    answer = app.test_client().get("/api/v1/jssdk", query_string={"url": settings.public_url + "/c/x?s=a", "refused": "true"})
    assert answer.status_code == 200 and set(answer.json) == {"appId", "timestamp", "nonceStr", "signature"}
    assert signed == [(settings.public_url + "/c/x?s=a", True)]


@pytest.mark.parametrize("url", ["https://other.example/", "javascript:1", ""])
def test_another_sites_page_is_not_signed(app, url):
    refused = app.test_client().get("/api/v1/jssdk", query_string={"url": url})
    assert (refused.status_code, refused.json["type"]) == (422, "/problems/not-our-page")


def test_no_page_at_all_is_a_shape(app):
    assert app.test_client().get("/api/v1/jssdk").json["type"] == "/problems/invalid"
