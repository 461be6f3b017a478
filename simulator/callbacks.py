"""Deliveries to the product, as WeChat makes them: within five seconds or again, three times in all, the reply checked."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import requests

from simulator.envelope import BadReply, Callback, make, open_reply, with_fresh_nonce
from simulator.people import Line, Person
from simulator.product import Product, fetch
from simulator.state import State

DELIVERIES = 3
FAULT = "该公众号提供的服务出现故障，请稍后再试"
TRANSFERRED = "已转人工，请稍候"
MOST_AT_ONCE = 32


def deliver(state: State, product: Product, callback: Callback, deliveries: int = DELIVERIES, lose: int = 0) -> dict[str, Any]:
    """Post it until a reply is taken; the passive reply, or WeChat's sentence of regret, goes to the person's chat.

    No answer, a late one or HTTP 5xx is tried again; an answer in a wrong shape shows the sentence at once.
    `lose` replies are thrown away as if they never came. Returns the log entry of the last delivery.
    """
    entry: dict[str, Any] = {}
    for n in range(1, deliveries + 1):
        entry, reply = _deliver_once(state, callback, n)
        if n <= lose:
            entry["outcome"] = "lost"
        with state.lock:
            state.callbacks.append(entry)
        if entry["outcome"] == "ok":
            if reply is not None:
                state.say(callback.person, reply_line(reply, product.now()))
            return entry
        if entry["outcome"].startswith("invalid") and not state.config.retry_invalid_replies:
            break
        if state.config.retry_nonce == "fresh":
            callback = with_fresh_nonce(state.config, callback)
    if callback.app == "account":
        state.say(callback.person, Line("note", "text", product.now(), FAULT))
    return entry


def _deliver_once(state: State, callback: Callback, n: int) -> tuple[dict[str, Any], dict[str, str] | None]:
    started, reply, status, outcome = time.monotonic(), None, None, "ok"
    try:
        answer = post(state, callback)
        status = answer.status_code
        reply = open_reply(state.config, callback, answer.text) if status == 200 else None
        outcome = "ok" if status == 200 else f"http {status}"
    except requests.Timeout:
        outcome = "timeout"
    except requests.RequestException:
        outcome = "unreachable"
    except BadReply as e:
        outcome = f"invalid: {e}"
    entry = {"delivery": n, "app": callback.app, "person": callback.person.id, "kind": callback.kind, "msg_id": str(callback.msg_id or ""),
             "nonce": callback.query["nonce"], "status": status, "took_ms": round((time.monotonic() - started) * 1000), "outcome": outcome,
             "reply": (reply or {}).get("Content", ""), "reply_type": (reply or {}).get("MsgType", "")}
    return entry, reply


def post(state: State, callback: Callback) -> requests.Response:
    """One delivery. The whole answer must be there in time, not only its first byte."""
    limit = state.config.callback_timeout_seconds
    started = time.monotonic()
    answer = fetch("POST", callback.url(state.config), params=callback.query, data=callback.body.encode(),
                   headers={"Content-Type": callback.content_type}, timeout=limit)
    if time.monotonic() - started > limit:
        raise requests.Timeout
    answer.encoding = "utf-8"
    return answer


def send(state: State, product: Product, callback: Callback, copies: int = 1, **how: Any) -> dict[str, Any]:
    """Remember it as the last one and deliver it; `copies` of it at the same moment, as WeChat now and then does."""
    with state.lock:
        state.last_callback = callback
    if copies <= 1:
        return deliver(state, product, callback, **how)
    return deliver_all(state, product, [callback] * copies, copies)[0]


def deliver_all(state: State, product: Product, made: list[Callback], at_once: int = 1) -> list[dict[str, Any]]:
    """Several, one after the other in the order given, or `at_once` at the same time; the entries in that order."""
    with ThreadPoolExecutor(min(max(at_once, 1), MOST_AT_ONCE)) as pool:
        return list(pool.map(lambda c: deliver(state, product, c), made))


def report(state: State, product: Product, person: Person, app: str, event: str, fields: dict[str, Any]) -> None:
    """An event that WeChat sends of its own accord, some time after the call it is about."""
    def later() -> None:
        push(state, product, person, app, event, fields, product.now(fresh=True))

    state.later.do(later, state.config.report_delay_seconds)


def push(state: State, product: Product, person: Person, app: str, event: str, fields: dict[str, Any], at: datetime) -> dict[str, Any]:
    return send(state, product, make(state.config, person, event, at, {"Event": event} | fields, app=app))


def reply_line(reply: dict[str, str], at: datetime) -> Line:
    kind = reply["MsgType"]
    if kind == "transfer_customer_service":
        return Line("note", "transfer", at, TRANSFERRED, via="passive")
    if kind == "news":
        card = {"title": reply["Title"], "text": reply.get("Description", ""), "url": reply["Url"]}
        return Line("it", "news", at, reply["Title"], via="passive", card=card)
    return Line("it", kind, at, reply.get("Content", ""), reply.get("MediaId", ""), "passive")
