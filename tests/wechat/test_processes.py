"""Two processes of four threads, cold, on a real Redis: one token, one ticket."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

ROOT = Path(__file__).resolve().parents[2]
TOKEN, INFO, TICKET = "/cgi-bin/stable_token", "/cgi-bin/user/info", "/cgi-bin/ticket/getticket"
MEI = {"subscribe": 1, "openid": "oMei", "unionid": "uMei"}


@contextmanager
def asker(*args: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-m", "tests.wechat.asker", *args], cwd=ROOT, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ask_at_once(*args: str) -> list[str]:
    """The answers of both processes' eight threads, started together."""
    with ExitStack() as stack:
        both = [stack.enter_context(asker(*args)) for _ in range(2)]
        for process in both:
            assert process.stdout and process.stdout.readline() == "ready\n"
        for process in both:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        return [one for process in both if process.stdout for one in json.loads(process.stdout.readline())]


def test_eight_cold_threads_of_two_processes_make_one_token_call(redis_url, wechat_host, tmp_path):
    namespace = f"t-{uuid.uuid4().hex}"
    wechat_host.token_seconds = 0.05
    wechat_host.say(INFO, MEI)
    wechat_host.say(TICKET, {"errcode": 0, "ticket": "TICKET-1", "expires_in": 7200})
    args = (wechat_host.url, redis_url, namespace, str(tmp_path))
    assert ask_at_once(*args) == ["uMei"] * 8
    assert (wechat_host.times(TOKEN), wechat_host.times(TICKET), wechat_host.times(INFO)) == (1, 1, 8)

    # a token gone stale is renewed once for all of them, not once by each
    wechat_host.say(INFO, lambda ask: MEI if ask["args"]["access_token"] == "TOKEN-2" else {"errcode": 42001, "errmsg": "expired"})
    assert ask_at_once(*args) == ["uMei"] * 8
    assert (wechat_host.times(TOKEN), wechat_host.times(TICKET)) == (2, 1)
    client = redis.Redis.from_url(redis_url)
    client.delete(*client.scan_iter(f"{namespace}:*"))
