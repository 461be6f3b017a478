"""What holds for every page: small, strict, readable, in kind words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import factories
from tests.pages.conftest import send

ROOT = Path(__file__).parent.parent.parent / "wxbackend"
TEMPLATES = sorted((ROOT / "templates" / "pages").glob("*.html"))
URL = "/c/futian-2021-reform"


def text_of(response) -> str:
    return response.get_data(as_text=True)


def test_the_voter_page_with_all_it_loads_is_at_most_30_kb(campaign, amei):
    page = text_of(amei.get(URL))
    parts = [page] + [text_of(amei.get(url)) for url in re.findall(r'(?:href|src)="(/static/[^"]+)"', page)]
    assert len(parts) == 4 and "data:image/jpeg;base64," in page   # tokens, style, script; the captcha is in the page
    assert sum(len(part.encode()) for part in parts) <= 30_000


def test_own_script_is_small_and_old_enough_for_old_phones():
    script = (ROOT / "static" / "citizen.js").read_text(encoding="utf-8")
    assert len(script.encode()) <= 5_000
    bare = re.sub(r"/\*.*?\*/|//[^\n]*|'[^'\n]*'", "", script, flags=re.S)
    for young in (r"\?\.", r"\?\?", r"\basync\b", r"\bawait\b", r"\*\*", r"\.\.\.", r"\bimport\b", r"catch \{", r"\.replaceAll", r"\.at\("):
        assert not re.search(young, bare), young
    assert "eval(" not in bare and "innerHTML" not in bare


PAGES = ["/", URL, URL + "/enter", URL + "/mine", URL + "/results", URL + "/rules", URL + "/privacy"]


@pytest.mark.parametrize("path", [*PAGES, "/c/nowhere"])
def test_every_page_keeps_the_strict_policy(campaign, amei, path):
    answer = amei.get(path)
    page, policy = text_of(answer), answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "form-action 'self'" in policy
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=)", page)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page) and answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", PAGES)
def test_every_control_has_a_name_and_every_page_one_heading(campaign, amei, path):
    page = text_of(amei.get(path))
    assert page.count("<h1") == 1 and '<html lang="zh-CN"' in page
    labelled = set(re.findall(r'<label for="([^"]+)"', page))
    for tag in re.findall(r"<input[^>]*>", page):
        identity = re.search(r'\sid="([^"]+)"', tag)
        assert 'type="hidden"' in tag or (identity and identity[1] in labelled) or re.search(r"<label[^>]*>\s*" + re.escape(tag), page), tag
    assert all('alt="' in tag for tag in re.findall(r"<img[^>]*>", page))


def test_a_page_has_at_most_one_filled_button(campaign, amei):
    for path in PAGES:
        assert text_of(amei.get(path)).count('class="btn"') <= 1, path


def test_the_elder_switch_is_a_link_and_is_remembered(campaign, amei):
    assert "<html lang=\"zh-CN\" data-elder>" not in text_of(amei.get(URL))
    assert 'href="?elder=1&amp;s=article"' in text_of(amei.get(URL + "?s=article"))
    assert "data-elder>" in text_of(amei.get(URL + "?elder=1")).split("<head>")[0]
    assert "data-elder>" in text_of(amei.get(URL + "/rules")).split("<head>")[0]
    assert "data-elder>" not in text_of(amei.get(URL + "/rules?elder=0")).split("<head>")[0]


def test_problems_wear_the_same_frame(campaign, amei, browser):
    page = text_of(amei.get("/c/nowhere"))
    assert 'class="top"' in page and "长辈版" in page and "没有找到这个活动" in page


def test_no_page_speaks_like_a_machine():
    told = "".join(re.sub(r"\{#.*?#\}|<[^>]*>|\{%.*?%\}|\{\{.*?\}\}", "", t.read_text(encoding="utf-8"), flags=re.S) for t in TEMPLATES)
    for word in ("系统", "参数", "非法", "失败", "最终解释权", "分享", "转发", "你", "error", "Error"):
        assert word not in told, word


def test_no_template_carries_inline_style_or_script():
    for template in TEMPLATES:
        source = template.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=\"|<script(?![^>]*\ssrc=)", source), template.name


def test_every_posting_form_carries_the_token():
    for template in TEMPLATES:
        source = template.read_text(encoding="utf-8")
        assert source.count('method="post"') == source.count("m.csrf()"), template.name


def _luminance(colour: str) -> float:
    channels = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    """WCAG 2.1: (lighter + 0.05) / (darker + 0.05)."""
    dark, light = sorted((_luminance(a), _luminance(b)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_on_every_ground(scheme):
    css = (ROOT / "static" / "tokens.css").read_text(encoding="utf-8")
    light, dark = css.split("@media (prefers-color-scheme: dark)")
    tokens = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    if scheme == "dark":
        tokens |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark))
    for text in ("ink", "ink-2", "ink-3", "brand", "seal", "good", "warn", "bad", "info", "g-1", "g-2", "g-3", "g-4"):
        for ground in ("paper", "ground", "brand-soft"):
            assert contrast(tokens[text], tokens[ground]) >= 4.5, (scheme, text, ground)
    for ground in ("brand", "seal", "g-1", "g-2", "g-3", "g-4"):
        assert contrast(tokens["on-brand"], tokens[ground]) >= 4.5, (scheme, ground)
    assert contrast(tokens["edge"], tokens["paper"]) >= 3


def test_elder_text_is_large_and_targets_are_wide():
    css = (ROOT / "static" / "tokens.css").read_text(encoding="utf-8")
    elder = dict(re.findall(r"--([\w-]+): (\d+)px", css.split("[data-elder]")[1]))
    assert int(elder["text"]) >= 18 and int(elder["text-s"]) >= 18 and int(elder["text-xl"]) <= 30 and int(elder["tap"]) >= 60
    assert int(re.search(r"--tap: (\d+)px", css)[1]) >= 44


def test_nobody_sees_a_full_phone_or_openid(campaign, amei, answer):
    voter = factories.make_voter("阿美")
    send(amei, URL, grade="优", captcha_answer=answer)
    send(amei, URL + "/enter", name="王小梅", phone="13800000000", age_band="18+", consent="draw")
    for path in (URL, URL + "/receipts/latest", URL + "/mine"):
        page = re.sub(r'"data:[^"]*"|value="[^"]*"', "", text_of(amei.get(path)))
        assert not re.search(r"(?<!\d)\d{11}(?!\d)", page) and voter.identity.openid not in page and voter.person_key not in page


def test_a_forged_identity_is_not_repeated_in_a_link(client):
    page = client.get("/?openid=o-forged-0000000000000000001&s=article")
    assert page.status_code == 400 and "o-forged" not in page.get_data(as_text=True)
