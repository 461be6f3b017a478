"""Text on its way to WeChat and from WeChat: characters that JSON, XML and every database keep as themselves."""

from __future__ import annotations

import re
from typing import Any

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ESCAPED = re.compile(r"\\(?=u[0-9A-Fa-f]{4})")
DEEPEST = 20


def wording(text: str) -> str:
    """Text as WeChat takes it: no control characters (JSON would escape them), and no \\\\u followed by digits, which WeChat takes for an
    escaped character and refuses with 40033."""
    return ESCAPED.sub("＼", NOT_XML.sub("", text).replace("\x7f", ""))


def plain(value: Any, depth: int = 0) -> Any:
    """What WeChat sent, at any depth that it has, without what no database keeps. Raises ValueError for what is nested deeper."""
    if depth > DEEPEST:
        raise ValueError("nested too deep")
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\x00", "")
    if isinstance(value, dict):
        return {plain(str(name)): plain(one, depth + 1) for name, one in value.items()}
    return [plain(one, depth + 1) for one in value] if isinstance(value, list) else value
