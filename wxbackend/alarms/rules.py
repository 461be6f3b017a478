"""What an alarm says to staff: what happened, and what to do. Plain sentences; facts fill the braces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

OPERATOR_KIND = "tell operator"   # the wire value of wechat's Kind.OPERATOR; wechat stands after this room
QUOTA = 45009


class Words(NamedTuple):
    what: str
    todo: str


KINDS: dict[str, Words] = {
    "job-dead": Words("后台任务“{job_name}”有{count}件一直办不成，已经不再试。最近一次的缘由：{error}。",
                      "请管服务器的同事查日志里的“job failed”。修好以后，少了的那几件要人工补办。"),
    "wechat-operator": Words("微信拒绝了{where_name}：{meaning}（{errcode}）。", "{next_step}"),
    "wechat-quota": Words("微信今天给{where_name}的调用次数用完了（45009）。",
                          "次数在零点恢复，没办完的会自动再试。天天用完，请在公众平台“设置与开发→接口权限”看这个接口的限额。"),
    "media-lost": Words("有{count}张发到公众号的截图没有取到：微信只保存3天，现在没有了。",
                        "已请发送人再发一次；人多的话，发一篇文章提醒大家。再运行 flask --app app doctor，看worker是不是停了。"),
    "inbox-stuck": Words("有{count}条发到公众号的消息（{about}）试了几次都没能处理，发的人没有收到回答。",
                         "请管服务器的同事查日志里的“message kept but not answered”；消息还留在库里。"),
    "storage": Words("文件写不进服务器的磁盘（{job_name}）。",
                     "请管服务器的同事腾出空间，或检查 INSTANCE_DIR 的写权限；收到的截图会自动再试。"),
    "callback-plaintext": Words("微信用明文发来消息，按规矩没有收：{app_name}的消息和截图现在都进不来。",
                                "打开{console}，把“消息加解密方式”改为“安全模式”，EncodingAESKey与设置里的一致。"),
    "callback-clock": Words("微信发来的消息，时间和服务器差了{minutes}分钟，按规矩没有收。",
                            "请管服务器的同事对好时间，再运行 flask --app app doctor --only clock。"
                            "只有一两条，是有人把旧消息又发了一遍，不用管。"),
    "relay-away": Words("第二台服务器（RELAY_URL）没有回应，有{count}条转过去的消息没有人答。",
                        "请找管那台服务器的人；不再用它，就清空 RELAY_URL。"),
}
OTHER = Words("出了一件没有分类的事（{kind}，{about}）。", "请管服务器的同事查日志。")

OUR_IP = "服务器的出口IP"   # which one, where WeChat said it
CHECK_FIRST = ("先核对设置里的AppSecret：是不是这个号的（公众号和小程序各有一个）、有没有少抄一截，改好再重启。"
                "都对还这样，最后才到“设置与开发→基本配置”重置AppSecret：一重置，还在用旧AppSecret的别的系统马上停，要先告诉管它们的人。")
# Where somebody has to click, for each errcode that the account's own settings cause. The doctor says the same.
NEXT_STEPS: dict[int, str] = {
    40001: CHECK_FIRST,
    40013: "AppID不对：照“设置与开发→基本配置”里的AppID改设置，再重启。",
    40125: CHECK_FIRST,
    40243: "AppSecret被冻结：在“设置与开发→基本配置”解冻。",
    40164: "打开公众平台“设置与开发→基本配置→IP白名单”，加上" + OUR_IP + "，约5分钟后生效。",
    89503: "请公众号管理员在微信里确认这台服务器的调用申请。",
    89506: "管理员拒绝了这台服务器：24小时后再申请，或改用白名单里的IP。",
    89507: "管理员拒绝了这台服务器：1小时后再申请，或改用白名单里的IP。",
    48001: "打开“设置与开发→接口权限”看有没有这一项。没有，就核对设置 ACCOUNT_KIND 和 ACCOUNT_OAUTH；该有而没有，先办微信认证。",
    48004: "接口被微信封了：看公众平台“通知中心”里的说明，按它申诉。",
    41030: "小程序的这个页面还没有发布：发布以后再试。",
    40166: "小程序没有和公众号关联：在公众平台“小程序管理”里添加，并核对设置 MINIPROGRAM_APPID。",
    40165: "小程序还没有发布，或没有这个页面：发布以后再试。",
    40212: "小程序链接的参数不对：请管服务器的同事查日志。",
    85079: "小程序还没有发布：发布以后再试。",
    40037: "模板ID不对：照公众平台的模板列表改设置 NOTICE_TEMPLATE 或 ACCOUNT_TEMPLATE。",
}
MENU = "菜单有一处微信不收：在工作台的菜单那一页改好再存。"
NEXT_STEPS |= dict.fromkeys((40015, 40016, 40017, 40018, 40019, 40020, 40023, 40024, 40025, 40026, 40027, 40054, 40055), MENU)
ASK_THE_DOCTOR = "请管服务器的同事运行 flask --app app doctor，照它写的做。"

WHERE = {
    "inbox.fetch": "取截图", "notices.send": "发通知", "notices.customer": "发客服消息", "notices.subscribe": "发订阅消息",
    "notices.template": "发模板消息", "accounts.learn": "认同一个人", "login.login_miniprogram": "小程序登录",
    "door.login_h5_callback": "网页登录"}
JOBS = {"inbox.fetch": "取截图", "inbox.sweep": "补答消息", "notices.send": "发通知", "accounts.learn": "认同一个人",
        "draws.freeze": "封存名单", "draws.forget": "删除没中奖的人的资料", "draws.tell": "告诉大家结果"}
APPS = {"account": "公众号", "miniprogram": "小程序"}
CONSOLES = {"account": "公众平台“设置与开发→基本配置→服务器配置”", "miniprogram": "小程序后台“开发管理→消息推送”"}


def say(kind: str, about: str, count: int, facts: Mapping[str, Any], meaning: str = "") -> Words:
    """The alarm in words. `meaning` is what WeChat's errcode means, which only rooms behind `wechat` can look up."""
    words = KINDS.get(kind, OTHER)
    where, errcode = str(facts.get("where") or ""), facts.get("errcode")
    known = _Facts({
        **facts, "kind": kind, "about": about, "count": count, "meaning": meaning or "没有见过的错误码",
        "where_name": WHERE.get(where, where or "一次调用"), "job_name": JOBS.get(about, about),
        "next_step": next_step(errcode if isinstance(errcode, int) else 0).replace(OUR_IP, _with_address(facts)),
        "app_name": APPS.get(about, "公众号"), "console": CONSOLES.get(about, CONSOLES["account"])})
    return Words(words.what.format_map(known), words.todo.format_map(known))


def next_step(errcode: int) -> str:
    """Which menu to open for a refusal that the account's settings cause."""
    return NEXT_STEPS.get(errcode, ASK_THE_DOCTOR)


def _with_address(facts: Mapping[str, Any]) -> str:
    return f"{OUR_IP} {facts['our_ip']}" if facts.get("our_ip") else OUR_IP


class _Facts(dict[str, Any]):
    def __missing__(self, _name: str) -> str:
        return "—"
