"""A job that does nothing: when it is done, a worker lives."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wxbackend import jobs

PING = "doctor.ping"


@jobs.handler(PING)
def ping(_payload: dict[str, Any], _at: datetime) -> None:
    """Done as soon as a worker comes by."""
