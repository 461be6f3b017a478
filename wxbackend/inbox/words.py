"""What 小文文 says in the chat. 您, short: first what happened, then what to do."""

from __future__ import annotations

import re
from datetime import date

from wxbackend.campaigns.models import Campaign
from wxbackend.clock import say_day

REPLY_BYTES = 2048
AGREE = {"同意", "我同意", "同意的"}
YES = {"好", "好的", "好滴", "行", "可以", "是", "是的", "嗯", "没问题", "ok"}   # agreement too, where it answers the question
LEAVE = {"退出", "退出抽奖", "撤回"}
VOTE = {"投票", "去投票", "评议", "我要投票"}
MINE = {"我的", "我的签号", "签号"}
CHILD = {"未满14", "未满14岁", "未满14周岁"}
THANKS = re.compile("谢谢|多谢|感谢|辛苦")
PEOPLE = re.compile("人工|客服|投诉|举报|打电话|工作人员")
DRAW = re.compile("中奖|中了|领奖|开奖|抽奖|结果|公示|名单")
QUESTION = re.compile("[?？]|吗|呢|怎|什么|多少|几|哪|谁|签|票|奖")   # no name has these


def late(text: str) -> str:
    """A reply that comes afterwards, within the 2048 bytes of a message."""
    raw = (LATER + text).encode()
    return raw.decode() if len(raw) <= REPLY_BYTES else raw[:REPLY_BYTES - 3].decode("utf-8", "ignore") + "…"


def notice(campaign: Campaign) -> str:
    """Said before name and phone are kept: what, why, until when, how to take it back."""
    return (f"参加“{campaign.title}”抽奖，要记下您的姓名和手机号：只用来核对凭证、通知领奖；没中奖的，公示结束后30天内删除，"
            "中奖的按规定存2年。反悔了，回复“退出”就删。未满14周岁请回复“未满14”。")


def ask_both() -> str:
    return "请再发一条：姓名 手机号（像“张三 13800000000”这样），发来就是同意。"


def greeting(campaign: Campaign | None, link: str) -> str:
    account = campaign.content["account"] if campaign else {"mascot": "小文文"}
    if campaign is None:
        return f"您好，我是{account['mascot']}。这会儿没有正在办的活动，有了会在文章里告诉大家。"
    return f'您好，我是{account["mascot"]}。{campaign.title}正在进行，每人每天评一次。\n<a href="{link}">点这里去投票</a>'


def vote_link(campaign: Campaign, link: str) -> str:
    closes = campaign.say(campaign.closes_at)
    if not campaign.is_hosted:
        return (f"{campaign.title}的票投在{campaign.content.get('external_name') or '主办方的页面'}。"
                f'投完把成功页的截图发到这里，连同姓名和手机号。\n<a href="{link}">看活动说明</a>')
    return f'来啦！每人每天评一次，{closes}截止。\n<a href="{link}">点这里去投票</a>'


def picture_in(has_entry: bool, campaign: Campaign) -> str:
    if has_entry:
        return "截图收到啦，我看一看，马上告诉您。"
    return "截图收到啦！" + notice(campaign) + ask_both()


def counted(days: list[date], newest: date, more_to_come: bool, mark: str) -> str:
    """`mark` is the ballot log's: whoever keeps the chat holds a time stamp of it."""
    tail = "明天投完再发来，又多一个。" if more_to_come else "等抽奖就好，祝您好运！"
    kept = f"（账本指纹 {mark}）" if mark else ""
    return f"收好啦！{say_day(newest)}这天算上了，您现在有{len(days)}天、{len(days)}个签号。{tail}{kept}"


def entered(who: str, days: list[date], is_looking: bool, is_pending: bool) -> str:
    """`who` is masked, so that she sees what was understood."""
    said = f"记好啦：{who}。写错了就再发一遍，以新的为准。"
    if days:
        return said + f"您现在有{len(days)}个签号。"
    if is_looking:
        return said + "截图我正在看，马上告诉您。"
    if is_pending:
        return said + "截图等工作人员看过，就告诉您。"
    return said + "再发一张投票成功页的截图，这一天就算上了。"


def mine(days: list[date], is_in: bool, link: str) -> str:
    if days:
        return f'您有{len(days)}个签号：{"、".join(f"{day.month}月{day.day}日" for day in days)}。<a href="{link}">看我的签号</a>'
    if is_in:
        return f'还没有签号。投完票，发来成功页的截图，或<a href="{link}">到“我的”里点一下</a>，就有了。'
    return "您还没有参加抽奖。把投票成功页的截图发给我，再发姓名和手机号，就有签号了。"


def closed(campaign: Campaign, link: str) -> str:
    """Votes are over, screenshots still come in."""
    return (f"{campaign.title}的投票{campaign.say(campaign.closes_at)}已经截止，谢谢您来评议。投过票还没参加抽奖的，"
            f'{campaign.say(campaign.evidence_until)}前把截图发来都算。<a href="{link}">看我的签号</a>')


def over(campaign: Campaign, link: str) -> str:
    """Neither votes nor screenshots come in any more."""
    return f'{campaign.title}的票和截图都收完了，谢谢您来评议。<a href="{link}">看我的签号和抽奖结果</a>'


def drawn_or_not(campaign: Campaign, is_public: bool, link: str) -> str:
    if not is_public:
        return about_draw(campaign, link)
    return f'{campaign.title}已经抽完，结果公示了。中没中，您的签号排在第几，<a href="{link}">点这里看</a>'


def about_draw(campaign: Campaign, link: str) -> str:
    return (f'{campaign.say(campaign.freeze_at)}封存签号名单，等公共开奖号一出来就抽，结果公示出来。'
            f'<a href="{link}">看我的签号和抽奖结果</a>')


def people(campaign: Campaign) -> str:
    contact = campaign.content.get("contact") or {}
    if not contact.get("phone"):
        return "您的话留在这里，工作人员上班时会看到。"
    return f"想找人说，请打{contact['phone']}" + (f"，{contact['hours']}" if contact.get("hours") else "") + "。"


def waiting_for_staff(foreign: bool) -> str:
    if foreign:
        return "这张截图不是您本人的投票凭证，请发自己的那一张。如果弄错了，工作人员也会再看一眼。"
    return "这张图没认出来，已请工作人员看一看；把图下面的8个字符发给我也行。"


def external_pending(day: date) -> str:
    return f"{say_day(day)}的截图收好了，工作人员看过就给您记签号，看完会告诉您。"


HOLD = "先问您一声，这条还没记下，48小时不回复就删。{notice}同意的话，回复“同意”。"
PICTURE_AND_HELD = "截图收到啦！您的姓名和手机号还没记下，等您一句话。同意的话，回复“同意”，这一天就算上。"
NOTHING_HELD = "好的。请再发一条：姓名 手机号，像“张三 13800000000”这样。"
AMBIGUOUS = "里面不止一个名字或号码，我不敢猜。请只发您本人的：姓名 手机号。"
WELCOME = "不客气，谢谢您来评议。"
CHANGE_PHONE = "想改手机号，请把姓名和新号码写在一条里发来，像“张三 13800000000”。"
ONLY_NAME = "还差手机号。请把姓名和手机号写在一条里发来。"
ONLY_PHONE = "还差姓名。请把姓名和手机号写在一条里发来。"
LEFT = "已经退出抽奖，姓名和手机号都删掉了，截图也删了。您投过的票照样算数。"
NOT_IN = "您还没有参加抽奖，没有要删的资料。"
CHILD_PATH = "未满14周岁，请家长陪着到活动页填：点“一键参加抽奖”，选“未满14周岁”，由家长填姓名、手机号并勾选同意。"
NOT_TEXT = {"voice": "语音我听不了，请打字，或把投票成功页的截图发来。", "video": "视频我看不了，请发投票成功页的截图。",
            "shortvideo": "视频我看不了，请发投票成功页的截图。"}
ASK_AGAIN = "没能马上转给工作人员。请再发一次“人工”。"
LATER = "刚才人多，这条回晚了："
HELP = '想投票，回复“投票”；想抽奖，把投票成功页的截图发给我，再发姓名和手机号；看签号，回复“签号”。'
NO_CAMPAIGN = "这会儿没有正在收截图的活动。以前的结果和公示都在公众号的文章里。"
CODE_UNKNOWN = "没有找到这8个字符，请对着图再看一眼。"
