"""What the worker does for draws."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from wxbackend import jobs
from wxbackend.campaigns import service as campaigns
from wxbackend.draws.freeze import freeze


@jobs.handler("draws.freeze", lease=timedelta(minutes=10))
def freeze_when_due(payload: dict[str, Any], at: datetime) -> None:
    """{"campaign": slug}: put in line at publishing for the instant `freeze_at`."""
    freeze(campaigns.by_slug(payload["campaign"]), at)
