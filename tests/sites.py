"""A site with a campaign that runs, for tests of what comes in from outside: requests run outside any context, as in a server."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import factories
from wxbackend.ballots import committer
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db
from wxbackend.store.local import Buckets


class Site:
    """`client` is a fresh browser, `amei` and `chen` are the bearer headers of two voters, `xiaoli` those of a manager."""

    slug = "futian-2021-reform"

    def __init__(self, app: Flask):
        self.app, self.client = app, app.test_client()
        self.now(factories.NOON)
        with self.inside():
            factories.make_campaign(slug="futian-2022-other")   # noise
            factories.make_campaign()
            self.amei, self.chen = (factories.bearer(factories.make_voter(name)) for name in ("阿美", "老陈"))
            self.xiaoli = factories.staff_bearer(factories.make_staff())
        self.db_file = Path(app.instance_path, "wxbackend.db")
        self.kept = self.db_file.with_suffix(".kept")
        shutil.copy(self.db_file, self.kept)
        self.turns = 0

    def fresh(self) -> Site:
        """As it was in the beginning, with an empty store and a new browser. Making an app anew costs a quarter of a second."""
        for leftover in self.db_file.parent.glob("wxbackend.db-*"):
            leftover.unlink()
        shutil.copy(self.kept, self.db_file)
        shutil.rmtree(self.db_file.parent / "evidence", ignore_errors=True)
        self.turns += 1
        self.app.extensions["store"].namespace = f"site{self.turns}"
        self.app.extensions["store_buckets"] = Buckets()
        for made_anew in ("inbox_intake", "inbox_counter", "inbox_rung", "live_campaigns", "log_heads"):
            self.app.extensions.pop(made_anew, None)
        self.client = self.app.test_client()
        self.now(factories.NOON)
        return self

    def now(self, instant: datetime) -> datetime:
        self.app.extensions["clock"].fixed = instant
        return instant

    @contextmanager
    def inside(self) -> Iterator[None]:
        """With the app's context, closed behind: on SQLite an open transaction would keep the requests out."""
        with self.app.app_context():
            yield
            committer.stop(self.app)
            db.session.remove()
            db.engine.dispose()

    def campaign(self) -> Campaign:
        return campaigns.by_slug(self.slug)

    def api(self, path: str) -> str:
        return f"/api/v1/campaigns/{self.slug}{path}"

    def post(self, path: str, data: Any = None, *, headers: dict[str, str] | None = None, **kwargs: Any) -> TestResponse:
        """As 阿美, JSON unless said otherwise."""
        return self.client.post(path, data=data, headers=self.amei if headers is None else headers,
                                **({"content_type": "application/json"} | kwargs))

    def form_token(self, page: str = "/admin/login", client: FlaskClient | None = None) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', (client or self.client).get(page).text)
        assert found, page
        return found[1]

    def count(self, model: Any) -> int:
        with self.inside():
            return db.session.query(model).count()
