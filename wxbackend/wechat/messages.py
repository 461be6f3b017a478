"""What we send to people: never twice by ourselves. Where WeChatAway is `unsure`, it may have arrived."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from wxbackend.wechat import endpoints, fields
from wxbackend.wechat.callbacks import NAME, REPLY_BYTES
from wxbackend.wechat.calls import ask, word
from wxbackend.wechat.refusals import Unsendable
from wxbackend.wechat.wording import wording

CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
TEMPLATE = re.compile(r"[A-Za-z0-9_-]{1,64}")
LONGEST_URL = 1024


def send_text(openid: str, text: str) -> None:
    """A customer message of the public account, at most five within 48 hours of the person's own.

    Raises Unsendable (empty, over 2048 bytes), WeChatRefused (45015 window over, 45047 quota used), NotGranted, WeChatAway; if that is
    `unsure`, do not send again.
    """
    content = wording(text)
    if not 0 < len(content.encode()) <= REPLY_BYTES:
        raise Unsendable(f"一条消息最多{REPLY_BYTES}字节，约{REPLY_BYTES // 3}个汉字。" if content.strip() else "消息是空的。")
    ask(endpoints.CUSTOMER_MESSAGE, data={"touser": named(openid), "msgtype": "text", "text": {"content": content}})


def send_subscribe(openid: str, template_id: str, data: Mapping[str, str], page: str = "") -> str:
    """One notice of the mini program for one consent of the person; its msgid, "" where WeChat names none. `data`: {"thing1": "…"}.

    Raises Unsendable (a field too long or of the wrong form), WeChatRefused (43101: refused, or the consents are used up; 40003; 47003),
    NoMiniProgram, WeChatAway.
    """
    body = {"touser": named(openid), "template_id": _template(template_id), "data": fields.values(data)}
    body |= {"miniprogram_state": "formal", "lang": "zh_CN"}
    if page:
        body["page"] = page_path(page, with_query=True)
    return word(ask(endpoints.SUBSCRIBE_MESSAGE, data=body), "msgid", default="")


def send_template(openid: str, template_id: str, data: Mapping[str, str], url: str = "", client_msg_id: str = "") -> str:
    """A template message of the verified 服务号; its msgid, which the event TEMPLATESENDJOBFINISH names again ("" where there is none).

    With `client_msg_id` (up to 32 letters and digits) WeChat itself drops a second one within ten minutes.
    Raises Unsendable, WeChatRefused (43004: she does not follow; 40037 template), NotGranted, WeChatAway.
    """
    body = {"touser": named(openid), "template_id": _template(template_id), "data": fields.values(data)}
    if url:
        if urlsplit(url).scheme not in ("http", "https") or len(url) > LONGEST_URL:
            raise ValueError("a template message links to a web address")
        body["url"] = url
    if client_msg_id:
        if not CLIENT_ID.fullmatch(client_msg_id):
            raise ValueError("a client_msg_id is up to 32 letters, digits, - and _")
        body["client_msg_id"] = client_msg_id
    return word(ask(endpoints.TEMPLATE_MESSAGE, data=body), "msgid", default="")


def named(openid: str) -> str:
    """An openid that can be one. Raises ValueError."""
    if not isinstance(openid, str) or not NAME.fullmatch(openid):
        raise ValueError("not an openid")
    return openid


def page_path(page: str, *, with_query: bool = False) -> str:
    """A page of the mini program, "pages/vote/vote". Raises ValueError for a leading slash, or a query where none may be."""
    if page.startswith("/") or not page.isprintable() or " " in page or len(page) > LONGEST_URL or ("?" in page and not with_query):
        raise ValueError("a page of the mini program: no leading slash, " + ("at most 1024 characters" if with_query else "no query"))
    return page


def _template(template_id: str) -> str:
    if not TEMPLATE.fullmatch(template_id):
        raise ValueError("not a template's id")
    return template_id
