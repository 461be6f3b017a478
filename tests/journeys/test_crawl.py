"""Nothing personal is public: every public address of a campaign that has run is read and searched."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.factories import NOON, cast, enter, make_campaign, make_staff, make_voter
from wxbackend.accounts.models import Identity
from wxbackend.ballots import service as ballots
from wxbackend.draws import service as draws
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions

# Eleven digits in a row that are no part of a longer hexadecimal word, which holds such runs by chance.
PHONE_LIKE = re.compile(r"(?<![0-9A-Za-z])[0-9]{11}(?![0-9A-Za-z])|1[3-9][0-9]{9}(?![0-9A-Fa-f])(?<![0-9a-f]{12})")
NAMES = ("张三", "李小四", "欧阳小五", "陈伯")
PUBLIC_ARGS = {"slug": "futian-2021-reform", "draw_id": "futian-2021-reform-1", "code": "x", "key": "already-voted",
               "filename": "citizen.css", "app": "account", "name": "hashes.txt"}


@pytest.fixture
def after_the_draw(app, at):
    """A whole campaign, drawn: voters, entrants, winners, one screenshot refused."""
    campaign = make_campaign(results="live")
    people = [make_voter(name) for name in NAMES]
    for n, (name, voter) in enumerate(zip(NAMES, people, strict=True)):
        cast(campaign, voter, "优良中差"[n])
        enter(campaign, voter, name, f"1380000000{n}")
        submissions.tap(campaign, voter.person_id, None, NOON + timedelta(minutes=n))
    db.session.commit()
    draw = draws.freeze(campaign, at(campaign.freeze_at))
    numbers = [{"source": "ssq", "issue": "2022005", "groups": [[1, 2, 3, 4, 5, 6], [7]]}]
    for username, role in (("xiaoli", "manager"), ("xiaozhou", "auditor")):
        draws.enter_numbers(draw, make_staff(username, role), numbers, "https://example.org", campaign.freeze_at + timedelta(hours=4))
    db.session.commit()
    at(campaign.freeze_at + timedelta(hours=5))
    return campaign


def public_addresses(app, receipt) -> list[str]:
    found = []
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if "GET" in rule.methods and view.access == "public" and not rule.rule.startswith("/login"):
            given = PUBLIC_ARGS | {"token": receipt.token, "which": "latest", "draw_id": "futian-2021-reform-1"}
            _, url = rule.build({name: given[name] for name in rule.arguments}, append_unknown=False)
            found.append(url)
    return sorted(found)


def test_no_public_page_holds_a_phone_an_openid_a_name_or_a_grade_beside_a_person(app, after_the_draw):
    client = app.test_client()
    openids = list(db.session.scalars(db.select(Identity.openid)))
    receipt = ballots.receipts_of(after_the_draw, make_voter("张三").person_id)[0]
    addresses = public_addresses(app, receipt)
    assert len(addresses) >= 15
    for address in addresses:
        answer = client.get(address)
        text = answer.get_data(as_text=True)
        assert answer.status_code in (200, 302, 403, 404, 422), (address, answer.status_code)
        assert PHONE_LIKE.search(text) is None, (address, PHONE_LIKE.search(text))
        assert not [name for name in (*NAMES, *openids) if name in text], address


def test_a_receipt_page_tells_a_stranger_the_day_and_nothing_else(app, after_the_draw):
    receipt = ballots.receipts_of(after_the_draw, make_voter("张三").person_id)[0]
    text = app.test_client().get(f"/R/{receipt.token}").get_data(as_text=True)
    assert "有效凭证" in text and "第3" in text
    assert not re.search("优|良|差|很好|不错|张三", text)


def test_the_voters_own_pages_hold_no_grade_beside_her(app, after_the_draw):
    from tests.factories import bearer
    amei = make_voter("张三")
    client, headers = app.test_client(), bearer(amei)
    for path in ("/api/v1/me", "/api/v1/me/receipts", "/api/v1/me/tickets", "/api/v1/me/data"):
        text = client.get(path, headers=headers).get_data(as_text=True)
        assert not re.search("[优良差]", text), path
    for path in ("/c/futian-2021-reform/mine", "/c/futian-2021-reform/receipts/latest"):
        text = client.get(path, headers=headers).get_data(as_text=True)
        assert not re.search("[优良差]", text.replace("改良", "")), path
