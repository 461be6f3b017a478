"""Who holds the phones: their ids, chats, albums and cases."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

ALBUM_SIZE = 6
RISKY = 4


@dataclass
class Line:
    """One line of a chat: from "me" (the person), "it" (the account) or WeChat itself ("note").

    `card` holds what a template message, a news item or a mini program card shows: {"title", "rows": [(label, value)], "url", …}.
    """

    who: str
    kind: str                # text, image, voice, … template, news, miniprogrampage
    at: datetime
    text: str = ""
    media_id: str = ""
    via: str = ""            # passive, customer or template, for lines of the account
    card: dict[str, Any] = field(default_factory=dict)


@dataclass
class Photo:
    id: str
    data: bytes
    from_name: str = ""      # who forwarded it


@dataclass
class Person:
    """`risk` is WeChat's opinion, 0 to 4. `snapshot`: sees the preview page until `full`. `web_login` False: web login is not offered,
    as to everybody who reads a 订阅号."""

    id: str
    name: str
    about: str
    openids: dict[str, str]  # appid → openid
    union_key: str
    phone: str = ""
    follows: bool = True
    snapshot: bool = False
    snapshot_flag: bool = True
    full: bool = False
    bound: bool = True
    web_login: bool = True
    risk: int = 0
    blocks_templates: bool = False
    followed_at: int = 1640966400
    visits: dict[str, datetime] = field(default_factory=dict)        # appid → last mini program login
    session_keys: dict[str, str] = field(default_factory=dict)       # appid → the one valid session_key
    credits: dict[str, int] = field(default_factory=dict)            # template id → accepted subscribe messages
    refuses: set[str] = field(default_factory=set)                   # template ids switched off for good
    chat: list[Line] = field(default_factory=list)
    notices: list[Line] = field(default_factory=list)                # 服务通知
    album: list[Photo] = field(default_factory=list)

    @property
    def unionid(self) -> str | None:
        """The id that joins both apps, for one whose apps are bound."""
        return self.union_key if self.bound else None

    @property
    def sees_snapshot(self) -> bool:
        return self.snapshot and not self.full

    def told(self) -> dict[str, Any]:
        """For the control interface."""
        hidden = ("chat", "notices", "album", "session_keys", "union_key")
        shown = {k: v for k, v in asdict(self).items() if k not in hidden}
        visits = {appid: at.isoformat() for appid, at in self.visits.items()}
        return shown | {"unionid": self.unionid, "refuses": sorted(self.refuses), "visits": visits}


CAST: tuple[dict[str, Any], ...] = (
    {"key": "amei", "name": "阿美", "about": "每天都投", "phone": "13800000000"},
    {"key": "laochen", "name": "老陈", "about": "用长辈版，喜欢发截图", "phone": "13800000001"},
    {"key": "luren", "name": "路人", "about": "拿别人的截图来试", "phone": "13800000002"},
    {"key": "afang", "name": "阿芳", "about": "还没关注公众号", "phone": "13800000003", "follows": False},
    {"key": "xiaozhou", "name": "小周", "about": "打开的是预览页", "phone": "13800000004", "snapshot": True},
    {"key": "xiaohe", "name": "小何", "about": "两边认不出是一个人", "phone": "13800000005", "bound": False},
    {"key": "daliu", "name": "大刘", "about": "没有网页登录，发关键词", "phone": "13800000006", "web_login": False},
)
