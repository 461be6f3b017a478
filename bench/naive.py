"""The honest opponent: the same vote as a decent freelancer would write it in an afternoon, with nothing wrong in it.

Flask-SQLAlchemy's ORM, Flask-Limiter on Redis, the captcha in Redis, a session row, count then insert, a unique key that decides when
two come at once, and the running tally in the vote's own transaction. One vote, one transaction, one COMMIT.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import redis
from flask import Flask, abort, jsonify, request
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, DateTime, ForeignKey, String, UniqueConstraint
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

GRADES = ("优", "良", "中", "差")
CAMPAIGN = 1
SHENZHEN = ZoneInfo("Asia/Shanghai")


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class Person(Base):
    __tablename__ = "naive_person"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    openid: Mapped[str] = mapped_column(String(64), unique=True)


class Login(Base):
    __tablename__ = "naive_login"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    token: Mapped[str] = mapped_column(String(64), unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey(Person.id))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Ballot(Base):
    __tablename__ = "naive_ballot"
    __table_args__ = (UniqueConstraint("campaign_id", "person_id", "day"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    campaign_id: Mapped[int]
    person_id: Mapped[int] = mapped_column(ForeignKey(Person.id))
    day: Mapped[date]
    grade: Mapped[str] = mapped_column(String(4))
    cast_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Tally(Base):
    __tablename__ = "naive_tally"

    campaign_id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    grade: Mapped[str] = mapped_column(String(4), primary_key=True)
    count: Mapped[int] = mapped_column(default=0)


def today() -> date:
    return datetime.now(SHENZHEN).date()


def token() -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


def captcha_key(captcha_id: str) -> str:
    return f"captcha:{captcha_id}"


def prepare() -> None:
    """Tables, and today's counters at nothing."""
    db.create_all()
    for grade in GRADES:
        db.session.merge(Tally(campaign_id=CAMPAIGN, day=today(), grade=grade, count=0))
    db.session.commit()


def create_app() -> Flask:
    """DATABASE_URL, REDIS_URL and THREADS come from the environment."""
    app = Flask("naive")
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": int(os.environ.get("THREADS", "16")), "pool_pre_ping": True}
    db.init_app(app)
    store = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
    limiter = Limiter(get_remote_address, app=app, storage_uri=os.environ["REDIS_URL"])

    app.add_url_rule("/healthz", view_func=lambda: "")

    @app.post("/vote")
    @limiter.limit("20 per minute", key_func=token)
    @limiter.limit("200 per day", key_func=token)
    @limiter.limit("1000000 per minute")   # an operator's gateway has thousands of phones behind one address
    def vote() -> ResponseReturnValue:
        login = db.session.query(Login).filter_by(token=token()).first()
        if login is None or login.expires_at < datetime.now(UTC):
            abort(401)
        form = request.get_json()
        if form.get("grade") not in GRADES:
            abort(422)
        if store.getdel(captcha_key(str(form.get("captcha_id")))) != form.get("captcha_answer"):
            return jsonify(error="captcha"), 422
        return cast(login.person_id, form["grade"])

    return app


def cast(person_id: int, grade: str) -> ResponseReturnValue:
    mine = {"campaign_id": CAMPAIGN, "person_id": person_id, "day": today()}
    if db.session.query(Ballot).filter_by(**mine).count():
        return already()
    ballot = Ballot(**mine, grade=grade, cast_at=datetime.now(UTC))
    db.session.add(ballot)
    try:
        db.session.flush()
        tally: Any = db.session.get_one(Tally, (CAMPAIGN, mine["day"], grade))
        tally.count = Tally.count + 1
        number = ballot.id   # read before the commit, which would have it loaded again
        db.session.commit()
    except IntegrityError:   # two taps at once: the other one was first
        db.session.rollback()
        return already()
    return jsonify(ballot=number), 201


def already() -> ResponseReturnValue:
    return jsonify(error="already voted"), 409
