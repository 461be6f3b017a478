"""The product as it is, but for captchas whose answer the bench knows: the one hook there is for that is the captcha's `choose`.

For a factory of server processes of this bench alone; the product has no such thing.
"""

from __future__ import annotations

import random
import secrets
import threading

from flask import Flask

import wxbackend
from wxbackend import captcha
from wxbackend.captcha import colour
from wxbackend.captcha import service as captcha_service
from wxbackend.front import Front
from wxbackend.front import create as create_front

SEED = 7
LAYOUT_BITS = 64


class Known(random.Random):
    """Always the same question, asked in a new picture each time: the layout's seed is the machine's own chance."""

    def __init__(self) -> None:
        super().__init__(SEED)

    def getrandbits(self, k: int, /) -> int:
        return secrets.randbits(k) if k == LAYOUT_BITS else super().getrandbits(k)


ANSWER = colour.puzzle(Known()).answer


def front() -> Front:
    """The product's front with known answers."""
    captcha_service.choose = Known
    return create_front()


def create_app() -> Flask:
    """The product's app under plain WSGI, its sprites drawn beforehand."""
    captcha_service.choose = Known
    app = wxbackend.create_app()
    threading.Thread(target=captcha.warm_up, daemon=True).start()
    return app
