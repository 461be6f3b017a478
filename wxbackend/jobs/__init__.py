"""What must outlive a request. `from wxbackend import jobs`, then `@jobs.handler("kind")` and `jobs.enqueue(…)`."""

from wxbackend.jobs.rules import GiveUp, Retry
from wxbackend.jobs.service import enqueue, forget_done, handler, run_due

__all__ = ["GiveUp", "Retry", "enqueue", "forget_done", "handler", "run_due"]
