"""Making a campaign from a document, publishing it, finding it."""

from __future__ import annotations

import base64
import io
import json
import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from wxbackend import audit, jobs, keys, wechat
from wxbackend.accounts.models import Identity
from wxbackend.accounts.sessions import Voter
from wxbackend.campaigns import packing, snapshots
from wxbackend.campaigns.binding import campaign_binding, canonical_json, commitment
from wxbackend.campaigns.models import Box, Campaign, Prize, RulesVersion, Source, Subject
from wxbackend.campaigns.rules import DOORS, LABELS, Grade, Window, live_demo_drawing, live_demo_window
from wxbackend.campaigns.schemas import CampaignDocument
from wxbackend.extensions import db, settings
from wxbackend.problems import Problem
from wxbackend.web import load

STANDARD_GRADES = [{"grade": g.value, "label": LABELS[g]} for g in Grade]
SUBJECT_CONTENT = ("summary", "network", "figures", "story_title", "story", "story_close")


class NoSuchCampaign(Problem):
    status, type, title = 404, "no-such-campaign", "没有找到这个活动。"
    hint = "请从公众号的文章或菜单重新进入。"


class AlreadyPublished(Problem):
    status, type, title = 409, "already-published", "活动已经发布，规则不能再改。"
    hint = "要改时间或奖品，请发一则补充公告。"


class WrongDoor(Problem):
    """The campaign is not open to voters from this side; which one it is open to is said."""

    status, type, title = 403, "wrong-door", "这个活动请从公众号进来。"


class NotJoined(Problem):
    """Two doors are open, and WeChat has not said yet who this is behind both; one tap in a page tells."""

    status, type, title = 403, "identity-unjoined", "还差一步，请先确认是您本人。"
    hint = "这个活动两边都能投，要等微信认出您在公众号和小程序里是同一位，这样每人每天只有一票。请从公众号的菜单进来，点“确认是我”。"


class CannotPublish(Problem):
    status, type, title = 422, "cannot-publish", "还不能发布，有几处要先补上。"


def by_slug(slug: str) -> Campaign:
    """Raises NoSuchCampaign."""
    campaign = db.session.scalar(select(Campaign).where(Campaign.slug == slug))
    if campaign is None:
        raise NoSuchCampaign()
    return campaign


def published(slug: str) -> Campaign:
    """A campaign citizens may see. Raises NoSuchCampaign for a draft, too."""
    campaign = by_slug(slug)
    if not campaign.is_published:
        raise NoSuchCampaign()
    return campaign


def live(slug: str) -> Campaign:
    """`published` for what voters ask thousands of times: this process's snapshot, at most a second old. Raises NoSuchCampaign.

    With its subjects, sources, prizes and rules; shared by all threads and in no session, so for reading only: what is written goes
    by `published`. With the database away the last one known is served for ten minutes.
    """
    campaign = snapshots.of(slug)
    if campaign is None:
        raise NoSuchCampaign()
    return campaign


def at_hand(slug: str) -> Campaign | None:
    """`live` for who must not wait for the database: None where it would be asked now, or there is no such campaign."""
    return snapshots.at_hand(slug)


def live_by_id(campaign_id: int) -> Campaign:
    """`live`, of a ballot that names its campaign by number. Raises NoSuchCampaign."""
    return live(snapshots.slug_of(campaign_id) or "")


def all_campaigns() -> list[Campaign]:
    return list(db.session.scalars(select(Campaign).order_by(Campaign.opens_at.desc(), Campaign.id)))


def running(at: datetime) -> list[Campaign]:
    """Published campaigns that still take votes or evidence, the one closing last first."""
    query = select(Campaign).where(Campaign.published_at.is_not(None), Campaign.opens_at <= at, Campaign.evidence_until > at)
    return list(db.session.scalars(query.order_by(Campaign.closes_at.desc(), Campaign.id)))


def subject_of(campaign: Campaign, key: str | None) -> Subject:
    """The subject of that key, the first where none is named. Raises NoSuchCampaign."""
    for subject in campaign.subjects:
        if key in (None, "", subject.key):
            return subject
    raise NoSuchCampaign("没有找到这个评议项目。")


def open_doors(campaign: Campaign) -> list[str]:
    """The doors that count now: as many as the campaign names while unionid joins a person's two openids, else its first alone.

    Asked at each vote, so that nobody has two because somebody at the institution undid the binding.
    """
    return list(campaign.doors) if len(campaign.doors) > 1 and doors_joined() else campaign.doors[:1]


def doors_joined() -> bool:
    """Whether WeChat tells us that somebody in the mini program is somebody in the account: bound to one 开放平台 account, and an account
    of a kind that may ask for a unionid at all."""
    return settings.has_miniprogram and settings.apps_bound and (wechat.can("oauth") or wechat.can("user-info"))


def check_door(campaign: Campaign, appid: str) -> None:
    """Whoever votes, enters or sends evidence came by a door of this campaign. Raises WrongDoor."""
    came_by = "miniprogram" if settings.has_miniprogram and appid == settings.miniprogram_appid else "account"
    doors = open_doors(campaign)
    if came_by in doors:
        return
    if doors == ["miniprogram"]:
        raise WrongDoor("这个活动请从小程序进来。", hint="这样每人每天只有一票。请打开小程序再来，这里的网页和聊天不收。", doors=doors)
    name = campaign.content.get("account", {}).get("name") or settings.account_name
    raise WrongDoor(hint=f"这样每人每天只有一票。请打开公众号“{name}”，从文章或菜单进来投票。", doors=doors)


def check_voter(campaign: Campaign, voter: Identity | Voter) -> None:
    """`check_door`, and where two doors are open she is known behind both. Raises WrongDoor, NotJoined.

    A unionid that never comes (a stranger to the account who logs in silently) would leave one person two votes for good.
    """
    check_door(campaign, voter.appid)
    if is_unjoined(campaign, voter):
        raise NotJoined()


def is_unjoined(campaign: Campaign, voter: Identity | Voter) -> bool:
    """Whether she might come in by another door as somebody else."""
    return not voter.is_known and len(open_doors(campaign)) > 1


def still_changing(campaign_ids: Collection[int], at: datetime) -> set[int]:
    """Those of these campaigns whose list of tickets is not sealed nor due, held against a freeze until the transaction ends."""
    query = select(Campaign.id).where(Campaign.id.in_(campaign_ids), Campaign.frozen_at.is_(None), Campaign.freeze_at > at)
    return set(db.session.scalars(query.order_by(Campaign.id).with_for_update(read=True))) if campaign_ids else set()


def entry_url(campaign: Campaign, source_code: str) -> str:
    """What a channel's QR holds: campaign and source, nothing about anybody."""
    return f"{settings.public_url.rstrip('/')}/c/{campaign.slug}?s={source_code}"


def load_document(document: Any, actor: str, at: datetime) -> Campaign:
    """Create a draft from a document, or replace the draft of that slug. Raises Invalid, AlreadyPublished."""
    data = load(CampaignDocument(), document if isinstance(document, dict) else {})
    campaign = db.session.scalar(select(Campaign).where(Campaign.slug == data["slug"]))
    if campaign is None:
        key = keys.seal("ticket-key", secrets.token_hex(32))
        campaign = Campaign(slug=data["slug"], ticket_key_sealed=key, created_at=at)
        db.session.add(campaign)
    elif campaign.is_published:
        raise AlreadyPublished()
    _fill(campaign, data, at)
    db.session.flush()
    audit.record(actor, "campaign.drafted", f"campaign:{campaign.slug}", at)
    return campaign


def _fill(campaign: Campaign, data: dict[str, Any], at: datetime) -> None:
    window = live_demo_window(at, ZoneInfo(data["zone"])) if data["live_demo"] else Window(**data["window"])
    for name, value in window._asdict().items():
        setattr(campaign, name, value)
    campaign.doors = data["doors"] or list(DOORS if doors_joined() else DOORS[:1])
    for name in ("title", "mode", "zone", "quota", "results", "captcha", "alternates", "publicity_days", "content"):
        setattr(campaign, name, data[name])
    campaign.entropy = [_drawing(item) for item in data["entropy"]] or [live_demo_drawing(window)]
    with db.session.no_autoflush:
        for old in (*campaign.subjects, *campaign.sources, *campaign.prizes, *campaign.boxes):
            db.session.delete(old)
        db.session.flush()
        db.session.expire(campaign, ["subjects", "sources", "prizes", "boxes"])
    campaign.subjects = [_subject(n, item) for n, item in enumerate(data["subjects"])]
    campaign.sources = [Source(**item) for item in data["sources"]]
    campaign.prizes = [Prize(tier=p["tier"], position=n, name=p["name"], count=p["count"], value_fen=p["value_yuan"] * 100)
                       for n, p in enumerate(data["prizes"])]
    campaign.boxes = _pack(data)


def _drawing(item: dict[str, Any]) -> dict[str, str]:
    """As the rules hold it: texts only."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in item.items()}


def _subject(position: int, item: dict[str, Any]) -> Subject:
    return Subject(position=position, key=item["key"], category=item["category"], title=item["title"],
                   grades=item["grades"] or STANDARD_GRADES, content={name: item[name] for name in SUBJECT_CONTENT})


def _pack(data: dict[str, Any]) -> list[Box]:
    """One sealed box a prize, packed by a salt nobody has seen. Raises CannotPublish when the stock does not fit."""
    if not data["boxes"]:
        return []
    count = sum(p["count"] for p in data["prizes"])
    try:
        packed = packing.pack_boxes(data["boxes"]["stock"], count, data["boxes"]["per_box"], secrets.token_hex(16))
    except packing.CannotPack as e:
        raise CannotPublish(str(e), errors=[{"pointer": "#/boxes/stock", "detail": str(e)}]) from e
    return [Box(number=f"{n:02d}", items_sealed=keys.seal("box", json.dumps(items, ensure_ascii=False)))
            for n, items in enumerate(packed, 1)]


def packing_list(campaign: Campaign, salt: str) -> dict[str, Any]:
    """What is in the boxes, to be opened after the draw: {"salt": …, "boxes": [{"box": "01", "items": […]}]}."""
    return packing.packing_list([json.loads(keys.unseal("box", box.items_sealed)) for box in campaign.boxes], salt)


def publish(campaign: Campaign, actor: str, at: datetime) -> RulesVersion:
    """Fix the rules and their hash, make each source's QR, have the freeze done at its instant. Raises AlreadyPublished, CannotPublish."""
    db.session.refresh(campaign, with_for_update=True)   # of two managers at once the second waits, and finds it done
    check_publishable(campaign, at)
    salt = secrets.token_hex(16) if campaign.boxes else ""
    rules = rules_of(campaign, packing.boxes_sha256(packing_list(campaign, salt)) if salt else "")
    canonical = canonical_json(rules).decode()
    version = RulesVersion(campaign=campaign, version=1, canonical=canonical, sha256=rules["campaign"].partition("@")[2],
                           box_salt_sealed=keys.seal("box-salt", salt) if salt else "", published_at=at)
    db.session.add(version)
    campaign.published_at = at
    for source in campaign.sources:
        source.qr_png = base64.b64encode(qr_png(entry_url(campaign, source.code))).decode()
    db.session.flush()
    jobs.enqueue("draws.freeze", {"campaign": campaign.slug}, at, run_at=campaign.freeze_at, dedupe=f"freeze:{campaign.slug}")
    jobs.enqueue("ballots.log", {"campaign": campaign.slug}, at)   # from then on it looks again by itself
    if campaign.is_hosted:
        jobs.enqueue("results.turnout", {"campaign": campaign.id}, at, run_at=campaign.opens_at, dedupe=f"turnout:{campaign.slug}")
    audit.record(actor, "campaign.published", f"campaign:{campaign.slug}", at, facts={"rules_sha256": version.sha256})
    return version


def check_publishable(campaign: Campaign, at: datetime) -> None:
    """Raises AlreadyPublished, CannotPublish with what stands in the way and what to do about it."""
    if campaign.is_published:
        raise AlreadyPublished()
    if at >= campaign.closes_at:
        raise CannotPublish("投票时间已经过完了，不能发布。", hint="请先改草稿里的时间。")
    _check_doors(campaign)


def _check_doors(campaign: Campaign) -> None:
    """Raises CannotPublish where one person could come in as two."""
    if "miniprogram" in campaign.doors and not settings.has_miniprogram:
        raise CannotPublish("还没有接小程序，这个活动不能从小程序投票。", hint="请把投票入口改成只从公众号进。",
                            errors=[{"pointer": "#/doors", "detail": "还没有接小程序，请改成只从公众号进。"}])
    if len(campaign.doors) > 1 and not settings.apps_bound:
        raise CannotPublish(
            "公众号和小程序还没有绑在同一个微信开放平台账号下，不能两边都收票。",
            hint="没绑定，微信就不告诉我们两边是不是同一个人（没有unionid），一个人一天能投两票。请选一样：只从公众号进，或只从小程序进；"
                 "或者先到 open.weixin.qq.com 把两个都绑上，再请管服务器的同事把 APPS_BOUND 设成 true。",
            errors=[{"pointer": "#/doors", "detail": "两边没有绑定，只能选一个入口。"}])


def rules_of(campaign: Campaign, boxes_sha256: str) -> dict[str, Any]:
    """The rules as published, bound to their own hash under `campaign`."""
    def say(instant: datetime) -> str:
        return instant.astimezone(ZoneInfo(campaign.zone)).isoformat()

    rules: dict[str, Any] = {
        "protocol": "wxdraw/1", "title": campaign.title, "mode": campaign.mode, "zone": campaign.zone, "quota": campaign.quota,
        "doors": list(campaign.doors),
        "opens_at": say(campaign.opens_at), "closes_at": say(campaign.closes_at),
        "evidence_until": say(campaign.evidence_until), "freeze_at": say(campaign.freeze_at),
        "subjects": [{"key": s.key, "category": s.category, "title": s.title, "grades": [g["grade"] for g in s.grades]}
                     for s in campaign.subjects],
        "ticket_rule": "每人每天有一份通过的投票凭证，记一个签号；签号越多机会越大，一人最多中一次",
        "tiers": [{"id": p.tier, "name": p.name, "count": p.count, "value_fen": p.value_fen} for p in campaign.prizes],
        "alternates": campaign.alternates, "entropy": campaign.entropy, "commitment": commitment(), "boxes_sha256": boxes_sha256,
        "publicity_days": campaign.publicity_days, "claim": campaign.content.get("claim", ""),
        "organiser": campaign.content.get("organiser", ""), "contact": campaign.content.get("contact", {}),
    }
    rules["campaign"] = campaign_binding(campaign.slug, rules)
    return rules


def qr_png(text: str) -> bytes:
    """A QR for print and article: at least 430 px wide, quiet zone included."""
    import qrcode
    from qrcode.constants import ERROR_CORRECT_M

    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, box_size=12, border=4)
    code.add_data(text)
    out = io.BytesIO()
    code.make_image().save(out, format="PNG")
    return out.getvalue()
