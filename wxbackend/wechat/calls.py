"""One call: by whose token, whether it may be asked at all, whether twice; and answers read field by field.

WeChat's answers change without notice: numbers come as text, fields go missing. Whoever reads one here gets a value of the right
type or WeChatAway, never a KeyError.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from wxbackend.extensions import settings
from wxbackend.wechat import features
from wxbackend.wechat.apps import client_of
from wxbackend.wechat.endpoints import Endpoint
from wxbackend.wechat.refusals import BUSY_WHY, NotGranted, WeChatAway

PAUSE_SECONDS = 0.2
LONGEST_WORD = 2048
WHOLE = re.compile(r"-?[0-9]{1,18}(\.0+)?")


def ask(endpoint: Endpoint, *, params: Mapping[str, str] | None = None, data: Mapping[str, Any] | None = None,
        app: str = "") -> dict[str, Any]:
    """WeChat's answer, errcode 0 or absent: success may leave it out. `app` where the endpoint serves both.

    Raises WeChatAway, WeChatRefused (NotGranted without asking where the feature is off), CodeRefused, NoMiniProgram.
    """
    found = _asked(endpoint, app, lambda client: client.call(endpoint, params, data))
    assert isinstance(found, dict)
    return found


def ask_file(endpoint: Endpoint, *, params: Mapping[str, str] | None = None,
             data: Mapping[str, Any] | None = None) -> bytes | dict[str, Any]:
    """A file's bytes, at most settings.max_image_bytes; or the JSON that came in its place. Raises MediaTooLarge as well."""
    return _asked(endpoint, "", lambda client: client.call(endpoint, params, data, max_bytes=settings.max_image_bytes))


def _asked(endpoint: Endpoint, app: str, call: Callable[[Any], Any]) -> Any:
    client = client_of(endpoint.app or app)
    if endpoint.feature and not features.can(endpoint.feature) and endpoint.feature not in features.NEVER_OFF:
        raise NotGranted(was_asked=False)
    try:
        try:
            return call(client)
        except WeChatAway as e:
            if e.why != BUSY_WHY or not endpoint.is_repeatable:
                raise
        time.sleep(PAUSE_SECONDS)
        return call(client)
    except NotGranted:
        features.switch_off(endpoint.feature)
        raise


def word(answer: Mapping[str, Any], name: str, pattern: re.Pattern[str] | None = None, default: str | None = None) -> str:
    """A text, also where WeChat sends a number. Missing or impossible: `default`, or WeChatAway where there is none."""
    value = answer.get(name)
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if text and len(text) <= LONGEST_WORD and text.isprintable() and (pattern is None or pattern.fullmatch(text)):
        return text
    return _absent(name, default)


def whole(answer: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """A whole number, also where WeChat sends it as a text. Missing or impossible: `default`, or WeChatAway where there is none."""
    value = answer.get(name)
    if isinstance(value, str | int | float) and not isinstance(value, bool) and WHOLE.fullmatch(str(value)):
        return int(float(value)) if isinstance(value, float) else int(str(value).partition(".")[0])
    return _absent(name, default)


def inner(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object inside the answer. Raises WeChatAway where it is something else."""
    value = answer.get(name)
    return value if isinstance(value, dict) else _absent(name, None)


def _absent(name: str, default: Any) -> Any:
    if default is None:
        raise WeChatAway(f"no {name} in the answer", unsure=True)
    return default
