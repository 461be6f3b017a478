"""Who takes part in the draw: names and phones under consent, sealed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError

from wxbackend import audit, keys
from wxbackend.accounts import service as accounts
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db
from wxbackend.problems import Problem
from wxbackend.submissions.models import Entrant
from wxbackend.submissions.rules import mask_name, mask_phone, tidy_name, tidy_phone

UNSAID = "unsaid"   # the age, where a door does not ask for it
PURPOSES = {"draw": "用姓名和手机号办理这次抽奖", "show-name": "中奖时公布打码的姓名", "notify": "中奖时用公众号消息提醒我"}


class EntryInvalid(Problem):
    """`errors` names each field."""

    status, type, title = 422, "invalid", "有几处还要改一改。"


class NotEntered(Problem):
    status, type, title = 409, "not-entered", "还没有您的姓名和手机号。"
    hint = "先填一次，往后每天点一下就好。"


class EntryClosed(Problem):
    status, type, title = 409, "entry-closed", "收截图的时间已经过了。"
    hint = "您已有的签号都还在，等抽奖就好。"


@dataclass(frozen=True)
class EntryForm:
    """What somebody gives to take part. `guardian` is (name, phone) for a child under 14."""

    name: str
    phone: str
    age_band: str = UNSAID
    guardian: tuple[str, str] | None = None
    consents: tuple[str, ...] = ("draw",)


@dataclass(frozen=True)
class Named:
    """An entrant's name and phone in clear, for as short as possible."""

    name: str = field(repr=False)
    phone: str = field(repr=False)

    @property
    def masked_name(self) -> str:
        return mask_name(self.name)

    @property
    def masked_phone(self) -> str:
        return mask_phone(self.phone)


def entrant(campaign: Campaign, person_id: int) -> Entrant | None:
    """The person's entry, unless withdrawn."""
    return next(iter(entries_of(campaign, person_id)), None)


def entries_of(campaign: Campaign, person_id: int) -> list[Entrant]:
    """A person's entries that are not withdrawn: one; in a frozen campaign also those of whoever was merged into her since."""
    hers = accounts.all_ids(person_id)
    found = db.session.scalars(select(Entrant).where(Entrant.campaign_id == campaign.id, Entrant.person_id.in_(hers),
                                                     Entrant.withdrawn_at.is_(None)))
    return sorted(found, key=lambda entry: hers.index(entry.person_id))


def entrants(campaign: Campaign) -> dict[int, Entrant]:
    """Every active entrant by person."""
    found = db.session.scalars(select(Entrant).where(Entrant.campaign_id == campaign.id, Entrant.withdrawn_at.is_(None)))
    return {e.person_id: e for e in found}


def named(entrant: Entrant) -> Named:
    """Opens the seal."""
    return Named(keys.unseal("name", entrant.name_sealed), keys.unseal("phone", entrant.phone_sealed))


def enter(campaign: Campaign, person_id: int, form: EntryForm, at: datetime) -> Entrant:
    """Take somebody in under her consent, or set right what she gave before. Raises EntryInvalid, EntryClosed."""
    if at >= campaign.evidence_until or not campaign.is_published:
        raise EntryClosed()
    name, phone, guardian = _checked(form)
    person_id = accounts.hold(person_id)
    found = db.session.scalar(_query(campaign, person_id))
    try:
        with db.session.begin_nested():
            if found is None:
                found = Entrant(campaign_id=campaign.id, person_id=person_id)
            _write(found, campaign, name, phone, form, guardian, at)
            db.session.add(found)   # whole: reading the campaign's rules would flush a half-written row
    except IntegrityError:   # the same tap twice at once
        found = db.session.scalar(_query(campaign, person_id))
        assert found is not None
    return found


def correct(campaign: Campaign, person_id: int, name: str, phone: str, at: datetime) -> Entrant:
    """Set name and phone right until the list is frozen. Raises NotEntered, EntryInvalid."""
    found = entrant(campaign, accounts.hold(person_id))
    if found is None:
        raise NotEntered()
    if campaign.frozen_at is not None or at >= campaign.freeze_at:
        raise EntryClosed("名单已经封存，不能再改。", hint="名字或号码写错了，请打活动电话说明。")
    tidy, number, _ = _checked(EntryForm(name, phone))
    found.name_sealed, found.phone_sealed, found.phone_hash = keys.seal("name", tidy), keys.seal("phone", number), phone_hash(number)
    db.session.flush()
    return found


def erase(campaign: Campaign, entrant: Entrant, at: datetime) -> None:
    """Empty name and phone on withdrawal; the row stays so that the campaign's numbers still add up."""
    entrant.name_sealed = entrant.phone_sealed = entrant.phone_hash = entrant.guardian_sealed = ""
    entrant.withdrawn_at, entrant.consents = at, []
    db.session.flush()
    audit.record("voter", "entrant.withdrawn", f"campaign:{campaign.slug}", at)


def phone_hash(phone: str) -> str:
    """Finds equal phones across entries and exclusions without reading any."""
    return keys.keyed_hash("phone", phone)


def _query(campaign: Campaign, person_id: int) -> Select[Entrant]:
    return select(Entrant).where(Entrant.campaign_id == campaign.id, Entrant.person_id == person_id)


def _write(row: Entrant, campaign: Campaign, name: str, phone: str, form: EntryForm, guardian: str, at: datetime) -> None:
    row.name_sealed, row.phone_sealed, row.phone_hash = keys.seal("name", name), keys.seal("phone", phone), phone_hash(phone)
    consents = set(form.consents)
    if form.age_band == UNSAID and row.id is not None and row.withdrawn_at is None:
        consents |= set(row.consents)   # the chat and the upload ask for less than the form: they take nothing back
    else:
        row.age_band, row.guardian_sealed = form.age_band, guardian
    row.consents, row.consented_at, row.withdrawn_at = sorted(consents), at, None
    row.consent_version = campaign.rules.sha256 if campaign.rules else ""


def _checked(form: EntryForm) -> tuple[str, str, str]:
    name, phone, errors = tidy_name(form.name), tidy_phone(form.phone), []
    if name is None:
        errors.append({"pointer": "#/name", "detail": "请填写姓名，和证件上一样。"})
    if phone is None:
        short = 0 < sum(c.isdigit() for c in form.phone) < 11
        errors.append({"pointer": "#/phone", "detail": "少了几位，手机号是11位数字。" if short else "请填写11位手机号。"})
    if "draw" not in form.consents or set(form.consents) - PURPOSES.keys():
        errors.append({"pointer": "#/consents", "detail": "参加抽奖要您同意我们用姓名和手机号；不勾也不影响投票。"})
    guardian = ""
    if form.age_band == "<14":
        parent = (tidy_name(form.guardian[0]), tidy_phone(form.guardian[1])) if form.guardian else (None, None)
        if None in parent:
            errors.append({"pointer": "#/guardian", "detail": "未满14周岁请家长填写自己的姓名和手机号，并勾选同意。"})
        guardian = keys.seal("guardian", json.dumps(parent, ensure_ascii=False))
    if errors:
        raise EntryInvalid(errors=errors)
    return name or "", phone or "", guardian
