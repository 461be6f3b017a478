"""The demo: a living campaign, a simulated WeChat and a clock that can be moved, on this machine alone. Refused in production."""
