"""What those who run the site must know. `from wxbackend import alarms`, then `alarms.ring("media-lost", …)`."""

from wxbackend.alarms.service import (
    NoSuchAlarm,
    by_id,
    open_alarms,
    open_counts,
    ring,
    ring_alone,
    ring_refusal,
    ring_refusal_alone,
    settle,
    settle_one,
    settle_refusals,
)

__all__ = ["NoSuchAlarm", "by_id", "open_alarms", "open_counts", "ring", "ring_alone", "ring_refusal", "ring_refusal_alone", "settle",
           "settle_one", "settle_refusals"]
