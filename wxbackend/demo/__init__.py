"""The demo: a living campaign, a simulated WeChat and a clock that can be moved, on this machine alone. Refused in production."""

REFERENCE = "futian-2021-reform"   # the campaign that the clock, the stale check and the start turn on
