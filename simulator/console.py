"""What an account's owner made by hand in the console, before there was a server: the demo's staff can import it."""

from __future__ import annotations

from typing import Any

MENU: dict[str, Any] = {"button": [
    {"type": "text", "name": "开放时间", "value": "总馆每天9:00到21:00开放，周一闭馆。"},
    {"name": "来文化馆", "sub_button": [
        {"type": "view", "name": "场馆地图", "url": "https://www.example.org/map"},
        {"type": "view", "name": "公益课", "url": "https://www.example.org/classes"},
        {"type": "text", "name": "联系我们", "value": "服务台电话0755-0000 0000，工作日9:00到17:00。"}]},
]}
REPLIES: dict[str, Any] = {
    "is_add_friend_reply_open": 1, "is_autoreply_open": 1,
    "add_friend_autoreply_info": {"type": "text", "content": "您好，谢谢关注福田文体中心。回复“公益课”看最近的课。"},
    "message_default_autoreply_info": {"type": "text", "content": "留言收到啦，工作日会有人回复您。"},
    "keyword_autoreply_info": {"list": [
        {"rule_name": "公益课", "create_time": 1640966400, "reply_mode": "reply_all",
         "keyword_list_info": [{"type": "text", "match_mode": "contain", "content": "公益课"},
                               {"type": "text", "match_mode": "contain", "content": "上课"}],
         "reply_list_info": [{"type": "text", "content": "公益课每周三10:00开放预约。"}]},
        {"rule_name": "地址", "create_time": 1640966400, "reply_mode": "random_one",
         "keyword_list_info": [{"type": "text", "match_mode": "equal", "content": "地址"}],
         "reply_list_info": [{"type": "text", "content": "总馆一楼服务台。"},
                             {"type": "news", "news_info": {"list": [{"title": "怎么来", "digest": "地铁和公交", "author": "",
                                                                      "cover_url": "", "content_url": "https://www.example.org/way",
                                                                      "source_url": "", "show_cover": 0}]}}]}]},
}
