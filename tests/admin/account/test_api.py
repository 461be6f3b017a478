"""The same verbs as an API."""

from __future__ import annotations

from typing import Any

import pytest

from tests import factories
from tests.admin.account.conftest import API
from wxbackend.inbox import editing, menu


def test_the_api_does_what_the_pages_do(app, client, campaign, side):
    staff = factories.staff_bearer(factories.make_staff())

    def call(path: str, body: Any = None) -> Any:
        return client.post(API + path, json=body if body is not None else {}, headers=staff)

    made = call("/replies", {"kind": "keyword", "equal": ["停车"], "text": "B2层。"})
    assert made.status_code == 201 and made.json["words"] == [{"word": "停车", "match": "equal"}]
    number, stamp = made.json["id"], made.json["stamp"]
    assert call("/try", {"say": "停车。"}).json["text"] == "B2层。"
    changed = call(f"/replies/{number}", {"equal": ["停车"], "text": "B3层。", "campaign": campaign.slug, "stamp": stamp})
    assert changed.json["campaign"] == campaign.slug
    assert call(f"/replies/{number}", {"equal": ["停车"], "text": "B4层。", "stamp": stamp}).json["type"] == "/problems/reply-changed"
    assert call(f"/replies/{number}/active", {"is_active": False}).json["is_active"] is False
    long = call("/replies", {"kind": "keyword", "equal": ["长"], "text": "好" * 700})
    assert long.status_code == 422 and "2100字节" in long.json["errors"][0]["detail"]
    assert call("/replies/import").json["read"] == 8 and call("/replies/import").json["lines"][0]["outcome"] == "known"
    assert call("/replies/import/active", {"is_active": False}).json == {"changed": 7}
    assert [line["called"] for line in call("/menu/import").json["lines"]][-1] == "我的积分"
    seen = client.get(API + "/menu", headers=staff).json
    assert seen["state"] == "draft" and seen["buttons"][0]["sub"][0]["does"] == "view"
    assert call("/menu/publish", {"id": seen["id"]}).json["type"] == "/problems/menu-not-ready"
    saved = call("/menu", {"buttons": [{"name": "更多", "sub": [{"name": "去投票", "does": "vote"}]}], "seen": seen["id"]})
    assert saved.status_code == 201 and call("/menu/publish", {"id": saved.json["id"]}).json["state"] == "live"
    assert side.made == [[{"name": "更多", "sub_button": [{"name": "去投票", "type": "click", "key": "vote"}]}]]
    whole = client.get(API, headers=staff).json
    listed = client.get(API + "/replies", headers=staff).json
    assert (whole["menu"], whole["kind"]) == ("live", "service") and whole["replies"] == sum(one["is_active"] for one in listed) > 0


@pytest.mark.parametrize(("path", "body"), [
    ("/replies", {"kind": "click", "text": "x"}), ("/replies", {"kind": "keyword", "equal": "停车"}),
    ("/replies", {"kind": "keyword", "equal": [5]}),
    ("/replies", {"kind": 5}), ("/replies", []), ("/replies", {"kind": "default", "text": None}),
    ("/replies", {"kind": "default", "text": "x", "more": 1}),
    ("/replies", {"kind": "keyword", "equal": [["x"]], "text": "x"}), ("/try", {}), ("/try", {"say": 5}), ("/menu", {}),
    ("/menu", {"buttons": []}),
    ("/menu", {"buttons": [{"name": 5}]}), ("/menu", {"buttons": [{"name": "x", "does": "fly"}]}),
    ("/menu", {"buttons": [{"name": "x", "sub": {}}]}),
    ("/menu", {"buttons": [{"name": "x", "sub": [{"name": "y", "sub": [{"name": "z"}]}]}]}), ("/menu/publish", {"id": "x"}),
    ("/menu/publish", {}),
    ("/replies/1/active", {"is_active": "maybe"}), ("/replies/import/active", {}),
])
def test_the_api_refuses_other_shapes(client, campaign, path, body):
    staff = factories.staff_bearer(factories.make_staff())
    answer = client.post(API + path, json=body, headers=staff)
    assert answer.status_code == 422 and answer.json["errors"], answer.json
    assert editing.replies() == [] and menu.newest() is None
