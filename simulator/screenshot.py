"""A phone's screenshot of the success page, drawn on the server: the real receipt QR and code, dressed as a phone would show them."""

from __future__ import annotations

import base64
import io
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from simulator.product import Receipt

SIZE = (1170, 2532)          # 390 × 844 points at three pixels each
GREEN, SOFT, GROUND, PAPER = "#067a44", "#e6f4ec", "#f3f5f4", "#ffffff"
INK, INK_2, LINE = "#1a1d1f", "#485056", "#dfe4e1"
# Pillow's own font has no Chinese; one of the machine's is borrowed when there is one, else a grey bar stands for the words.
CHINESE = ("/usr/share/fonts/opentype/noto/NotoSansCJK-{}.ttc", "/usr/share/fonts/truetype/noto/NotoSansCJK-{}.ttc",
           "/usr/share/fonts/google-noto-cjk/NotoSansCJK-{}.ttc", "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
           "/System/Library/Fonts/PingFang.ttc", "C:/Windows/Fonts/msyh.ttc")


def compose(receipt: Receipt, clock: str) -> bytes:
    """PNG of the page at `clock` ("14:16"). The QR with its quiet zone ends within the upper third, a second stands lower."""
    page = _background()
    draw = ImageDraw.Draw(page)
    qr = Image.open(io.BytesIO(base64.b64decode(receipt.qr.partition(",")[2]))).convert("L")
    _status_bar(draw, clock)
    _heading(draw, receipt)
    _receipt_card(page, draw, qr, receipt.code)
    _entry_card(draw)
    _stub(page, draw, qr)
    draw.rounded_rectangle((384, 2496, 786, 2510), 7, fill=INK)
    out = io.BytesIO()
    page.save(out, "PNG", compress_level=3)
    return out.getvalue()


def _background() -> Image.Image:
    """Soft green fading into the ground colour over the first 1020 pixels."""
    page = Image.new("RGB", SIZE, GROUND)
    fade = Image.linear_gradient("L").resize((SIZE[0], 1020))
    page.paste(Image.composite(Image.new("RGB", fade.size, GROUND), Image.new("RGB", fade.size, SOFT), fade), (0, 0))
    return page


def _status_bar(draw: ImageDraw.ImageDraw, clock: str) -> None:
    draw.text((96, 36), clock, INK, _latin(51), stroke_width=1)
    for i in range(4):
        draw.rounded_rectangle((858 + i * 18, 74 - i * 9, 869 + i * 18, 86), 3, fill=INK)
    draw.rounded_rectangle((956, 50, 1034, 86), 11, outline=INK, width=3)
    draw.rounded_rectangle((962, 56, 1018, 80), 6, fill=INK)
    draw.rounded_rectangle((1038, 62, 1043, 74), 2, fill=INK)


def _heading(draw: ImageDraw.ImageDraw, receipt: Receipt) -> None:
    draw.ellipse((48, 138, 164, 254), fill=GREEN)
    draw.line(((79, 197), (100, 219), (135, 176)), fill=PAPER, width=14, joint="curve")
    _words(draw, (196, 112), receipt.title or "投票成功", 72, INK, bold=True)
    _words(draw, (198, 208), receipt.day, 42, INK_2)


def _receipt_card(page: Image.Image, draw: ImageDraw.ImageDraw, qr: Image.Image, code: str) -> None:
    draw.rounded_rectangle((48, 286, 1122, 1020), 48, fill=PAPER)
    side = 534
    page.paste(qr.resize((side, side), Image.Resampling.NEAREST), ((SIZE[0] - side) // 2, 298))
    font = _latin(84)
    draw.text((SIZE[0] // 2, 900), code, INK, font, anchor="mm", stroke_width=2)


def _entry_card(draw: ImageDraw.ImageDraw) -> None:
    draw.rounded_rectangle((48, 1068, 1122, 1650), 48, fill=PAPER)
    _words(draw, (108, 1118), "还想抽盲盒？选一种就行", 60, INK, bold=True)
    draw.rounded_rectangle((108, 1236, 1062, 1396), 42, fill=GREEN)
    _words(draw, (585, 1316), "一键参加抽奖", 54, PAPER, bold=True, centred=True)
    _words(draw, (108, 1444), "或者把这一页截图，连同姓名、手机号", 45, INK_2)
    _words(draw, (108, 1526), "发到公众号的聊天里。两种办法机会一样。", 45, INK_2)


def _stub(page: Image.Image, draw: ImageDraw.ImageDraw, qr: Image.Image) -> None:
    draw.rounded_rectangle((48, 1698, 1122, 2034), 48, fill=PAPER)
    page.paste(qr.resize((288, 288), Image.Resampling.NEAREST), (72, 1722))
    _words(draw, (396, 1782), "今天评好啦", 51, INK, bold=True)
    _words(draw, (396, 1872), "明天0点后再来，又能多一个签号。", 42, INK_2)


def _words(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int, colour: str, bold: bool = False,
           centred: bool = False) -> None:
    font = _chinese("Bold" if bold else "Regular", size)
    if font is not None:
        draw.text(at, text, colour, font, anchor="mm" if centred else "la")
        return
    width, x, y = size * len(text), at[0], at[1]
    left, top = (x - width // 2, y - size // 4) if centred else (x, y + size // 3)
    draw.rounded_rectangle((left, top, left + width, top + size // 2), size // 4, fill=PAPER if centred else LINE)


def _latin(size: int) -> Any:
    return ImageFont.load_default(size)


@cache
def _chinese(weight: str, size: int) -> Any:
    for path in CHINESE:
        if Path(path.format(weight)).exists():
            return ImageFont.truetype(path.format(weight), size, index=2 if "Noto" in path else 0)
    return None
