"""What a sender is told of a decision."""

from __future__ import annotations

from datetime import date

from wxbackend.clock import say_day


def approved(day: date, tickets: int) -> str:
    return f"{say_day(day)}的截图核对好了，这天算上了，您现在有{tickets}个签号。"


def rejected(reason: str, freeze_said: str, note: str = "", phone: str = "") -> str:
    """`phone`: the campaign's own, "" where it has none."""
    call = f"打活动电话{phone}说一声" if phone else "打活动电话说一声"
    added = f"工作人员补充：{note.rstrip('。')}。" if note.strip() else ""
    return f"这张截图没能算上：{reason}。{added}请发您自己的投票成功页；觉得判错了，{freeze_said}前{call}，会另请人复核。"
