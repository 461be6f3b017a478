"""What the staff ask of WeChat for their account: publish the menu, read menu and replies. Each asks outside any transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from wxbackend import clock, store, wechat
from wxbackend.admin.account_words import ACCOUNT_KINDS, FEATURES
from wxbackend.admin.site import actor
from wxbackend.extensions import db, settings
from wxbackend.inbox import buttons as shapes
from wxbackend.inbox import imports, menu
from wxbackend.inbox.duty_models import AccountMenu
from wxbackend.problems import Problem

LOCKED_SECONDS = 20
MENUS_OWN = (*range(40015, 40056), 40165, 40166, 85079)   # errcodes that speak of a menu's buttons


ADVICE = {40166: "请在公众平台“小程序管理”里把这个小程序和公众号关联，再核对AppID。", 40165: "请核对小程序页面的路径，小程序要先发布。",
          85079: "小程序要先发布。", 40054: "网址的域名要换成允许的。", 40055: "网址的域名要换成允许的。"}


class AccountLacks(Problem):
    """WeChat gives this kind of account no such interface (48001)."""

    status, type, title = 409, "account-lacks", "微信没有给这个公众号这个接口。"


class AccountRefused(Problem):
    """WeChat said no for a reason that lies with the account: a whitelist, a secret, a day's quota."""

    status, type, title = 502, "account-refused", "微信这一步没办成，什么都没有改。"


class MenuRefused(Problem):
    status, type, title = 502, "menu-refused", "微信没有接受这份菜单，手机上的还是原来那份。"
    hint = "请看一遍每个按钮再发布；一直这样，请找技术人员。"


def put_live(number: int) -> AccountMenu:
    """Send a version to WeChat, outside any transaction, and note that it is live.

    Raises NoSuchMenu, MenuChanged, MenuNotReady, AccountLacks, MenuRefused, AccountRefused, WeChatAway.
    """
    who = actor()
    with _alone():   # looked at only now: of two who publish at once the later must not put an older version over a newer
        made, items = menu.to_publish(number), menu.items_of(menu.by_id(number))
        db.session.commit()
        _asked("menu", lambda: wechat.create_menu(made), items)
        published = menu.published(number, who, clock.now())
        db.session.commit()
    return published


def read_menu() -> shapes.MenuRead:
    """The menu on the phones as our draft. Raises NotReadable, AccountLacks, AccountRefused, WeChatAway."""
    who = actor()
    db.session.commit()
    with _alone():
        raw = _asked("menu", wechat.current_menu)
        found = menu.bring_in(raw, who, clock.now())
        db.session.commit()
    return found


def read_replies() -> imports.Report:
    """The console's replies among ours. Raises NotReadable, AccountLacks, AccountRefused, WeChatAway."""
    who = actor()
    db.session.commit()
    with _alone():
        raw = _asked("replies", wechat.current_replies)
        report = imports.bring_in(raw, who, clock.now())
        db.session.commit()
    return report


@contextmanager
def _alone() -> Iterator[None]:
    """One at a time: of two who press at once the second waits, and finds it done; what WeChat took last is what we note last.

    With the store away they may meet at the unique key, where MariaDB sends one of them back to try again.
    """
    held = ExitStack()
    with suppress(store.StoreAway, store.StillLocked):
        held.enter_context(store.lock("account-asks", LOCKED_SECONDS, LOCKED_SECONDS))
    with held:
        yield


def _asked(feature: str, call: Callable[[], Any], items: Sequence[Mapping[str, Any]] = ()) -> Any:
    """One call to WeChat. A refusal by kind of account says which kinds have it, one of the menu's shape what WeChat said of it, and
    which of the buttons in `items` it may mean."""
    try:
        return call()
    except wechat.NotGranted:
        raise _lacks(feature) from None
    except wechat.Unsendable as e:
        raise MenuRefused(e.said) from None
    except wechat.WeChatRefused as e:
        about = wechat.meaning(e.errcode).about
        if e.errcode in MENUS_OWN:
            raise _refused(e.errcode, about, items) from None
        raise AccountRefused(hint=f"微信说：{about}。办好再试，不清楚的请找技术人员。") from None


def _refused(errcode: int, about: str, items: Sequence[Mapping[str, Any]]) -> MenuRefused:
    meant = shapes.suspects(errcode, items)
    which = ("应该是" if len(meant) == 1 else "可能是") + "、".join(f"“{name}”" for _, name in meant) + "。" if meant else ""
    errors = [{"pointer": f"{at}/{_field(errcode)}", "detail": f"“{name}”：{about}。"} for at, name in meant]
    return MenuRefused(hint=f"微信说：{about}。{which}{ADVICE.get(errcode, '')}请改好再发布。", errors=errors)


def _field(errcode: int) -> str:
    return {40018: "name", 40025: "name", 40020: "url", 40027: "url", 40054: "url", 40055: "url", 40165: "pagepath", 40166: "appid",
            85079: "appid"}.get(errcode, "does")


def _lacks(feature: str) -> AccountLacks:
    name, without = FEATURES.get(feature, ("读取自动回复", "关键词要在这里重新写"))
    needs = "未认证的订阅号没有自定义菜单，认证以后才有" if feature == "menu" else "这要看账号的类型和认证"
    kind = ACCOUNT_KINDS.get(settings.account_kind, "")
    hint = f"{needs}。这里按“{kind}”设置：如果不对，请技术人员改账号类型。眼下{without}。"
    return AccountLacks(f"微信没有给这个公众号“{name}”。", hint=hint)
