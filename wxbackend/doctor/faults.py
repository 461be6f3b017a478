"""Settings with which nothing starts, the doctor neither: which line to mend, in Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

NEW_AES_KEY = "openssl rand -base64 48 | tr -dc A-Za-z0-9 | head -c 43"
REMEDIES = {
    "ACCOUNT_SECRET": "抄公众平台“设置与开发→基本配置”里的AppSecret",
    "ACCOUNT_TOKEN": "自己想32个字母和数字（openssl rand -hex 16），以后在“服务器配置”里填同一个",
    "ACCOUNT_AES_KEY": f"43个字母和数字（{NEW_AES_KEY}），以后在“服务器配置”里填同一个",
    "MINIPROGRAM_SECRET": "抄小程序后台“开发管理→开发设置”里的AppSecret；没有小程序，就把 MINIPROGRAM_APPID 空着",
    "MINIPROGRAM_TOKEN": "自己想32个字母和数字，以后在“消息推送”里填同一个",
    "MINIPROGRAM_AES_KEY": f"43个字母和数字（{NEW_AES_KEY}），以后在“消息推送”里填同一个",
    "SECRET_KEY": "填 openssl rand -hex 32 的输出",
    "DATA_KEY": "填 openssl rand -base64 32 的输出；已经用过的不能换，换了就读不出手机号",
    "PUBLIC_URL": "写市民打开的网址，只到域名为止，如 https://vote.example.org",
    "REDIS_URL": "写Redis的地址，或写 spawn；只开一个进程的话，写 ACCEPT_EMBEDDED_REDIS=true",
    "WORKERS": "写1，或先设 REDIS_URL",
    "ACCOUNT_KIND": "写 service、service-unverified、subscription、subscription-unverified 里的一个",
    "ENVIRONMENT": "正式用写 production",
    "NOTICE_TEMPLATE": "照小程序后台“订阅消息→我的模板”写：模板ID|thing1=title|time2=at",
    "ACCOUNT_TEMPLATE": "照公众平台“模板消息→我的模板”写：模板ID|thing1=title|time2=at",
}
OTHERWISE = "照 config/example.env 里这一项的说明改"


def in_chinese(faults: Iterable[str], given: Mapping[str, str]) -> str:
    """A heading and a line for each faulty setting, whose name each fault begins with; no value of `given` is repeated."""
    names = dict.fromkeys(re.split(r"\W", fault, maxsplit=1)[0] for fault in faults)
    lines = [f"不行　  {name}：{'写得不对' if given.get(name) or given.get(f'{name}_FILE') else '没有写'}。\n"
             f"        → {REMEDIES.get(name, OTHERWISE)}。" for name in names]
    heading = f"设置还读不进来，网站和doctor都起不来。请在设置文件里（例如 /etc/wxbackend.env）改这{len(lines)}行，再运行一次："
    return "\n".join([heading, *lines])
