"""验证码: make a picture to read, redeem the answer once.

`from wxbackend import captcha`, then `captcha.make(…)` and `captcha.redeem(…)`. A test that has to know answers replaces
`wxbackend.captcha.service.choose`; see there.
"""

from __future__ import annotations

from wxbackend.captcha.service import (
    FAMILIES,
    CaptchaExpired,
    CaptchaWrong,
    Challenge,
    TooOften,
    judge,
    lies_in_redis,
    mac_of,
    make,
    once_name,
    redeem,
    sweep,
    warm_up,
)

__all__ = ["FAMILIES", "CaptchaExpired", "CaptchaWrong", "Challenge", "TooOften", "judge", "lies_in_redis", "mac_of",
           "make", "once_name", "redeem", "sweep", "warm_up"]
