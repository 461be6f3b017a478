"""A worker in a process of its own, to be killed: `python -m tests.jobs.victim URL FOLDER SECONDS`.

Its one handler writes to the database, says so with a file, and then takes its time.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from flask.cli import ScriptInfo

from tests.databases import small_app
from wxbackend import audit, jobs
from wxbackend.extensions import db
from wxbackend.jobs.cli import worker

if __name__ == "__main__":
    url, folder, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])

    @jobs.handler("slow")
    def slow(payload: dict[str, Any], at: datetime) -> None:
        audit.record("job", "slow", f"number:{payload['number']}", at)
        db.session.flush()
        (folder / "started").write_text("")
        time.sleep(seconds)

    app = small_app(url, folder)
    app.cli.add_command(worker)
    app.cli.main(["worker"], obj=ScriptInfo(create_app=lambda: app))
