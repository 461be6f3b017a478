"""All pages of the account's own duties: there for everybody, nothing inline, nothing run, in a real browser too."""

from __future__ import annotations

import re

from tests import factories
from tests.admin.account.conftest import BASE, PAGES
from tests.inbox.test_duties import write
from wxbackend.extensions import db
from wxbackend.inbox import menu

EVIL = '<script>alert(1)</script><img src=x onerror=alert(2)>"\'&<a href="javascript:alert(3)">点我</a>'


def test_every_page_is_there_for_everybody_and_needs_nothing_inline(desk, row, side):
    menu.template("staff:xiaoli", factories.NOON)
    db.session.commit()
    for role in ("manager", "reviewer", "auditor"):
        staff = desk(role)
        for path in PAGES:
            answer = staff.get(path)
            if "new" in path and role != "manager":
                assert answer.status_code == 403
                continue
            assert answer.status_code == 200, (role, path)
            assert not re.search(r"<[^>]+\s(style|on\w+)=|<style|<script(?![^>]+src=)", answer.text), path
            writes = [form for form in re.findall(r'<form[^>]*method="post"[^>]*action="([^"]+)', answer.text) if "logout" not in form]
            assert role == "manager" or "</button>" not in answer.text.partition("<main")[2] or set(writes) <= {
                "/admin/account/try#h-try", "/admin/account/replies/1", "/admin/account/menu"}, path
    assert 'href="/admin/account"' in desk("reviewer").get("/admin/").text


def test_texts_are_shown_and_never_run(desk, campaign, side):
    write(equal=[EVIL[:40]], text=EVIL, name=EVIL[:40])
    write("greeting", text=EVIL)
    menu.save([menu.shapes.item(name="<b>x", does="say", text=EVIL)], "staff:xiaoli", factories.NOON)
    db.session.commit()
    side.replies = {"keyword_autoreply_info": {"list": [{"rule_name": EVIL, "keyword_list_info": [{"match_mode": "equal", "content": EVIL}],
                                                         "reply_list_info": [{"type": "text", "content": EVIL}]}]}}
    staff = desk("manager")
    pages = [staff.get(path).text for path in PAGES] + [staff.post(BASE + "/import/replies").text, staff.post(BASE + "/try", say=EVIL).text,
                                                        staff.get(f"{BASE}/replies?q={EVIL}").text, staff.get("/admin/log").text]
    for page in pages:
        shown = page.partition("<main")[2]
        assert "<script" not in shown and "<img" not in shown and "onerror=alert(2)>" not in shown and "<a href=\"javascript" not in shown
        assert "<b>x" not in shown
    assert "&lt;script&gt;" in pages[1]


def test_pages_work_in_a_browser_without_script_and_do_not_scroll_sideways(chromium, app, live, campaign, side, desk):
    desk("manager").post(BASE + "/import/replies")
    desk("manager").post(BASE + "/menu/template")
    db.session.rollback()
    for width, height, script in ((390, 844, False), (1280, 800, True)):
        page = chromium.new_context(viewport={"width": width, "height": height}, java_script_enabled=script).new_page()
        page.set_default_timeout(10_000)
        page.goto(live + "/admin/login?next=" + BASE)
        page.fill("#u", "xiaoli")
        page.fill("#p", factories.PASSWORD)
        page.click("button.primary")
        page.fill("#say", "几点开门")
        page.click("text=看看回什么")
        page.wait_for_selector("text=周一闭馆")
        for path in (BASE, BASE + "/replies", BASE + "/replies/1", BASE + "/menu", BASE + "/import"):
            page.goto(live + path)
            boxes = [box for part in page.locator("main > *").all() if (box := part.bounding_box())]
            assert boxes and max(box["x"] + box["width"] for box in boxes) <= width, path
        page.goto(live + BASE + "/menu")
        assert page.locator("#b0-url").is_visible() is (width == 1280)   # it belongs to a button that opens a page
        page.select_option("#b0-does", "view")
        page.fill("#b0-url", "https://a.example/")
        page.click("text=存成草稿")
        page.wait_for_selector("text=菜单存好了" if width == 390 else "text=菜单")
        page.context.close()
    assert menu.newest().buttons[0] == {"type": "view", "name": "去投票", "url": "https://a.example/"}
