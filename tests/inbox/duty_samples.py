"""What WeChat tells of a console-made menu and console-made replies, in its documented shape. Names, numbers and addresses are invented."""

from __future__ import annotations

from typing import Any

ARTICLE = {"title": "文化馆秋季公益课报名", "author": "小编", "digest": "九门课", "show_cover": 1, "cover_url": "http://mmbiz.qpic.cn/x",
           "content_url": "http://mp.weixin.qq.com/s?__biz=MjM5&mid=2&idx=1&sn=a1", "source_url": ""}


def rule(name: str, words: list[tuple[str, str]], replies: list[dict[str, Any]], mode: str = "reply_all") -> dict[str, Any]:
    """One keyword rule: rule("开放时间", [("几点开门", "contain")], [{"type": "text", "content": "…"}])."""
    return {"rule_name": name, "create_time": 1640000000, "reply_mode": mode, "reply_list_info": replies,
            "keyword_list_info": [{"type": "text", "match_mode": match, "content": word} for word, match in words]}


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "content": text}


HOURS = rule("开放时间", [("开放时间", "equal"), ("几点开门", "contain")], [said("周二至周日 9:00–21:00，周一闭馆。")])
COURSES = rule("公益课", [("公益课", "contain"), ("报名", "contain")],
    [{"type": "news", "content": "MEDIA_NEWS", "news_info": {"list": [ARTICLE]}}])
PICTURE = rule("馆内地图", [("地图", "contain")], [{"type": "img", "content": "MEDIA_MAP"}])
BOTH = rule("场地预订", [("订场地", "equal")], [said("场地提前7天预订。"), said("预订电话 0755-0000 0000，工作日接听。"),
                                        {"type": "voice", "content": "MEDIA_VOICE"}])
LUCKY = rule("问好", [("你好", "equal"), ("您好", "equal")], [said("您好呀，我是小文文。"), said("您好，今天想看点什么？")], "random_one")
LEAVING = rule("退订", [("退出", "equal"), ("退订", "equal")], [said("短信退订请回TD。")])

REPLIES: dict[str, Any] = {
    "is_add_friend_reply_open": 1, "is_autoreply_open": 1,
    "add_friend_autoreply_info": said("欢迎关注！看演出、学才艺、订场地，都在下面的菜单里。"),
    "message_default_autoreply_info": said("收到啦，工作人员上班会看。急事请打 0755-0000 0000。"),
    "keyword_autoreply_info": {"list": [HOURS, COURSES, PICTURE, BOTH, LUCKY, LEAVING]},
}

MENU: dict[str, Any] = {"is_menu_open": 1, "selfmenu_info": {"button": [
    {"name": "文化服务", "sub_button": {"list": [
        {"type": "view", "name": "场地预订", "url": "https://venue.example.org/book"},
        {"type": "news", "name": "公益课报名", "value": "MEDIA_NEWS", "news_info": {"list": [ARTICLE]}},
        {"type": "miniprogram", "name": "活动日历", "url": "https://venue.example.org/", "appid": "wx0123456789abcdef",
        "pagepath": "pages/cal"},
        {"type": "img", "name": "馆内地图", "value": "MEDIA_MAP"}]}},
    {"type": "text", "name": "开放时间", "value": "周二至周日 9:00–21:00，周一闭馆。"},
    {"name": "更多", "sub_button": {"list": [
        {"type": "scancode_push", "name": "扫码借书", "key": "SCAN_BOOK"},
        {"type": "click", "name": "我的积分", "key": "POINTS"}]}}]}}
