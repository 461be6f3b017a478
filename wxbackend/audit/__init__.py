"""Who did what, when, why: append-only and hash-chained. `from wxbackend import audit`, then `audit.record(…)`."""

from wxbackend.audit.service import record, verify_chain

__all__ = ["record", "verify_chain"]
