"""Messages of WeChat, each acting once, however often it is delivered.

A message is kept (`keep`, committed), then answered (`answer`): within WeChat's five seconds by the request, else by the worker. What is
said stands in `talk.py`, what becomes of pictures, names and phones in `entries.py`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from wxbackend.extensions import db
from wxbackend.inbox import talk
from wxbackend.inbox.intake import pile, unseal
from wxbackend.inbox.models import InboxMessage
from wxbackend.inbox.talk import Reply
from wxbackend.problems import Problem
from wxbackend.wechat import Message

REPLY_CHARS = 2048


def keep(message: Message, at: datetime) -> None:
    """Commit the message before anything else is done with it; a second delivery changes nothing. No transaction is open before."""
    pile().keep(message, at)


def answer(dedupe_key: str, at: datetime) -> tuple[Reply, Message | None]:
    """The reply to a message that was kept, and the message where this call answered it; None where it was answered before.

    A delivery that comes while another is being answered waits for that one's row, and gets its reply.
    """
    row = db.session.scalars(select(InboxMessage).where(InboxMessage.dedupe_key == dedupe_key).with_for_update()).one()
    if row.state != "new":
        return Reply(row.reply, row.action), None
    message = unseal(row.sealed or "")
    try:
        with db.session.begin_nested():
            reply = talk.reply(message, row.arrived_at, at)
    except Problem as problem:   # a refusal in the chat is a kind sentence, and the message counts as answered
        reply = Reply(problem.as_reply())
    row.reply, row.action, row.state = reply.text[:REPLY_CHARS], reply.action, "done"
    row.sealed = None if message.is_known else row.sealed
    db.session.flush()
    return reply, message
